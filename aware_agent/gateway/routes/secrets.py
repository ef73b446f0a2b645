"""``/v1/secrets``: what people give the colony for the processes of its jobs. Values go in and never come out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response

from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.gateway.documents import Body, Change, Document
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read, revision_of, write
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import DeleteSecret, PutSecret
from aware_agent.security.colony_secret import (
    KIND,
    CloudSecret,
    SecretRecord,
    SecretValue,
    TextSecret,
    check_secret,
)

router = APIRouter(tags=["secrets"])


class ColonySecretBody(Body, frozen=True, kw_only=True):
    """A secret. ``kind`` text needs ``text``; openstack needs ``cloud``, an entry of ``clouds.yaml``.

    ``ca``: PEM of who vouches for the cloud. ``plain_http``: the cloud may be spoken to without TLS.
    """

    kind: Literal["text", "openstack"]
    text: str | None = None
    cloud: dict[str, Any] | None = None
    ca: str = ""
    plain_http: bool = False

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ColonySecretBody({self.kind!r})"


class ColonySecretDocument(Document, frozen=True, kw_only=True):
    """What may be shown of a secret; ``about`` says at which cloud it is good. ``changed_at`` in Unix seconds."""

    name: str
    kind: str
    about: str
    changed_at: float
    changed_by: str


class ColonySecretsDocument(Document, frozen=True, kw_only=True):
    """All secrets, sorted by name."""

    secrets: list[ColonySecretDocument]


@endpoint(router, "GET", "/v1/secrets", answer=ColonySecretsDocument)
async def list_secrets(gateway: Here) -> Response:
    """Names of all secrets, and what may be shown of them."""
    found = sorted(gateway.context.reader.many(f"{KIND}/", SecretRecord).items())
    return answer(gateway, ColonySecretsDocument(secrets=[_document(name, record) for name, record in found]))


@endpoint(router, "GET", "/v1/secrets/{name}", answer=ColonySecretDocument)
async def read_secret(gateway: Here, name: str) -> Response:
    """What may be shown of one secret."""
    record = gateway.context.reader.one(f"{KIND}/{name}", SecretRecord) if "/" not in name else None
    if record is None:
        raise NotFound(f"there is no secret {name[:64]!r}", hint="aware secret list shows them")
    return answer(gateway, _document(name, record), revision=revision_of(gateway, _place(gateway, name)))


@endpoint(router, "PUT", "/v1/secrets/{name}", body=ColonySecretBody, answer=Change, also=[412])
async def put_secret(
    request: Request,
    gateway: Here,
    who: Who,
    name: str,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> Response:
    """Keep a secret, or another value of it. Jobs that begin from now on get it."""
    value = _value(await read(request, ColonySecretBody))
    check_secret(name, value)

    def command(revision: int | None) -> PutSecret:
        return PutSecret(name=name, value=value, if_revision=revision)

    written = await write(gateway, if_match, _place(gateway, name), command, who)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(router, "DELETE", "/v1/secrets/{name}", answer=Change)
async def delete_secret(gateway: Here, who: Who, name: str) -> Response:
    """Forget a secret. Operations that use it are refused from now on."""
    written = await gateway.context.commands.run(DeleteSecret(name=name), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _place(gateway: Gateway, name: str) -> bytes:
    return gateway.context.reader.keys.key(KIND, name)


def _value(body: ColonySecretBody) -> SecretValue:
    """Raises :class:`InvalidInput` for what is missing, or belongs to the other kind."""
    foreign = {"cloud": body.cloud is not None, "ca": bool(body.ca), "plain_http": body.plain_http}
    if body.kind == "openstack":
        foreign = {"text": body.text is not None}
    for field, given in foreign.items():
        if given:
            raise InvalidInput(f"{field} is nothing a secret of kind {body.kind} has", field=field)
    if body.kind == "text":
        if body.text is None:
            raise InvalidInput("text is missing", field="text")
        return TextSecret(text=body.text)
    if body.cloud is None:
        raise InvalidInput("cloud is missing", field="cloud", hint="an entry of clouds.yaml")
    return CloudSecret(cloud=body.cloud, ca=body.ca, plain_http=body.plain_http)


def _document(name: str, record: SecretRecord) -> ColonySecretDocument:
    return ColonySecretDocument(
        name=name,
        kind=record.kind,
        about=record.about,
        changed_at=record.changed_at,
        changed_by=record.changed_by,
    )
