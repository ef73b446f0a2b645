"""ASGI types and the two messages of a whole answer, without any framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from aware_agent.colony.errors import AwareError
from aware_agent.gateway import problems

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
AtOnce = Callable[[bytes, Headers], tuple[bytes, bytes] | None]
"""Beside ASGI: the answer to ``GET <url>`` with these headers, where there is one without any waiting: its head without
date and empty line, and its body."""
BALANCED = "aware.balanced"  # ASGI extension: the client's address is what a load balancer says
CUT = "aware.cut"  # ASGI extension of our HTTP protocol: a function that ends the connection at once


CHUNK = 64 * 1024


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole HTTP response. A long body goes in pieces, so that a client that takes none costs one piece."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for at in range(0, max(1, len(body)), CHUNK):
        more = at + CHUNK < len(body)
        await send({"type": "http.response.body", "body": body[at : at + CHUNK], "more_body": more})


def client_of(scope: Scope) -> str:
    """The address a request came from; empty when the server does not say."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_balanced(scope: Scope) -> bool:
    """Whether the request came through a load balancer, so that its source is hearsay."""
    return BALANCED in scope.get("extensions", {})


async def refuse(send: Send, error: AwareError, node: str, request: bytes = b"") -> None:
    """Send the problem document of ``error`` in the name of ``node``, as answer to the request of that id."""
    status, headers, body = problems.encode(error)
    if request:
        headers.append((b"x-request-id", request))
    headers.append((b"x-aware-node", node.encode("latin-1", "replace")))
    await answer(send, status, headers, body)


async def deny(send: Send, error: AwareError, node: str) -> None:
    """Refuse a WebSocket whose handshake is not done, by the problem document of ``error``.

    Servers of ASGI offer that as an extension; ours does.
    """
    status, headers, body = problems.encode(error)
    headers.append((b"x-aware-node", node.encode("latin-1", "replace")))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def cut(scope: Scope, receive: Receive) -> None:
    """End the connection of an answer that cannot be completed; returns once it is gone.

    The client sees that something is missing, and the server does not wonder about an application that stops short.
    """
    abort = scope.get("extensions", {}).get(CUT)
    if abort is not None:
        abort()
        while (await receive())["type"] != "http.disconnect":
            pass
