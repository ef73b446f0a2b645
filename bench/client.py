"""A small HTTP client for a colony: it knows all gateways, follows the queen and keeps connections open.

Slow clients would hide what is measured, so this one does little; an exchange costs well below a millisecond.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import msgspec

_MAX_BODY = 256 * 1024 * 1024
_PAUSE_S = 0.005  # between two rounds over all endpoints
_CONNECT_S = 0.25  # in the first round; doubled each time: a gateway that starts lets who connects wait


class Unreachable(Exception):
    """No answer came. The request may have arrived."""


class Answer(msgspec.Struct, frozen=True):
    """What a gateway said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    endpoint: str

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def ok(self) -> bool:
        """Whether the request was accepted."""
        return 200 <= self.status < 300


class Connection:
    """One keep-alive HTTP/1.1 connection to ``base`` (a URL); it connects when first used."""

    def __init__(self, base: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(base)
        self.base = base
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = tls if parts.scheme == "https" else None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def exchange(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
        connect_s: float = 5.0,
    ) -> Answer:
        """Send one request and read its answer. Raises :class:`Unreachable`; the connection is closed then."""
        try:
            async with asyncio.timeout(timeout_s):
                async with asyncio.timeout(connect_s):
                    await self._connect()
                return await self._exchange(method, path, body, headers or {})
        except (OSError, EOFError, ValueError, ssl.SSLError, TimeoutError) as error:
            self.close()
            raise Unreachable(f"{self.base}: {error or type(error).__name__}") from error
        except asyncio.CancelledError:
            self.close()
            raise

    async def _connect(self) -> None:
        if self._reader is not None and self._reader.at_eof():  # the server closed what was idle
            self.close()
        if self._reader is None or self._writer is None:
            name = self._host if self._tls else None
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, server_hostname=name, limit=1 << 20
            )

    async def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        assert self._reader is not None
        assert self._writer is not None
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method in ("POST", "PUT", "PATCH"):
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return await self._read(self._reader)

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await _read_chunks(reader)
        else:
            length = int(headers.get("content-length", "0"))
            if length > _MAX_BODY:
                raise ValueError(f"a body of {length} bytes")
            body = await reader.readexactly(length)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body, self.base)

    def close(self) -> None:
        """Cut the connection; the next exchange opens another."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            with contextlib.suppress(Exception):
                writer.transport.abort()


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


class ColonyClient:
    """Asks any of ``endpoints`` (URLs); follows redirects to the queen and remembers where she was."""

    def __init__(self, endpoints: Sequence[str], ca: bytes | None = None, token: str = "") -> None:
        self.endpoints = list(endpoints)
        self.token = token
        self._tls = ssl.create_default_context(cadata=ca.decode()) if ca else None
        self._connections: dict[str, Connection] = {}
        self._queen = ""
        self._silent: set[str] = set()

    async def __aenter__(self) -> ColonyClient:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes all connections."""
        self.close()
        await asyncio.sleep(0)  # transports let go of their sockets in the next round of the loop

    def believe(self, ca: bytes) -> None:
        """Trust these CAs as well."""
        if self._tls is not None:
            self._tls.load_verify_locations(cadata=ca.decode())

    def close(self) -> None:
        """See :meth:`__aexit__`."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def login(self, username: str, password: str, deadline_s: float = 20.0) -> str:
        """Fetch an access token and use it from now on; returns it."""
        body = {"username": username, "password": password}
        # Checking a password is slow on purpose; on a busy machine it takes seconds, and asking again adds to them.
        answer = await self.call("POST", "/v1/auth/token", body, deadline_s=max(10.0, deadline_s), timeout_s=10.0)
        if not answer.ok:
            raise Unreachable(f"login was refused: {answer.status} {answer.body[:300]!r}")
        self.token = answer.json()["access_token"]
        return self.token

    async def once(
        self,
        endpoint: str,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
        connect_s: float = 5.0,
    ) -> Answer:
        """One exchange with one gateway, redirects and errors as they come. Raises :class:`Unreachable`."""
        connection = self._connections.get(endpoint)
        if connection is None:
            connection = self._connections[endpoint] = Connection(endpoint, self._tls)
        sent = {"authorization": f"Bearer {self.token}"} if self.token else {}
        raw = msgspec.json.encode(body) if body is not None else b""
        return await connection.exchange(method, path, raw, {**sent, **(headers or {})}, timeout_s, connect_s)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        deadline_s: float = 10.0,
        timeout_s: float = 1.0,
    ) -> Answer:
        """The queen's answer, whoever she is; tried again until then. Repeat only what may be done twice.

        Answers of 503 and redirects to nowhere are tried again too. Raises :class:`Unreachable` after ``deadline_s``.
        """
        end = time.monotonic() + deadline_s
        problem, connect_s = "not tried", _CONNECT_S
        while time.monotonic() < end:
            for endpoint in self._order():
                times = timeout_s, min(connect_s, timeout_s)
                answer, problem = await self._try(endpoint, method, path, body, headers, times)
                if answer is not None:
                    return answer
                if time.monotonic() >= end:
                    break
            connect_s = min(2 * connect_s, timeout_s)
            await asyncio.sleep(_PAUSE_S)
        raise Unreachable(f"no answer to {method} {path} in {deadline_s:g} s; last: {problem}")

    async def _try(
        self,
        endpoint: str,
        method: str,
        path: str,
        body: object,
        headers: Mapping[str, str] | None,
        times: tuple[float, float],
    ) -> tuple[Answer | None, str]:
        timeout_s, connect_s = times
        try:
            for _ in range(3):
                answer = await self.once(
                    endpoint, method, path, body, headers=headers, timeout_s=timeout_s, connect_s=connect_s
                )
                self._silent.discard(endpoint)
                if answer.status != 307:
                    break
                endpoint = _base(answer.headers.get("location", ""))
                if endpoint not in self.endpoints:
                    return None, f"sent to {endpoint!r}, which is no member"
                if endpoint in self._silent:  # it is asked last: whoever sent us has not heard yet that it is gone
                    return None, f"sent to {endpoint!r}, which did not answer a moment ago"
        except Unreachable as error:
            self._queen = "" if self._queen == endpoint else self._queen
            self._silent.add(endpoint)
            return None, str(error)
        if answer.status in (307, 503):
            return None, f"{endpoint}: {answer.status} {answer.body[:200]!r}"
        self._queen = endpoint
        return answer, ""

    def _order(self) -> list[str]:
        """The last queen first; those that did not answer last time last, or a frozen one would cost every call."""
        return sorted(self.endpoints, key=lambda endpoint: (endpoint != self._queen, endpoint in self._silent))


def _base(location: str) -> str:
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}"
