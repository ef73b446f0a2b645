"""``/v1/webhooks``: whom the colony tells of its events, how that goes, and what could not be delivered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from aware_agent.colony.webhook import DeadLetter, DeliveryResult, WebhookRecord, signing
from aware_agent.gateway.documents import Change
from aware_agent.gateway.hub import document as event_document
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing, read, revision_of, write
from aware_agent.gateway.state import Gateway
from aware_agent.gateway.webhook_documents import (
    DeadLetterDocument,
    DeadLettersDocument,
    DeliveriesDocument,
    NewWebhookDocument,
    SecretBody,
    WebhookBody,
    WebhookDocument,
    WebhookPatch,
    WebhooksDocument,
    WebhookTestDocument,
)
from aware_agent.queen import commands as do
from aware_agent.queen.webhooks import records

router = APIRouter(tags=["webhooks"])
ONE = "/v1/webhooks/{webhook_id}"
IfMatch = Annotated[str | None, Header(alias="if-match")]


@endpoint(router, "GET", "/v1/webhooks", answer=WebhooksDocument, lists=("webhooks", WebhookDocument))
async def list_webhooks(gateway: Here, page: Paged) -> Response:
    """All webhooks."""
    known = records.webhooks(gateway.context.reader)
    found, following = cut(page, known, lambda record: record.id, str, ("webhooks",))
    document = WebhooksDocument(webhooks=[_document(gateway, record) for record in found], next=following)
    return listing(gateway, page, document, "webhooks", WebhookDocument)


@endpoint(router, "POST", "/v1/webhooks", body=WebhookBody, answer=NewWebhookDocument, status=201)
async def create_webhook(request: Request, gateway: Here, who: Who) -> Response:
    """Tell a receiver of events from now on. Its secret is shown this one time."""
    body = await read(request, WebhookBody)
    command = do.CreateWebhook(
        url=body.url,
        filter=body.filter,
        secret=body.secret,
        description=body.description,
        ca=body.ca,
        retry_s=body.retry_s,
        pause_after_s=body.pause_after_s,
    )
    made = await gateway.context.commands.run(command, actor=who.name)
    response = _made(gateway, made, 201)
    response.headers["location"] = f"/v1/webhooks/{made.record.id}"
    return response


@endpoint(router, "GET", ONE, answer=WebhookDocument)
async def read_webhook(gateway: Here, webhook_id: str) -> Response:
    """One webhook."""
    record = records.webhook(gateway.context.reader, webhook_id)
    return answer(gateway, _document(gateway, record), revision=revision_of(gateway, _key(gateway, webhook_id)))


@endpoint(router, "PATCH", ONE, body=WebhookPatch, answer=Change, also=[412])
async def change_webhook(
    request: Request, gateway: Here, who: Who, webhook_id: str, if_match: IfMatch = None
) -> Response:
    """Change what is given, pause or resume it."""
    body = await read(request, WebhookPatch)
    record = records.webhook(gateway.context.reader, webhook_id)

    def make(wanted: int | None) -> do.ChangeWebhook:
        return do.ChangeWebhook(
            webhook=record.id,
            url=body.url,
            filter=body.filter,
            description=body.description,
            ca=body.ca,
            retry_s=body.retry_s,
            pause_after_s=body.pause_after_s,
            paused=body.paused,
            if_revision=wanted,
        )

    return _change(gateway, await write(gateway, if_match, _key(gateway, record.id), make, who))


@endpoint(router, "DELETE", ONE, answer=Change)
async def remove_webhook(gateway: Here, who: Who, webhook_id: str) -> Response:
    """Forget it and its dead letters. What is under way ends."""
    written = await gateway.context.commands.run(do.RemoveWebhook(webhook=webhook_id), actor=who.name)
    return _change(gateway, written)


@endpoint(router, "POST", f"{ONE}/secret", body=SecretBody, answer=NewWebhookDocument, status=201)
async def rotate_secret(request: Request, gateway: Here, who: Who, webhook_id: str) -> Response:
    """Give it a new secret, which is shown this one time; the one before signs beside it for a while."""
    body = await read(request, SecretBody)
    command = do.RotateWebhookSecret(webhook=webhook_id, secret=body.secret, keep_old_s=body.keep_old_s)
    return _made(gateway, await gateway.context.commands.run(command, actor=who.name), 201)


@endpoint(router, "POST", f"{ONE}/test", answer=WebhookTestDocument)
async def test_webhook(gateway: Here, who: Who, webhook_id: str) -> Response:
    """Call it once, with an event of the type ``webhook.test`` that is in no history."""
    said = await gateway.context.commands.run(do.TestWebhook(webhook=webhook_id), actor=who.name)
    return answer(
        gateway,
        WebhookTestDocument(
            event=said.event,
            delivered=said.delivered,
            status=said.status,
            answer=said.answer,
            reason=said.reason,
            duration_s=said.duration_s,
        ),
    )


@endpoint(
    router,
    "GET",
    f"{ONE}/deliveries",
    answer=DeliveriesDocument,
    lists=("deliveries", DeliveryResult),
)
async def list_deliveries(gateway: Here, webhook_id: str, page: Paged) -> Response:
    """How the last deliveries ended."""
    record = records.webhook(gateway.context.reader, webhook_id)
    results = records.state(gateway.context.reader, record).results
    question = ("deliveries", record.id)
    found, following = cut(page, results, lambda one: (one.at, one.event), tuple[float, str], question)
    return listing(gateway, page, DeliveriesDocument(deliveries=found, next=following), "deliveries", DeliveryResult)


@endpoint(router, "GET", f"{ONE}/dead", answer=DeadLettersDocument, lists=("dead", DeadLetterDocument))
async def list_dead(gateway: Here, webhook_id: str, page: Paged) -> Response:
    """What could not be delivered."""
    record = records.webhook(gateway.context.reader, webhook_id)
    letters = records.dead_letters(gateway.context.reader, record.id)
    question = ("dead", record.id)
    found, following = cut(page, letters, lambda one: (one.revision, one.event.id), tuple[int, str], question)
    document = DeadLettersDocument(dead=[_letter(letter) for letter in found], next=following)
    return listing(gateway, page, document, "dead", DeadLetterDocument)


@endpoint(router, "POST", f"{ONE}/dead/replay", answer=Change, status=202)
async def replay_all(gateway: Here, who: Who, webhook_id: str) -> Response:
    """Try all dead letters again."""
    written = await gateway.context.commands.run(do.ReplayDead(webhook=webhook_id), actor=who.name)
    return _change(gateway, written, 202)


@endpoint(router, "POST", f"{ONE}/dead/{{event_id}}/replay", answer=Change, status=202)
async def replay_one(gateway: Here, who: Who, webhook_id: str, event_id: str) -> Response:
    """Try one dead letter again."""
    written = await gateway.context.commands.run(do.ReplayDead(webhook=webhook_id, event=event_id), actor=who.name)
    return _change(gateway, written, 202)


@endpoint(router, "DELETE", f"{ONE}/dead", answer=Change)
async def drop_all(gateway: Here, who: Who, webhook_id: str) -> Response:
    """Forget all dead letters."""
    written = await gateway.context.commands.run(do.DropDead(webhook=webhook_id), actor=who.name)
    return _change(gateway, written)


@endpoint(router, "DELETE", f"{ONE}/dead/{{event_id}}", answer=Change)
async def drop_one(gateway: Here, who: Who, webhook_id: str, event_id: str) -> Response:
    """Forget one dead letter."""
    written = await gateway.context.commands.run(do.DropDead(webhook=webhook_id, event=event_id), actor=who.name)
    return _change(gateway, written)


def _key(gateway: Gateway, webhook_id: str) -> bytes:
    return gateway.keys.key(records.WEBHOOKS, webhook_id)


def _change(gateway: Gateway, written: do.Written, status: int = 200) -> Response:
    document = Change(changed=written.changed, revision=written.revision, term=written.term)
    return answer(gateway, document, status=status)


def _made(gateway: Gateway, made: do.NewWebhook, status: int) -> Response:
    revision = revision_of(gateway, _key(gateway, made.record.id))
    document = NewWebhookDocument(id=made.record.id, secret=made.secret, revision=revision)
    return answer(gateway, document, status=status)


def _document(gateway: Gateway, record: WebhookRecord) -> WebhookDocument:
    reader = gateway.context.reader
    state = records.state(reader, record)
    now = gateway.authority.now()
    return WebhookDocument(
        id=record.id,
        url=record.url,
        filter=record.filter,
        description=record.description,
        ca=record.ca,
        retry_s=record.retry_s,
        pause_after_s=record.pause_after_s,
        paused=record.paused,
        created_at=record.created_at,
        created_by=record.created_by,
        changed_at=record.changed_at,
        revision=revision_of(gateway, _key(gateway, record.id)),
        signatures=len(signing(record.secrets, now)),
        position=max(state.position, record.start),
        delivered=state.delivered,
        failed_attempts=state.failed,
        dead=len(records.dead_letters(reader, record.id)),
        dropped=state.dropped,
        missed=state.missed,
        failing_since=state.failing_since,
        reason=state.reason,
        breaker=state.breaker,
    )


def _letter(letter: DeadLetter) -> DeadLetterDocument:
    return DeadLetterDocument(
        event=event_document(letter.revision, letter.event),
        attempts=letter.attempts,
        reason=letter.reason,
        status=letter.status,
        at=letter.at,
        replay=letter.replay,
    )
