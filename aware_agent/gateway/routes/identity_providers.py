"""``/v1/identity-providers``: who else may say who somebody is. Client secrets go in and never come out."""

from __future__ import annotations

import hmac
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Header, Request, Response

from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.gateway.documents import Body, Change, Document
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read, write
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import DeleteProvider, PutProvider
from aware_agent.security.providers import (
    KeystoneProvider,
    OidcProvider,
    Provider,
    ProviderRecord,
    Rule,
    check_provider,
)

router = APIRouter(tags=["identity providers"])
_SECRET = 4096


class ProviderBody(Body, frozen=True, kw_only=True):
    """A provider, see docs/login.md. ``kind`` oidc needs ``issuer``, keystone needs ``url``.

    Without ``client_secret`` the one that is kept stays; an empty one removes it. ``ca`` is PEM.
    """

    kind: Literal["oidc", "keystone"]
    rules: tuple[Rule, ...]
    issuer: str = ""
    url: str = ""
    client_id: str = ""
    client_secret: str | None = None
    public_url: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    audiences: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    ca: str = ""
    name_claim: str = "preferred_username"
    session_s: float = 8 * 3600.0

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ProviderBody({self.kind!r})"


class ProviderDocument(Document, frozen=True, kw_only=True):
    """A provider without its secret. ``has_secret``: whether one is kept. ``changed_at`` in Unix seconds."""

    name: str
    kind: str
    rules: tuple[Rule, ...]
    issuer: str
    url: str
    client_id: str
    has_secret: bool
    public_url: str
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    hosts: tuple[str, ...]
    ca: str
    name_claim: str
    session_s: float
    changed_at: float
    changed_by: str


class ProvidersDocument(Document, frozen=True, kw_only=True):
    """All providers, sorted by name."""

    providers: list[ProviderDocument]


@endpoint(router, "GET", "/v1/identity-providers", answer=ProvidersDocument)
async def list_providers(gateway: Here) -> Response:
    """All identity providers."""
    found = sorted(gateway.identities.records().items())
    return answer(gateway, ProvidersDocument(providers=[_document(name, record) for name, record in found]))


@endpoint(router, "GET", "/v1/identity-providers/{name}", answer=ProviderDocument)
async def read_provider(gateway: Here, name: str) -> Response:
    """One identity provider."""
    record = gateway.identities.records().get(name)
    if record is None:
        raise NotFound(f"there is no identity provider {name[:64]!r}", hint="aware identity-providers list")
    stored = gateway.context.projection.get(gateway.identities.place(name))
    return answer(gateway, _document(name, record), revision=stored.mod_revision if stored else 0)


@endpoint(router, "PUT", "/v1/identity-providers/{name}", body=ProviderBody, answer=Change, also=[412])
async def put_provider(
    request: Request,
    gateway: Here,
    who: Who,
    name: str,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> Response:
    """Add a provider or change one. A change ends the sessions of all who came by it.

    No rule gives more than your own role.
    """
    body = await read(request, ProviderBody)
    provider = _provider(body)
    check_provider(name, provider)
    sealed = _sealed(gateway, name, body)
    if isinstance(provider, OidcProvider) and sealed:
        provider = msgspec.structs.replace(provider, client_secret=sealed)
    keep = sealed is None

    def command(revision: int | None) -> PutProvider:
        return PutProvider(name=name, provider=provider, keep_secret=keep, if_revision=revision)

    written = await write(gateway, if_match, gateway.identities.place(name), command, who)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(router, "DELETE", "/v1/identity-providers/{name}", answer=Change)
async def delete_provider(gateway: Here, who: Who, name: str) -> Response:
    """Remove a provider. All who came by it are logged out, and gone."""
    written = await gateway.context.commands.run(DeleteProvider(name=name), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _sealed(gateway: Gateway, name: str, body: ProviderBody) -> bytes | None:
    """The secret to be kept; None: the one that is there. The same one is not sealed anew, so nothing changes by it."""
    given = body.client_secret
    if given is None:
        return None
    if len(given) > _SECRET or not given.isprintable():
        raise InvalidInput(f"a client secret is printable text of at most {_SECRET} characters", field="client_secret")
    if not given:
        return b""
    record = gateway.identities.records().get(name)
    if record is not None and isinstance(record.provider, OidcProvider) and record.provider.client_secret:
        kept = gateway.identities.secret(name, record.provider, quietly=True)
        if hmac.compare_digest(kept.encode(), given.encode()):
            return record.provider.client_secret
    return gateway.identities.sealer().seal(given.encode(), gateway.identities.place(name))


def _provider(body: ProviderBody) -> Provider:
    """Raises :class:`InvalidInput` for what belongs to another kind."""
    given = msgspec.structs.asdict(body)
    kind: type[OidcProvider | KeystoneProvider] = OidcProvider if body.kind == "oidc" else KeystoneProvider
    fields = {field.name for field in msgspec.structs.fields(kind)} - {"client_secret"}
    for field in msgspec.structs.fields(ProviderBody):
        foreign = field.name not in fields and field.name not in ("kind", "client_secret")
        if foreign and given[field.name] != field.default:
            raise InvalidInput(f"{field.name} is nothing a provider of kind {body.kind} has", field=field.name)
    if body.kind != "oidc" and body.client_secret is not None:
        raise InvalidInput("client_secret is nothing a provider of kind keystone has", field="client_secret")
    return kind(**{name: given[name] for name in fields})


def _document(name: str, record: ProviderRecord) -> ProviderDocument:
    oidc = record.provider if isinstance(record.provider, OidcProvider) else None
    keystone = record.provider if isinstance(record.provider, KeystoneProvider) else None
    return ProviderDocument(
        name=name,
        kind="oidc" if oidc else "keystone",
        rules=record.provider.rules,
        issuer=oidc.issuer if oidc else "",
        url=keystone.url if keystone else "",
        client_id=oidc.client_id if oidc else "",
        has_secret=bool(oidc and oidc.client_secret),
        public_url=oidc.public_url if oidc else "",
        scopes=oidc.scopes if oidc else (),
        audiences=oidc.audiences if oidc else (),
        hosts=oidc.hosts if oidc else (),
        ca=record.provider.ca,
        name_claim=oidc.name_claim if oidc else "",
        session_s=record.provider.session_s,
        changed_at=record.changed_at,
        changed_by=record.changed_by,
    )
