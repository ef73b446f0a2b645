"""Calls out of a colony, to where its users say: the one place that makes them, and what they can never do.

Receivers of webhooks and identity providers are called by it. A name is resolved here, each of its addresses is judged
(:mod:`aware_agent.colony.reach`), and the connection goes to an address that was judged: a name that means another
address a moment later changes nothing. Certificates are verified for the name, redirects are answers like others and
not followed, proxies of the environment are not asked, an answer is read up to a bound, and all of it ends in time.
``httpcore`` lets us choose the address, which httpx does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.reach import Reach, check_call_url, refusal

if TYPE_CHECKING:
    import httpcore

MAX_ANSWER = 4096  # bytes of an answer that are read
MAX_REASON = 200
KEEP_IDLE_S = 20.0


class CallFailed(AwareError):
    """Nobody answered, or what answered spoke no HTTP; whether the receiver acted on it is not known."""

    code = "call-failed"
    status = 502


class CallRefused(CallFailed):
    """The address may not be called; nothing was sent."""

    code = "call-refused"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the receiver said. ``body``: its beginning. ``retry_after_s``: as it asked, 0 when it did not."""

    status: int
    body: bytes
    duration_s: float
    retry_after_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300


class Exchanged(NamedTuple):
    """An answer as it came; ``body``: as much of it as was asked for."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Calls:
    """Requests to places that ``reach`` allows, of whom ``trust`` holds. Use it in one event loop."""

    def __init__(self, reach: Reach, trust: ssl.SSLContext, *, at_once: int) -> None:
        import httpcore

        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=at_once,
            max_keepalive_connections=at_once,
            keepalive_expiry=KEEP_IDLE_S,
            network_backend=_guarded(reach),
        )

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, at_most: int
    ) -> Exchanged:
        """One request, and ``at_most`` so many bytes of its answer. Raises :class:`CallRefused`, :class:`CallFailed`.

        It takes as long as the other side likes: bound it.
        """
        import httpcore

        failures = (
            httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol,
            OSError, ValueError,
        )  # fmt: skip
        try:
            request = self._pool.stream(method, url, headers=list(headers.items()), content=body or None)
            async with request as response:
                stream = cast("AsyncGenerator[bytes, None]", response.aiter_stream())
                return Exchanged(response.status, response.headers, await _beginning(stream, at_most))
        except failures as error:
            raise CallFailed(one_line(str(error) or type(error).__name__, MAX_REASON)) from None

    async def aclose(self) -> None:
        """Close what is kept open."""
        await self._pool.aclose()


async def _beginning(stream: AsyncGenerator[bytes, None], at_most: int) -> bytes:
    said = bytearray()
    async with contextlib.aclosing(stream) as parts:
        async for part in parts:
            said += part[: at_most - len(said)]
            if len(said) >= at_most:
                break
    return bytes(said)


class Outgoing:
    """Calls to one URL. ``ca`` (PEM) takes the place of the system's CAs when it is given. Use it in one event loop."""

    def __init__(self, url: str, reach: Reach, *, ca: str = "", at_once: int = 4, timeout_s: float = 15.0) -> None:
        self._url = check_call_url(url, reach)
        self._timeout_s = timeout_s
        self._calls = Calls(reach, trust(ca), at_once=at_once)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST ``body``. Raises :class:`CallRefused` and :class:`CallFailed`."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                came = await self._calls.exchange("POST", self._url, headers, body, at_most=MAX_ANSWER)
        except TimeoutError:
            raise CallFailed(f"no answer within {self._timeout_s:g} s") from None
        duration = time.monotonic() - began
        return Answer(status=came.status, body=came.body, duration_s=duration, retry_after_s=_retry_after(came.headers))

    async def aclose(self) -> None:
        """Close what is kept open."""
        await self._calls.aclose()


def trust(ca: str) -> ssl.SSLContext:
    """Whom to believe: the system's CAs, or ``ca`` alone. Raises :class:`CallRefused` for what is no certificate."""
    try:
        return ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError):
        raise CallRefused("the CA given for it is not a certificate", hint="give it as PEM") from None


async def addresses(host: str, port: int, reach: Reach) -> list[str]:
    """Where ``host`` is now. Raises :class:`CallRefused` when any of its addresses may not be called."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CallFailed(f"the name {host[:100]!r} has no address") from None
    usable = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in usable:
        if why := refusal(address, reach):
            raise CallRefused(
                f"{host[:100]} is {address}, which cannot be called: {why}",
                hint="settings, section outgoing, can allow networks",
            )
    return usable


def _guarded(reach: Reach) -> httpcore.AsyncNetworkBackend:
    """Connects to no address that was not judged, and to the one that was."""
    import httpcore

    class Guarded(httpcore.AsyncNetworkBackend):
        def __init__(self) -> None:
            self._inner = httpcore.AnyIOBackend()

        async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
            last: Exception = CallFailed(f"the name {host[:100]!r} has no address")
            for address in await addresses(host, port, reach):
                try:
                    return await self._inner.connect_tcp(address, port, *args, **options)
                except httpcore.ConnectError as error:
                    last = error
            raise last

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    return Guarded()


def _retry_after(headers: Sequence[tuple[bytes, bytes]]) -> float:
    """Seconds of a Retry-After header; a date is not taken."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) <= 6:
            return float(value)
    return 0.0
