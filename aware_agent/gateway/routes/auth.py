"""``/v1/auth``: log in, stay logged in, log out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request, Response

from aware_agent.gateway import authority
from aware_agent.gateway.documents import Change, Login, Me, Refresh, Ticket, Tokens
from aware_agent.gateway.errors import Busy
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read, settle
from aware_agent.gateway.state import Gateway
from aware_agent.security.jwt import ACCESS_TTL_S, REFRESH_TTL_S, Unauthenticated
from aware_agent.security.password import verify_password
from aware_agent.security.roles import Role

router = APIRouter(tags=["auth"])
MAX_WAITING = 16  # logins; each takes tens of milliseconds of CPU and 16 MiB
_AT_ONCE = 2


class Doorman:
    """Lets few logins be checked at once, and not many wait."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn. Raises :class:`Busy` at once when too many wait."""
        if self._waiting >= MAX_WAITING:
            raise Busy("too many logins at once", retry_after=2)
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1


@endpoint(router, "POST", "/v1/auth/token", role=None, body=Login, answer=Tokens, also=[401, 429])
async def log_in(request: Request, gateway: Here) -> Response:
    """Trade user name and password for tokens. Five failures lock the user out from that address for a while."""
    login = await read(request, Login)
    source = request.client.host if request.client else ""
    key = ("login", login.username[:64], source)
    doorman: Doorman = request.app.state.doorman
    async with doorman.turn():
        now = gateway.authority.now()
        gateway.lockout.check(key, now)
        # Counted before the password is checked: of many guesses sent at once none is free.
        gateway.lockout.failed(key, now)
        user = gateway.authority.user(login.username) if len(login.username) <= 64 else None
        stored = user.password_hash if user else None
        if not await asyncio.to_thread(verify_password, login.password, stored) or user is None:
            raise Unauthenticated("user name or password is wrong")
    gateway.lockout.succeeded(key)
    return _issue(gateway, user.name, user.role)


@endpoint(router, "POST", "/v1/auth/refresh", role=None, body=Refresh, answer=Tokens, also=[401])
async def refresh(request: Request, gateway: Here) -> Response:
    """Trade a refresh token for new tokens; it is used up by that."""
    body = await read(request, Refresh)
    principal = gateway.authority.verify_refresh(body.refresh_token)
    with gateway.authority.spending(principal):
        written = await gateway.context.commands.revoke_access(principal.jti, principal.exp, actor=principal.name)
        await settle(gateway, written)
    return _issue(gateway, principal.name, principal.role)


@endpoint(router, "DELETE", "/v1/auth/token", role=Role.VIEWER, answer=Change)
async def log_out(gateway: Here, who: Who) -> Response:
    """Revoke the presented token."""
    written = await gateway.context.commands.revoke_access(who.jti, who.exp, actor=who.name)
    await settle(gateway, written)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(router, "GET", "/v1/auth/me", role=Role.VIEWER, answer=Me)
async def me(gateway: Here, who: Who) -> Response:
    """Whom the presented token speaks for."""
    return answer(gateway, Me(name=who.name, role=who.role, expires_at=who.exp))


@endpoint(router, "POST", "/v1/auth/ticket", role=Role.VIEWER, answer=Ticket)
async def ticket(gateway: Here, who: Who) -> Response:
    """A ticket for one WebSocket, for browsers, which cannot set a header there."""
    return answer(gateway, Ticket(ticket=gateway.authority.ticket(who), expires_in=authority.TICKET_TTL_S))


def _issue(gateway: Gateway, name: str, role: Role) -> Response:
    now, signer = gateway.authority.now(), gateway.authority.signer
    document = Tokens(
        access_token=signer.issue(name, role, now=now, ttl_s=ACCESS_TTL_S).token,
        expires_in=int(ACCESS_TTL_S),
        refresh_token=signer.issue(name, role, now=now, ttl_s=REFRESH_TTL_S, kind="refresh").token,
        role=role,
    )
    return answer(gateway, document)
