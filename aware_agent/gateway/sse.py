"""Server-sent events over ASGI: ends when the stream ends, the client goes, or the client stops reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from aware_agent.gateway.asgi import cut
from aware_agent.gateway.documents import Document, StreamEnd
from aware_agent.gateway.hub import Alive, End, Item, StreamLine
from aware_agent.gateway.race import until_either

SEND_TIMEOUT_S = 20.0
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy in front must not hold events back
]


class SentEvent(Document, frozen=True, kw_only=True):
    """One message of a stream, as the standard of server-sent events has it. ``data`` is a document as JSON."""

    id: str = ""  # where to resume
    event: str = ""  # what ``data`` is
    data: str = ""


class EventStream(Response):
    """An endless answer."""

    def __init__(self, items: AsyncGenerator[Item, None]) -> None:
        super().__init__()
        self._items = items
        self._complete = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send items until the end."""
        async with aclosing(self._items):
            await until_either(self._pump(send), _gone(receive), (TimeoutError, OSError))
        if not self._complete:
            await cut(scope, receive)

    async def _pump(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _send(send, b"retry: 1000\n: welcome\n\n")
        async for item in self._items:
            await _send(send, encode(item))
        await send({"type": "http.response.body", "body": b""})
        self._complete = True


async def _send(send: Send, data: bytes) -> None:
    """Send, but not for ever: a client that does not read is let go."""
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def encode(item: Item) -> bytes:
    """The lines of one item."""
    if isinstance(item, Alive):
        return b": alive\nid: %d\n\n" % item.revision  # no data, so no message: it only moves the resume point
    if isinstance(item, End):
        data = msgspec.json.encode(StreamEnd(reason=item.reason, resume=item.resume))
        return b"event: aware.end\ndata: " + data + b"\n\n"
    return b"".join(_message(line, _closes_revision(item, index)) for index, line in enumerate(item))


def _closes_revision(lines: Sequence[StreamLine], index: int) -> bool:
    """Only the last event of a revision moves the client's resume point."""
    return index + 1 == len(lines) or lines[index + 1].revision != lines[index].revision


def _message(line: StreamLine, last: bool) -> bytes:
    head = b"id: %d\n" % line.revision if last else b""
    kind = "".join(char for char in line.type if char.isprintable())
    return head + b"event: " + kind.encode() + b"\ndata: " + line.data + b"\n\n"
