"""``/v1/auth``: log in, stay logged in, log out."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from aware_agent.channel.limits import source_of
from aware_agent.colony.session import harmless
from aware_agent.gateway import authority
from aware_agent.gateway.asking import asking
from aware_agent.gateway.documents import Change, Login, Me, Refresh, Ticket, Tokens
from aware_agent.gateway.errors import NoQueen
from aware_agent.gateway.guesses import Client
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import BeginSession, EndSession, RefreshSession, RevokeAccess, Turn
from aware_agent.security.jwt import ACCESS_TTL_S, BARE_TTL_S, Unauthenticated
from aware_agent.security.password import verify_password
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Forbidden

router = APIRouter(tags=["auth"])


@endpoint(router, "POST", "/v1/auth/token", body=Login, answer=Tokens, also=[401, 429])
async def log_in(request: Request, gateway: Here) -> Response:
    """Trade user name and password for tokens. Failures lock out: see :mod:`aware_agent.gateway.guesses`. A token of
    an earlier login, in the header Authorization, keeps the failures of others from counting.

    While nobody reigns there is no session and no refresh token: reads are open for five minutes.
    """
    login = await read(request, Login)
    request.scope["aware.user"] = login.username  # for the log, should it be refused
    source = source_of(host_of(request))
    user = gateway.authority.user(login.username) if len(login.username) <= 64 else None
    # Only names there are: people type passwords where names belong.
    asking().subject = user.name if user else "an unknown user"
    who = Client(login.username, source, _earlier(request, gateway, login.username), _lives(gateway, user, source))
    async with gateway.login_queue.turn(source):
        succeeded = gateway.guesses.begin(who, gateway.authority.now())
        stored = user.password_hash if user else None
        if not await asyncio.to_thread(verify_password, login.password, stored) or user is None:
            raise Unauthenticated("user name or password is wrong")
    succeeded()
    asking().shown(user.name, "password")
    asking().role = user.role
    begin = BeginSession(user=user.name, user_id=user.id, password_at=user.password_at, client=client_of(request))
    try:
        turn = await gateway.context.commands.run(begin, actor=user.name, source=host_of(request))
    except NoQueen:
        gateway.audit.tell(asking(), "begin-session", "while nobody reigned: five minutes, and no session")
        return _meanwhile(gateway, user)
    return issue(gateway, user.name, turn)


@endpoint(router, "POST", "/v1/auth/refresh", body=Refresh, answer=Tokens, also=[401])
async def refresh(request: Request, gateway: Here) -> Response:
    """Trade a refresh token for new tokens; it is used up by that. Used once more, later, it ends its session.

    While nobody reigns it is not used up, and gets access for five minutes.
    """
    body = await read(request, Refresh)
    # Not whether the session lasts: the queen says that, and knows it first.
    shown = gateway.authority.signer.verify(body.refresh_token, now=gateway.authority.now(), kind="refresh")
    asking().shown(shown.name, f"session:{shown.session}")
    command = RefreshSession(session=shown.session, user=shown.name, turn=shown.turn)
    try:
        turn = await gateway.context.commands.run(command, actor=shown.name, source=host_of(request))
    except NoQueen:
        user, turn = gateway.authority.lasts(shown, host_of(request))
        # She wrote the next turn and died before she answered: what was shown would soon count as used twice.
        token = body.refresh_token if shown.turn == turn.turn else _refresh_token(gateway, user.name, turn)
        return _meanwhile(gateway, user, session=shown.session, refresh_token=token)
    return issue(gateway, shown.name, turn)


@endpoint(router, "DELETE", "/v1/auth/token", answer=Change)
async def log_out(gateway: Here, who: Who) -> Response:
    """End the session of the presented token."""
    if who.program:
        raise Forbidden("a service account does not log out", hint="revoke its token: aware service-accounts revoke")
    command = EndSession(session=who.session) if who.session else RevokeAccess(jti=who.jti, expires_at=who.exp)
    written = await gateway.context.commands.run(command, actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(router, "GET", "/v1/auth/me", answer=Me)
async def me(gateway: Here, who: Who) -> Response:
    """Whom the presented token speaks for."""
    return answer(gateway, Me(name=who.name, role=who.role, expires_at=who.exp, session=who.session, scopes=who.scopes))


@endpoint(router, "POST", "/v1/auth/ticket", answer=Ticket)
async def ticket(gateway: Here, who: Who) -> Response:
    """A ticket for one WebSocket, for browsers, which cannot set a header there."""
    return answer(gateway, Ticket(ticket=gateway.authority.ticket(who), expires_in=authority.TICKET_TTL_S))


def _earlier(request: Request, gateway: Gateway, name: str) -> str:
    """The session of a token that is shown beside the password, if it was that user's; it may be long over."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    shown = gateway.authority.signer.recognise(token.strip()) if scheme.lower() == "bearer" else None
    return shown.session if shown is not None and shown.name == name else ""


def _lives(gateway: Gateway, user: UserRecord | None, source: str) -> bool:
    """Whether a session of ``user`` was last used from ``source``."""
    if user is None:
        return False
    sessions = gateway.authority.sessions().values()
    return any(one.user_id == user.id and one.user == user.name and source_of(one.source) == source for one in sessions)


def host_of(request: Request) -> str:
    """The address a request came from."""
    return request.client.host if request.client else ""


def client_of(request: Request) -> str:
    """What the client says it is."""
    return harmless(request.headers.get("user-agent", ""))


def _meanwhile(gateway: Gateway, user: UserRecord, *, session: str = "", refresh_token: str = "") -> Response:
    """Access for minutes, given by who sees no queen. There may be one whose changes have not come here, so it counts
    for the user as this copy knows him: where he has another password or is another, it is worth nothing.
    """
    signer, now = gateway.authority.signer, gateway.authority.now()
    access = signer.issue(user.name, user.role, now=now, ttl_s=BARE_TTL_S, session=session, account=user.account)
    document = Tokens(
        access_token=access.token,
        expires_in=int(BARE_TTL_S),
        refresh_token=refresh_token,
        role=user.role,
        session=session,
    )
    return answer(gateway, document)


def _refresh_token(gateway: Gateway, name: str, turn: Turn) -> str:
    """The refresh token of that turn; it does not outlive the session."""
    now, signer = gateway.authority.now(), gateway.authority.signer
    idle_s = max(0.0, turn.idle_at - now)
    return signer.issue(
        name, turn.role, now=now, ttl_s=idle_s, kind="refresh", session=turn.session, turn=turn.turn
    ).token


def issue(gateway: Gateway, name: str, turn: Turn) -> Response:
    """Tokens of that turn; none outlives the session."""
    now, signer = gateway.authority.now(), gateway.authority.signer
    access_s = max(0.0, min(ACCESS_TTL_S, turn.ends_at - now))
    session = turn.session
    document = Tokens(
        access_token=signer.issue(name, turn.role, now=now, ttl_s=access_s, session=session).token,
        expires_in=int(access_s),
        refresh_token=_refresh_token(gateway, name, turn),
        role=turn.role,
        session=session,
    )
    return answer(gateway, document)
