"""``/v1/service-accounts``: who programs are, and the tokens they show."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.colony.errors import NotFound
from aware_agent.gateway.documents import Body, Change, Document
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing, read
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import (
    CreateServiceAccount,
    CreateServiceToken,
    DeleteServiceAccount,
    RevokeServiceToken,
)
from aware_agent.security.roles import Role
from aware_agent.security.service_account import ServiceAccount, ServiceToken

router = APIRouter(tags=["service-accounts"])


class ServiceAccountBody(Body, frozen=True, kw_only=True):
    """A new account: at most your own role; ``scopes`` narrow it, none are all its role may."""

    name: str
    role: Role = Role.VIEWER
    scopes: tuple[str, ...] = ()


class ServiceTokenBody(Body, frozen=True, kw_only=True):
    """A new token: good for ``ttl_s`` seconds; ``scopes`` narrow it further."""

    ttl_s: float = 30 * 86400.0
    scopes: tuple[str, ...] = ()


class ServiceTokenDocument(Document, frozen=True, kw_only=True):
    """A token as it is kept: nobody gets in with this. Times in Unix seconds.

    ``last_used_at`` may be an hour and a minute behind the last use; None: it was not used, or first within that time.
    """

    id: str
    created_at: float
    created_by: str
    expires_at: float
    scopes: tuple[str, ...]
    last_used_at: float | None = None


class NewServiceToken(ServiceTokenDocument, frozen=True, kw_only=True):
    """A token, whose text is shown only this once."""

    token: str


class ServiceAccountDocument(Document, frozen=True, kw_only=True):
    """An account. It may do what its role, its scopes and its owner's present role all allow."""

    name: str
    role: Role
    scopes: tuple[str, ...]
    owner: str
    created_at: float  # Unix seconds
    tokens: list[ServiceTokenDocument]


class ServiceAccountsDocument(Document, frozen=True, kw_only=True):
    """Accounts, sorted by name. ``next``: cursor of the next page; None when there is none."""

    revision: int
    accounts: list[ServiceAccountDocument]
    next: str | None = None


@endpoint(
    router,
    "GET",
    "/v1/service-accounts",
    answer=ServiceAccountsDocument,
    lists=("accounts", ServiceAccountDocument),
)
async def list_accounts(gateway: Here, page: Paged) -> Response:
    """All service accounts and what is kept of their tokens, by name."""
    accounts = [_document(gateway, one) for _, one in sorted(gateway.authority.service_accounts().items())]
    found, following = cut(page, accounts, lambda one: one.name, str, ("service-accounts",))
    document = ServiceAccountsDocument(revision=gateway.context.projection.revision, accounts=found, next=following)
    return listing(gateway, page, document, "accounts", ServiceAccountDocument)


@endpoint(router, "GET", "/v1/service-accounts/{name}", answer=ServiceAccountDocument)
async def read_account(gateway: Here, name: str) -> Response:
    """One service account."""
    account = gateway.authority.service_account(name)
    if account is None:
        raise NotFound(f"there is no service account {name[:80]!r}")
    return answer(gateway, _document(gateway, account))


@endpoint(router, "POST", "/v1/service-accounts", body=ServiceAccountBody, answer=Change, status=201)
async def create_account(request: Request, gateway: Here, who: Who) -> Response:
    """Make a service account. It is yours: it goes with you, and never may do more than you."""
    body = await read(request, ServiceAccountBody)
    command = CreateServiceAccount(name=body.name, role=body.role, scopes=body.scopes)
    written = await gateway.context.commands.run(command, actor=who.name)
    change = Change(changed=written.changed, revision=written.revision, term=written.term)
    return answer(gateway, change, status=201)


@endpoint(router, "DELETE", "/v1/service-accounts/{name}", answer=Change)
async def delete_account(gateway: Here, who: Who, name: str) -> Response:
    """Delete a service account; its tokens are refused at once."""
    written = await gateway.context.commands.run(DeleteServiceAccount(name=name), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(
    router,
    "POST",
    "/v1/service-accounts/{name}/tokens",
    body=ServiceTokenBody,
    answer=NewServiceToken,
    status=201,
)
async def create_token(request: Request, gateway: Here, who: Who, name: str) -> Response:
    """Make a token of a service account. Its text is in this answer and nowhere else."""
    body = await read(request, ServiceTokenBody)
    command = CreateServiceToken(account=name, ttl_s=body.ttl_s, scopes=body.scopes)
    made = await gateway.context.commands.run(command, actor=who.name)
    kept = made.token
    document = NewServiceToken(
        token=made.text,
        id=kept.id,
        created_at=kept.created_at,
        created_by=kept.created_by,
        expires_at=kept.expires_at,
        scopes=kept.scopes,
    )
    return answer(gateway, document, status=201)


@endpoint(router, "DELETE", "/v1/service-accounts/{name}/tokens/{token_id}", answer=Change)
async def revoke_token(gateway: Here, who: Who, name: str, token_id: str) -> Response:
    """Revoke one token; the others of the account stay good."""
    command = RevokeServiceToken(account=name, token=token_id)
    written = await gateway.context.commands.run(command, actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _document(gateway: Gateway, account: ServiceAccount) -> ServiceAccountDocument:
    used_at = gateway.authority.uses.recorded(account.name).used_at
    return ServiceAccountDocument(
        name=account.name,
        role=account.role,
        scopes=account.scopes,
        owner=account.owner,
        created_at=account.created_at,
        tokens=[_token(token, used_at.get(token.id)) for token in account.tokens],
    )


def _token(token: ServiceToken, used_at: float | None) -> ServiceTokenDocument:
    return ServiceTokenDocument(
        id=token.id,
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        scopes=token.scopes,
        last_used_at=used_at,
    )
