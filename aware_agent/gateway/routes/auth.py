"""``/v1/auth``: log in, stay logged in, log out."""

from __future__ import annotations

import asyncio
import secrets
import zlib

from fastapi import APIRouter, Request, Response

from aware_agent.channel.limits import source_of
from aware_agent.gateway import authority
from aware_agent.gateway.documents import Change, Login, Me, Refresh, Ticket, Tokens
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import RevokeAccess
from aware_agent.security.jwt import ACCESS_TTL_S, REFRESH_TTL_S, Unauthenticated
from aware_agent.security.password import verify_password
from aware_agent.security.roles import Role

router = APIRouter(tags=["auth"])
_BUCKETS = 1024
_SALT = secrets.randbits(32)  # nobody outside knows which names share a counter


@endpoint(router, "POST", "/v1/auth/token", role=None, body=Login, answer=Tokens, also=[401, 429])
async def log_in(request: Request, gateway: Here) -> Response:
    """Trade user name and password for tokens. Five failures lock the user out from that address for a while."""
    login = await read(request, Login)
    source = source_of(request.client.host if request.client else "")
    user = gateway.authority.user(login.username) if len(login.username) <= 64 else None
    key = (_bucket(login.username), source)
    async with gateway.login_queue.turn(source):
        now = gateway.authority.now()
        gateway.logins.check(key, now)
        # Counted before the password is checked: of many guesses sent at once none is free.
        gateway.logins.failed(key, now)
        stored = user.password_hash if user else None
        if not await asyncio.to_thread(verify_password, login.password, stored) or user is None:
            raise Unauthenticated("user name or password is wrong")
    gateway.logins.succeeded(key)
    return _issue(gateway, user.name, user.role)


@endpoint(router, "POST", "/v1/auth/refresh", role=None, body=Refresh, answer=Tokens, also=[401])
async def refresh(request: Request, gateway: Here) -> Response:
    """Trade a refresh token for new tokens; it is used up by that."""
    body = await read(request, Refresh)
    principal = gateway.authority.verify_refresh(body.refresh_token)
    with gateway.authority.spending(principal):
        spent = RevokeAccess(jti=principal.jti, expires_at=principal.exp)
        await gateway.context.commands.run(spent, actor=principal.name)
    return _issue(gateway, principal.name, principal.role)


@endpoint(router, "DELETE", "/v1/auth/token", role=Role.VIEWER, answer=Change)
async def log_out(gateway: Here, who: Who) -> Response:
    """Revoke the presented token."""
    revoked = RevokeAccess(jti=who.jti, expires_at=who.exp)
    written = await gateway.context.commands.run(revoked, actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(router, "GET", "/v1/auth/me", role=Role.VIEWER, answer=Me)
async def me(gateway: Here, who: Who) -> Response:
    """Whom the presented token speaks for."""
    return answer(gateway, Me(name=who.name, role=who.role, expires_at=who.exp))


@endpoint(router, "POST", "/v1/auth/ticket", role=Role.VIEWER, answer=Ticket)
async def ticket(gateway: Here, who: Who) -> Response:
    """A ticket for one WebSocket, for browsers, which cannot set a header there."""
    return answer(gateway, Ticket(ticket=gateway.authority.ticket(who), expires_in=authority.TICKET_TTL_S))


def _bucket(name: str) -> str:
    """One of a bounded number of counters, whether anybody has that name or not: inventing names fills no table."""
    return str(zlib.crc32(name.encode("utf-8", "replace"), _SALT) % _BUCKETS)


def _issue(gateway: Gateway, name: str, role: Role) -> Response:
    now, signer = gateway.authority.now(), gateway.authority.signer
    document = Tokens(
        access_token=signer.issue(name, role, now=now, ttl_s=ACCESS_TTL_S).token,
        expires_in=int(ACCESS_TTL_S),
        refresh_token=signer.issue(name, role, now=now, ttl_s=REFRESH_TTL_S, kind="refresh").token,
        role=role,
    )
    return answer(gateway, document)
