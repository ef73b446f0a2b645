"""What users may do about webhooks through the gateway: each is one fenced transaction with its event."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import msgspec

from aware_agent.colony.errors import AwareError, InvalidInput, NotFound
from aware_agent.colony.event import Event, Severity, event
from aware_agent.colony.ids import ulid
from aware_agent.colony.quota import require_room
from aware_agent.colony.reach import Reach, check_call_url
from aware_agent.colony.webhook import (
    KEEP_OLD_S,
    MAX_WEBHOOKS,
    DeadLetter,
    SealedSecret,
    WebhookRecord,
    check_span,
    check_webhook,
    rotated,
)
from aware_agent.outgoing import trust
from aware_agent.queen import commands as do
from aware_agent.queen.rehearsal import about_to
from aware_agent.queen.webhooks import records
from aware_agent.queen.webhooks.keeper import WebhookKeeper
from aware_agent.queen.writer import EventDraft, FencedWriter, Written, require_revision
from aware_agent.security.sealed import Sealer
from aware_agent.security.webhook_signature import SECRET_BYTES, secret_bytes, secret_text
from aware_agent.store import ops

TEST = "webhook.test"
_AT_ONCE = 50  # changes of one transaction
_TOLD = ("url", "filter", "description", "ca", "retry_s", "pause_after_s")  # by name only: a URL may hold a secret


class WebhookCommands:
    """Reads and writes of webhooks and their dead letters."""

    def __init__(self, writer: FencedWriter, sealer: Sealer, keeper: WebhookKeeper, reach: Reach) -> None:
        self._writer, self._sealer, self._keeper, self._reach = writer, sealer, keeper, reach

    async def create(self, command: do.CreateWebhook, *, actor: str) -> do.NewWebhook:
        """A new webhook. Its secret is in the answer and nowhere else. Raises InvalidInput, TooManyRecords."""
        self._check_call(command.url, command.ca)
        secret = secret_bytes(command.secret) if command.secret is not None else os.urandom(SECRET_BYTES)
        now = time.time()
        webhook_id = ulid(now, os.urandom(10))
        key = self._writer.key(records.WEBHOOKS, webhook_id)
        async with self._writer.writing():
            there = len(records.webhooks(self._writer.reader))
            require_room("webhooks", there, MAX_WEBHOOKS, "remove one: aware webhooks list, aware webhooks remove")
            record = check_webhook(
                WebhookRecord(
                    id=webhook_id,
                    url=command.url,
                    secrets=(SealedSecret(sealed=self._sealer.seal(secret, key)),),
                    filter=command.filter,
                    description=command.description,
                    ca=command.ca,
                    retry_s=command.retry_s,
                    pause_after_s=command.pause_after_s,
                    start=self._writer.projection.revision,
                    created_at=now,
                    created_by=actor,
                    changed_at=now,
                    term=self._writer.term,
                )
            )
            made = do.NewWebhook(secret_text(secret), record)
            line = EventDraft("webhook.created", webhook_id, f"{actor} made webhook {webhook_id}", Severity.NOTICE)
            await self._writer.commit([self._put(record)], [line], actor, [ops.absent(key)], answer=made)
        self._keeper.refresh()
        return made

    async def change(self, command: do.ChangeWebhook, *, actor: str) -> Written:
        """Change what is given; ``paused`` stops and starts it. Raises NotFound, InvalidInput, RevisionChanged."""
        async with self._writer.writing():
            before = records.webhook(self._writer.reader, command.webhook)
            require_revision(self._revision(before), command.if_revision)
            after = check_webhook(self._changed(before, command, actor))
            if after == before:
                return self._writer.unchanged(self._revision(before))
            # Where calls may go is each queen's settings: what she may not call can still be paused.
            if (after.url, after.ca) != (before.url, before.ca):
                self._check_call(after.url, after.ca)
            after = msgspec.structs.replace(after, changed_at=time.time(), term=self._writer.term)
            changed = ", ".join(name for name in _TOLD if getattr(after, name) != getattr(before, name))
            line = _told(before, after, actor)
            written = await self._commit(after, line, actor, note=f"{changed} changed" if changed else "")
        self._keeper.refresh()
        return written

    async def remove(self, webhook_id: str, *, actor: str) -> Written:
        """Forget it, how far it was, and its dead letters. Raises NotFound."""
        async with self._writer.writing():
            record = records.webhook(self._writer.reader, webhook_id)
            changes = [
                ops.delete(self._writer.key(records.WEBHOOKS, record.id)),
                ops.delete(self._writer.key(records.STATES, record.id)),
                ops.delete_range(*self._writer.keys.below(f"{records.DEAD}/{record.id}")),
            ]
            line = EventDraft("webhook.removed", record.id, f"{actor} removed webhook {record.id}", Severity.NOTICE)
            written = await self._writer.commit(changes, [line], actor)
        self._keeper.refresh()
        return written

    async def rotate(self, command: do.RotateWebhookSecret, *, actor: str) -> do.NewWebhook:
        """A new secret signs; the one before signs as well for ``keep_old_s``. Raises NotFound, InvalidInput."""
        secret = secret_bytes(command.secret) if command.secret is not None else os.urandom(SECRET_BYTES)
        check_span("keep_old_s", command.keep_old_s, KEEP_OLD_S)
        async with self._writer.writing():
            before, now = records.webhook(self._writer.reader, command.webhook), time.time()
            sealed = self._sealer.seal(secret, records.secret_context(self._writer.keys, before.id))
            secrets = rotated(before.secrets, sealed, now + command.keep_old_s)
            after = msgspec.structs.replace(before, secrets=secrets, changed_at=now, term=self._writer.term)
            made = do.NewWebhook(secret_text(secret), after)
            message = f"{actor} gave webhook {before.id} a new secret"
            line = EventDraft("webhook.changed", before.id, message, Severity.NOTICE)
            await self._commit(after, line, actor, answer=made)
        self._keeper.refresh()
        return made

    async def test(self, webhook_id: str, *, actor: str) -> do.WebhookTest:
        """Call it once with an event that is in no history. Raises NotFound, SenderEnded."""
        message = f"{actor} tests webhook {webhook_id}"
        line = EventDraft(TEST, webhook_id, message)
        sample: Event = event(line, term=self._writer.term, actor=actor, now=time.time(), randomness=os.urandom(10))
        records.webhook(self._writer.reader, webhook_id)
        about_to(f"{actor} calls webhook {webhook_id}")
        async with self._writer.writing():  # the record comes first: what is called has a line, whatever comes of it
            await self._writer.commit([], [], actor, note=f"webhook {webhook_id} is called with event {sample.id}")
        said = await self._keeper.trial(webhook_id, sample)
        return do.WebhookTest(
            event=sample.id,
            delivered=200 <= said.status < 300,
            status=said.status,
            answer=said.body,
            reason=said.failure,
            duration_s=round(said.duration_s, 3),
        )

    async def replay(self, webhook_id: str, event_id: str | None, *, actor: str) -> Written:
        """Try a dead letter again, or all of them. Raises NotFound."""
        written = await self._each(webhook_id, event_id, actor, "replays", self._replayed)
        self._keeper.refresh()
        return written

    async def drop(self, webhook_id: str, event_id: str | None, *, actor: str) -> Written:
        """Forget a dead letter, or all of them. Raises NotFound."""
        return await self._each(webhook_id, event_id, actor, "drops", self._dropped)

    async def _each(
        self,
        webhook_id: str,
        event_id: str | None,
        actor: str,
        verb: str,
        make: Callable[[str, DeadLetter], ops.Op],
    ) -> Written:
        async with self._writer.writing():
            record = records.webhook(self._writer.reader, webhook_id)
            letters = list(records.dead_letters(self._writer.reader, record.id))
            if event_id is not None:
                letters = [letter for letter in letters if letter.event.id == event_id]
                if not letters:
                    raise NotFound(f"no dead letter {event_id[:40]!r}", hint="aware webhooks dead WEBHOOK lists them")
            if not letters:
                return self._writer.unchanged()
            message = f"{actor} {verb} {len(letters)} dead letter{'s' if len(letters) > 1 else ''} of {record.id}"
            lines = [EventDraft("webhook.changed", record.id, message)]
            changes = [make(record.id, letter) for letter in letters]
            for at in range(0, len(changes), _AT_ONCE):
                some, note = changes[at : at + _AT_ONCE], "" if lines else f"letters {at + 1} and after of them"
                written = await self._writer.commit(some, lines, actor, note=note)
                lines = []
            return written

    def _replayed(self, webhook_id: str, letter: DeadLetter) -> ops.Op:
        wanted = msgspec.structs.replace(letter, replay=True)
        return ops.put(self._writer.key(records.DEAD, webhook_id, letter.event.id), msgspec.json.encode(wanted))

    def _dropped(self, webhook_id: str, letter: DeadLetter) -> ops.Op:
        return ops.delete(self._writer.key(records.DEAD, webhook_id, letter.event.id))

    def _changed(self, before: WebhookRecord, command: do.ChangeWebhook, actor: str) -> WebhookRecord:
        given = {name: value for name in _TOLD if (value := getattr(command, name)) is not None}
        if command.paused is not None and command.paused != bool(before.paused):
            given["paused"] = f"{actor} paused it" if command.paused else ""
            given["paused_at"] = time.time() if command.paused else 0.0
        return msgspec.structs.replace(before, **given)

    def _check_call(self, url: str, ca: str) -> None:
        check_call_url(url, self._reach)
        if ca:
            try:
                trust(ca)
            except AwareError as error:
                raise InvalidInput(error.message, field="ca", hint=error.hint) from None

    async def _commit(
        self, after: WebhookRecord, line: EventDraft, actor: str, answer: object | None = None, note: str = ""
    ) -> Written:
        guard = self._writer.guard(self._writer.key(records.WEBHOOKS, after.id))
        return await self._writer.commit([self._put(after)], [line], actor, [guard], answer=answer, note=note)

    def _put(self, record: WebhookRecord) -> ops.Op:
        return ops.put(self._writer.key(records.WEBHOOKS, record.id), msgspec.json.encode(record))

    def _revision(self, record: WebhookRecord) -> int:
        return self._writer.revision(self._writer.key(records.WEBHOOKS, record.id))


def _told(before: WebhookRecord, after: WebhookRecord, actor: str) -> EventDraft:
    if bool(before.paused) == bool(after.paused):
        kind, verb = "webhook.changed", "changed"
    else:
        kind, verb = ("webhook.paused", "paused") if after.paused else ("webhook.resumed", "resumed")
    return EventDraft(kind, before.id, f"{actor} {verb} webhook {before.id}", Severity.NOTICE)
