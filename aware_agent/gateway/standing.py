"""What a council member is at this moment, and what follows for a request: answered here, or by the queen."""

from __future__ import annotations

from typing import Literal

from aware_agent.colony.errors import AwareError
from aware_agent.gateway.asgi import Headers, Scope, Send, answer
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.errors import NoQueen
from aware_agent.gateway.worker import target

Role = Literal["queen", "heir", "member"]
_READS = ("GET", "HEAD", "OPTIONS")
# A write that changes nothing in etcd: who asks is known to every member, and a ticket opens a stream of the same one.
_ANYWHERE = frozenset({"/v1/auth/ticket"})
# Without a queen a member answers these itself, for minutes: who wants to know why there is none has to be let in.
_MEANWHILE = frozenset({"/v1/auth/token", "/v1/auth/refresh"})
# Reads that only a queen can answer: she alone judges what nodes have proved, and reads under the fence of her writes.
_QUEENS = ("/v1/rotation", "/v1/check/")


def role(context: GatewayContext) -> Role:
    """Queen, heir or member, for ``X-Aware-Role``."""
    queen = context.queen()
    if queen is not None and queen.id == context.me:
        return "queen"
    try:
        return "heir" if context.view().heir == context.me else "member"
    except AwareError:
        return "member"


def needs_queen(method: str, path: str) -> bool:
    """Whether only the queen can answer."""
    if method in _READS:
        return path == _QUEENS[0] or path.startswith(_QUEENS[1])
    return not (method == "POST" and path in _ANYWHERE)


async def send_to_queen(context: GatewayContext, scope: Scope, send: Send) -> int:
    """Answer 307 to the queen; returns 0 and answers nothing when this node shall. Raises :class:`NoQueen`."""
    queen = context.queen() or await context.next_queen()
    if queen is None:
        if scope["path"] in _MEANWHILE:
            return 0
        raise NoQueen(context.store())
    if queen.id == context.me:
        return 0
    url = queen.url.encode()
    headers: Headers = [
        (b"location", url + target(scope)),
        (b"x-aware-queen", url),
        (b"cache-control", b"no-store"),
        (b"content-length", b"0"),
    ]
    await answer(send, 307, headers, b"")
    return 307
