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


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole HTTP response."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, error: AwareError, node: str) -> None:
    """Send the problem document of ``error`` in the name of ``node``."""
    status, headers, body = problems.encode(error)
    headers.append((b"x-aware-node", node.encode("latin-1", "replace")))
    await answer(send, status, headers, body)
