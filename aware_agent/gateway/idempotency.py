"""Idempotency-Key: a repeated write gets the first one's answer instead of a second effect.

Kept in the queen's memory for one reign, bounded: after a change of queen a repeated key is a new request. Writes are
idempotent by themselves or take If-Match; the key only spares a retrying client to see its own success as a conflict.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.gateway.asgi import App, Headers, Message, Receive, Scope, Send, answer
from aware_agent.gateway.errors import TooLarge

if TYPE_CHECKING:
    from aware_agent.gateway.state import Gateway

MAX_REQUEST = 1024 * 1024
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_KEPT_PATHS = ("/v1/nodes/", "/v1/spec", "/v1/queen/")
MAX_KEPT = 1024
MAX_KEY = 128
MAX_BODY = 16 * 1024


class Reply(msgspec.Struct, frozen=True):
    """A finished answer and the fingerprint of its request."""

    fingerprint: bytes
    status: int
    headers: Headers
    body: bytes


class Replies:
    """Answers by (user, key)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Reply | None] = OrderedDict()

    def begin(self, user: str, key: str, fingerprint: bytes) -> Reply | None:
        """The kept answer, or None when the request is new and shall run now.

        Raises :class:`Conflict` when the key was used for another request or its first one still runs.
        """
        if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= MAX_KEY:
            raise InvalidInput(
                f"Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters", field="Idempotency-Key"
            )
        if (user, key) not in self._kept:
            self._kept[user, key] = None
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
            return None
        reply = self._kept[user, key]
        if reply is None:
            raise Conflict("the first request with this Idempotency-Key still runs", hint="wait for its answer")
        if reply.fingerprint != fingerprint:
            raise Conflict("this Idempotency-Key was used for another request", hint="make a new key per request")
        return reply

    def finish(self, user: str, key: str, reply: Reply | None) -> None:
        """Keep the answer; None forgets the key, so that the request may be tried again."""
        if reply is None or len(reply.body) > MAX_BODY:
            self._kept.pop((user, key), None)
        elif (user, key) in self._kept:
            self._kept[user, key] = reply


def fingerprint(method: str, path: str, if_match: bytes, body: bytes) -> bytes:
    """What makes two requests the same."""
    parts = (method.encode(), path.encode(), if_match, body)
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


class Once:
    """ASGI layer: runs a write with an Idempotency-Key once and repeats its answer.

    Not for requests whose answers hold secrets (logins, tokens, users, joins): those are never kept.
    """

    def __init__(self, gateway: Gateway, inner: App) -> None:
        self._gateway = gateway
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "http" and scope["method"] in _WRITES and scope["path"].startswith(_KEPT_PATHS):
            headers = dict(scope["headers"])
            key = headers.get(b"idempotency-key")
            if key is not None:
                await self._once(scope, headers, key.decode("latin-1"), receive, send)
                return
        await self._inner(scope, receive, send)

    async def _once(self, scope: Scope, headers: dict[bytes, bytes], key: str, receive: Receive, send: Send) -> None:
        gateway = self._gateway
        user = gateway.authority.authenticate(headers.get(b"authorization")).name
        body = await _body(receive)
        target = scope["path"] + "?" + scope["query_string"].decode("latin-1")
        mark = fingerprint(scope["method"], target, headers.get(b"if-match", b""), body)
        kept = gateway.replies.begin(user, key, mark)
        if kept is not None:
            await answer(send, kept.status, [*kept.headers, (b"idempotency-replayed", b"true")], kept.body)
            return
        reply: Reply | None = None
        recorder = _Recorder(send, mark)
        try:
            await self._inner(scope, _replay(body, receive), recorder)
            reply = recorder.reply()
        finally:
            gateway.replies.finish(user, key, reply)


class _Recorder:
    """Passes an answer on and keeps a copy."""

    def __init__(self, send: Send, mark: bytes) -> None:
        self._send = send
        self._mark = mark
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")
        await self._send(message)

    def reply(self) -> Reply | None:
        """The answer, when it settles the matter: a success, or a refusal that would be the same again."""
        status = self._start.get("status", 500)
        if status >= 500 or status in (401, 403, 412, 429):
            return None
        return Reply(self._mark, status, list(self._start.get("headers", [])), self._body)


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST:
            raise TooLarge(f"a request body has at most {MAX_REQUEST} bytes")
        if message["type"] != "http.request" or not message.get("more_body"):
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
