"""Connections to etcd: one line per endpoint, used one at a time, changed when it fails.

gRPC's own keepalive cannot be made fast enough (etcd answers intervals below 5 s with GOAWAY), so whoever notices
silence reports the line, and the ring gives out a new one over a new TCP connection.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc.aio
from msgspec import Struct

from aware_agent.background import Background
from aware_agent.colony.errors import InvalidInput
from aware_agent.store.errors import StoreError
from aware_agent.store.rpc import Method

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name: how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A renewed line must be a new TCP connection, not the shared dead one.
    ("grpc.use_local_subchannel_pool", 1),
    # What is repeated, and when, is decided by the verdicts in failures.py alone.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    # A long list or a watch that catches up may be larger than gRPC's default of 4 MiB.
    ("grpc.max_receive_message_length", -1),
)


class Credentials(Struct, frozen=True, kw_only=True):
    """How to prove who we are: PEM bytes for TLS (the certificate's CN is the etcd user), or user and password."""

    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without any secret."""
        return f"Credentials(tls={self.ca is not None}, cert={self.cert is not None}, user={self.user!r})"

    __str__ = __repr__


class EtcdConnection:
    """One connection. Counts its users, so that a retired one closes when the last stream on it has ended."""

    def __init__(self, endpoint: str, channel: Any) -> None:
        self.endpoint = endpoint
        self.users = 0
        self.retired = False
        self.replaced = False  # by one with newer credentials; what runs on it is cut after a while
        self._channel = channel
        self._callables: dict[str, Any] = {}

    def unary(self, method: Method) -> Any:
        """The callable of a request with one answer."""
        found = self._callables.get(method.path)
        if found is None:
            found = self._channel.unary_unary(method.path, method.encode, method.decode)
            self._callables[method.path] = found
        return found

    def stream(self, method: Method) -> Any:
        """The callable of a two-way stream."""
        return self._channel.stream_stream(method.path, method.encode, method.decode)

    def download(self, method: Method) -> Any:
        """The callable of a request with many answers."""
        return self._channel.unary_stream(method.path, method.encode, method.decode)

    async def close(self, grace_s: float | None = None) -> None:
        """Ends all calls, at once or after ``grace_s`` seconds."""
        await self._channel.close(grace_s)


class Ring:
    """The endpoints in a circle, with one of them current."""

    def __init__(self, endpoints: Sequence[str], credentials: Credentials) -> None:
        if not endpoints:
            raise InvalidInput("no etcd endpoint is configured", field="endpoints")
        tls = credentials.ca is not None
        parsed = list(dict.fromkeys(parse_endpoint(endpoint, tls=tls) for endpoint in endpoints))
        self._targets = tuple(target for target, _ in parsed)
        self._tls = tuple(tls for _, tls in parsed)
        self._lines: list[EtcdConnection | None] = [None] * len(parsed)
        # Members share the load: every process starts at an endpoint of its own choice.
        self._current = random.randrange(len(parsed))  # noqa: S311
        self._credentials = credentials
        self._retired: set[EtcdConnection] = set()
        self._closing = Background("closing of a connection to etcd")
        self.closed = False

    def __len__(self) -> int:
        """How many endpoints there are."""
        return len(self._targets)

    @property
    def endpoint(self) -> str:
        """``host:port`` of the current endpoint."""
        return self._targets[self._current]

    @property
    def endpoints(self) -> tuple[str, ...]:
        """All of them."""
        return self._targets

    @contextmanager
    def borrow(self, endpoint: str = "") -> Iterator[EtcdConnection]:
        """The line of ``endpoint``, else the current one, kept open while it is used."""
        index = self._targets.index(endpoint) if endpoint else self._current
        line = self._lines[index] or self._open(index)
        line.users += 1
        try:
            yield line
        finally:
            line.users -= 1
            if line.retired and not line.users:
                self._close_soon(line)

    def report(self, line: EtcdConnection, *, frozen: bool) -> None:
        """``line`` failed: go to the next endpoint unless somebody did already; never reuse a ``frozen`` one."""
        index = self._targets.index(line.endpoint) if line.endpoint in self._targets else -1
        if index < 0 or self._lines[index] is not line:
            return
        if frozen:
            self._lines[index] = None
            line.retired = True
            self._retired.add(line)
            if not line.users:
                self._close_soon(line)
        if self._current == index:
            self._current = (index + 1) % len(self._targets)

    def renew(self, credentials: Credentials, grace_s: float) -> None:
        """From now on connect with ``credentials``. What runs on the old connections gets ``grace_s`` to end."""
        self._credentials = credentials
        lines = [line for line in (*self._lines, *self._retired) if line is not None]
        self._lines = [None] * len(self._targets)
        self._retired.clear()
        for line in lines:
            line.replaced = True
            self._close_soon(line, grace_s)

    def follow(self, endpoints: Sequence[str]) -> None:
        """From now on these are the endpoints. What runs on a connection to one that is gone may end there."""
        parsed = list(dict.fromkeys(parse_endpoint(one, tls=self._credentials.ca is not None) for one in endpoints))
        if not parsed or {target for target, _ in parsed} == set(self._targets):
            return
        before, here = dict(zip(self._targets, self._lines, strict=True)), self.endpoint
        self._targets = tuple(target for target, _ in parsed)
        self._tls = tuple(tls for _, tls in parsed)
        self._lines = [before.pop(target, None) for target in self._targets]
        at_random = random.randrange(len(parsed))  # noqa: S311 - members share the load
        self._current = self._targets.index(here) if here in self._targets else at_random
        for line in before.values():
            if line is None:
                continue
            line.retired = True
            self._retired.add(line)
            if not line.users:
                self._close_soon(line)

    def ensure_open(self) -> None:
        """:raises StoreError: it was closed."""
        if self.closed:
            raise StoreError("the etcd client is closed")

    async def aclose(self) -> None:
        """Closes all lines; what still runs on them fails."""
        self.closed = True
        lines = [line for line in (*self._lines, *self._retired) if line is not None]
        self._lines = [None] * len(self._targets)
        self._retired.clear()
        await asyncio.gather(*(line.close() for line in lines))
        await self._closing.finish()

    def _open(self, index: int) -> EtcdConnection:
        target = self._targets[index]
        if self._tls[index]:
            creds = self._credentials
            channel = grpc.aio.secure_channel(
                target, grpc.ssl_channel_credentials(creds.ca, creds.key, creds.cert), options=_OPTIONS
            )
        else:
            channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        line = self._lines[index] = EtcdConnection(target, channel)
        return line

    def _close_soon(self, line: EtcdConnection, grace_s: float | None = None) -> None:
        self._retired.discard(line)
        self._closing.start(line.close(grace_s))


def parse_endpoint(endpoint: str, *, tls: bool) -> tuple[str, bool]:
    """``host:port`` or a URL to (``host:port``, whether TLS). :raises InvalidInput: it is neither."""
    text = endpoint if "://" in endpoint else f"{'https' if tls else 'http'}://{endpoint}"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        port = None
    if port is None or not url.hostname or url.scheme not in ("http", "https") or url.path not in ("", "/"):
        raise InvalidInput(f"{endpoint!r} is no etcd endpoint", field="endpoints", hint="write host:port")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{host}:{port}", url.scheme == "https"
