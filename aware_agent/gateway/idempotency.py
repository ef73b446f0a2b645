"""Idempotency-Key: what a client names a write by, so that the queen carries it out once however often it is sent.

She keeps the key together with the change (:mod:`aware_agent.queen.once`), so it holds across queens and gateways. Here
it is read, and what makes two requests the same is computed.
"""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from aware_agent.agent.member.link import Asked
from aware_agent.colony.errors import InvalidInput
from aware_agent.gateway.asgi import App, Message, Receive, Scope, Send
from aware_agent.gateway.errors import TooLarge
from aware_agent.queen.commands import Command, ReadChannel, ReadCheck, ReportRotation

if TYPE_CHECKING:
    from aware_agent.gateway.state import Gateway

MAX_REQUEST = 1024 * 1024
MAX_KEY = 128
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_READS = (ReadChannel, ReadCheck, ReportRotation)
# They prove themselves by what they carry, which holds once, and their answers are keys to everything.
WITHOUT = ("/v1/auth/", "/v1/join", "/v1/renew")


class Keyed:
    """A request with a key, while it is answered. One request makes one change: the first command takes the key."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.replayed = False
        self._taken = False

    def take(self, command: Command[Any]) -> Asked | None:
        """The key for this command."""
        if self._taken or isinstance(command, _READS):
            return None
        self._taken = True
        return self.asked


_KEYED: ContextVar[Keyed | None] = ContextVar("keyed", default=None)


def keyed() -> Keyed | None:
    """The request that is being answered, if it has a key."""
    return _KEYED.get()


def mark(method: str, path: str, if_match: bytes, body: bytes) -> bytes:
    """What makes two requests the same."""
    parts = (method.encode(), path.encode(), if_match, body)
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


class Once:
    """ASGI layer: notes the key of a write, and says so when its answer is that of an earlier request."""

    def __init__(self, gateway: Gateway, inner: App) -> None:
        self._gateway = gateway
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "http" and scope["method"] in _WRITES and not scope["path"].startswith(WITHOUT):
            headers = dict(scope["headers"])
            key = headers.get(b"idempotency-key")
            # A signed URL is counted by itself, and needs no token.
            if key is not None and not (scope["path"].startswith("/v1/hooks/heat/") and scope["query_string"]):
                await self._once(scope, headers, key.decode("latin-1"), receive, send)
                return
        await self._inner(scope, receive, send)

    async def _once(self, scope: Scope, headers: dict[bytes, bytes], key: str, receive: Receive, send: Send) -> None:
        # First of all: nobody else has a body kept in memory before it is known what it is for.
        self._gateway.authority.authenticate(headers.get(b"authorization"))
        if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= MAX_KEY:
            raise InvalidInput(
                f"Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters", field="Idempotency-Key"
            )
        body = await _body(receive)
        target = scope["path"] + "?" + scope["query_string"].decode("latin-1")
        asked = Asked(key=key, mark=mark(scope["method"], target, headers.get(b"if-match", b""), body))
        request = Keyed(asked)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start" and request.replayed:
                message["headers"] = [*message.get("headers", ()), (b"idempotency-replayed", b"true")]
            await send(message)

        token = _KEYED.set(request)
        try:
            await self._inner(scope, _replay(body, receive), tell)
        finally:
            _KEYED.reset(token)


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises ClientDisconnect when the client goes before: half a request is none."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST:
            raise TooLarge(f"a request body has at most {MAX_REQUEST} bytes")
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """``receive`` that gives the buffered body once, then goes on as before."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
