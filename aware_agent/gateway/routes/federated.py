"""``/v1/auth``, with the word of somebody else: log in at an identity provider, or show what it gave you."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request, Response

from aware_agent.channel.limits import source_of
from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.gateway.asking import asking
from aware_agent.gateway.documents import Body, Document, Tokens
from aware_agent.gateway.routes.auth import client_of, host_of, issue
from aware_agent.gateway.routing import Here, answer, endpoint, read
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import BeginFederated
from aware_agent.security.providers import Identity, OidcProvider, user_name

if TYPE_CHECKING:
    from aware_agent.gateway.identity.oidc import OidcClient

router = APIRouter(tags=["auth"])
COOKIE = "__Secure-aware-login"
LOGIN = "/v1/auth/oidc/{name}/login"
CALLBACK = "/v1/auth/oidc/{name}/callback"
_MAX_CODE = 4096


class LoginWay(Document, frozen=True, kw_only=True):
    """A provider, as far as everybody may know. ``login_url`` is where a browser begins, empty where it cannot."""

    name: str
    kind: str
    login_url: str
    takes_tokens: bool  # at POST /v1/auth/exchange


class LoginWays(Document, frozen=True, kw_only=True):
    """All of them, sorted by name."""

    providers: list[LoginWay]


class Exchange(Body, frozen=True, kw_only=True):
    """Either ``code`` and ``code_verifier`` of a login in a browser, or a ``provider`` and a ``token`` of it."""

    code: str = ""
    code_verifier: str = ""
    provider: str = ""
    token: str = ""

    def __repr__(self) -> str:
        """Without what it carries."""
        return f"Exchange({self.provider!r})"


@endpoint(router, "GET", "/v1/auth/providers", answer=LoginWays)
async def ways(gateway: Here) -> Response:
    """The identity providers that may be used to log in."""
    found = []
    for name, record in sorted(gateway.identities.records().items()):
        oidc = record.provider if isinstance(record.provider, OidcProvider) else None
        url = oidc.public_url + LOGIN.format(name=name) if oidc and oidc.client_id else ""
        takes = bool(oidc.audiences) if oidc else True
        found.append(LoginWay(name=name, kind="oidc" if oidc else "keystone", login_url=url, takes_tokens=takes))
    return answer(gateway, LoginWays(providers=found))


@endpoint(router, "GET", LOGIN, answer=None, status=302, also=[422, 502])
async def begin(
    gateway: Here,
    name: str,
    redirect_uri: Annotated[str, Query(max_length=512)],
    code_challenge: Annotated[str, Query(max_length=128)],
    state: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """Send a browser to the provider. It comes back to ``redirect_uri`` with ``code`` or ``error``, and ``state``."""
    from aware_agent.gateway.identity.flow import FLOW_S, check_program

    known, provider, client = await _oidc(gateway, name)
    check_program(redirect_uri, code_challenge, state, provider.public_url)
    identities = gateway.identities
    flow, sealed, cookie = identities.flows.begin(
        identities.sealer(),
        provider=name,
        revision=known,
        back=redirect_uri,
        program=code_challenge,
        state=state,
        now=gateway.authority.now(),
    )
    redirect = provider.public_url + CALLBACK.format(name=name)
    url = await client.login_url(redirect=redirect, state=sealed, nonce=flow.nonce, verifier=flow.verifier)
    response = _redirect(url)
    response.set_cookie(
        COOKIE, cookie, max_age=int(FLOW_S), path="/v1/auth/oidc/", secure=True, httponly=True, samesite="lax"
    )
    return response


@endpoint(router, "GET", CALLBACK, answer=None, status=302, also=[401, 422])
async def returned(
    request: Request,
    gateway: Here,
    name: str,
    *,
    state: Annotated[str, Query(max_length=8192)],
    code: Annotated[str, Query(max_length=_MAX_CODE)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
    iss: Annotated[str | None, Query(max_length=512)] = None,
) -> Response:
    """Where the provider sends the browser back to. Nothing is asked of the provider here, and nobody logged in yet."""
    from aware_agent.gateway.identity.flow import back_to

    _, _, client = await _oidc(gateway, name)
    identities, now = gateway.identities, gateway.authority.now()
    flow = identities.flows.returned(
        identities.sealer(), state, request.cookies.get(COOKIE, ""), provider=name, now=now
    )
    await client.check_sender(iss)
    if code:
        response = _redirect(back_to(flow, code=identities.flows.code(identities.sealer(), flow, code, now)))
    else:
        plain = error if error.isidentifier() and error.isascii() else "no_code"
        response = _redirect(back_to(flow, error=plain[:64]))
    response.delete_cookie(COOKIE, path="/v1/auth/oidc/", secure=True, httponly=True, samesite="lax")
    return response


@endpoint(router, "POST", "/v1/auth/exchange", body=Exchange, answer=Tokens, also=[401, 403, 404, 422, 429, 502])
async def exchange(request: Request, gateway: Here) -> Response:
    """Trade what an identity provider gave for tokens of a session. Failures count as those of logins do."""
    body = await read(request, Exchange)
    if bool(body.code) == bool(body.token) or bool(body.token) != bool(body.provider):
        raise InvalidInput("this takes code and code_verifier, or provider and token", field="code")
    source = source_of(host_of(request))
    key = ("exchange", source)
    async with gateway.login_queue.turn(source):
        now = gateway.authority.now()
        gateway.exchanges.check(key, now)
        gateway.exchanges.failed(key, now)
        provider, revision, identity = await _judged(gateway, body)
    gateway.exchanges.succeeded(key)
    command = BeginFederated(
        provider=provider,
        revision=revision,
        subject=identity.subject,
        role=identity.role,
        display=identity.display,
        client=client_of(request),
    )
    name = user_name(provider, identity.subject)
    asking().shown(name, f"provider:{provider}")
    asking().role = identity.role
    turn = await gateway.context.commands.run(command, actor=name, source=host_of(request))
    return issue(gateway, name, turn)


async def _judged(gateway: Gateway, body: Exchange) -> tuple[str, int, Identity]:
    """The provider, the revision of its record that was judged by, and whom it named."""
    from aware_agent.gateway.identity.errors import IdentityRefused
    from aware_agent.gateway.identity.oidc import OidcClient

    if body.token:
        known = await gateway.identities.get(body.provider)
        return body.provider, known.revision, await known.client.exchange(body.token)
    identities = gateway.identities
    code = identities.flows.redeem(identities.sealer(), body.code, body.code_verifier, gateway.authority.now())
    known = await identities.get(code.provider)
    provider = known.record.provider
    if known.revision != code.revision or not isinstance(provider, OidcProvider):
        raise IdentityRefused("the provider changed since this login began", hint="begin the login again")
    assert isinstance(known.client, OidcClient)
    redirect = provider.public_url + CALLBACK.format(name=code.provider)
    identity = await known.client.redeem(code.code, redirect=redirect, nonce=code.nonce, verifier=code.verifier)
    return code.provider, known.revision, identity


async def _oidc(gateway: Gateway, name: str) -> tuple[int, OidcProvider, OidcClient]:
    """Revision, record and client of a provider that browsers may use. Raises :class:`NotFound`."""
    from aware_agent.gateway.identity.oidc import OidcClient

    known = await gateway.identities.get(name)
    provider = known.record.provider
    if not isinstance(provider, OidcProvider) or not provider.client_id or not isinstance(known.client, OidcClient):
        raise NotFound(f"nobody logs in with a browser by {name[:64]!r}", hint="GET /v1/auth/providers lists who can")
    return known.revision, provider, known.client


def _redirect(url: str) -> Response:
    headers = {"location": url, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(status_code=302, headers=headers)
