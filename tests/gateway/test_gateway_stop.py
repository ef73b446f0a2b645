"""Stopping, and clients that go in the middle: none of it is an error, so none is logged as one."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from aware_agent.gateway import sse
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.asgi import Receive, Scope, Send, answer
from aware_agent.gateway.server import GatewayServer
from aware_agent.security.roles import Role
from tests.gateway.conftest import As, eventually
from tests.gateway.memory import MemoryContext, node_id

LIMIT_S = 20.0
UPGRADE = (
    "GET /v1/events/ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Raw:
    """A client that does only what a test says: it answers no ping, no close and no TLS good-bye."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until(self, text: bytes) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.readuntil(text)

    async def rest(self) -> bytes:
        """All that comes until the server is gone."""
        seen = b""
        async with asyncio.timeout(LIMIT_S):
            try:
                while data := await self.reader.read(65536):
                    seen += data
            except (ConnectionError, ssl.SSLError):
                pass
        return seen

    def deaf(self) -> None:
        """From now on it reads nothing from its socket, as a process that hangs."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]


class Rig:
    """A server with a gateway behind it, and requests at ``/slow`` that never end by themselves."""

    def __init__(self, context: MemoryContext, app: GatewayApp, tls: tuple[Path, Path] | None) -> None:
        self.context, self.app = context, app
        self.server = GatewayServer(self._call, "127.0.0.1", 0, tls, grace_s=1.0)
        self.clients: list[Raw] = []
        self.slow = 0
        self._tls = ssl.create_default_context(cafile=str(tls[0])) if tls else None

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/slow":
            self.slow += 1
            await asyncio.sleep(600)
        if scope.get("path") == "/half":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            self.slow += 1
            await asyncio.sleep(600)
        await self.app(scope, receive, send)

    async def connect(self, said: str = "") -> Raw:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.server.port, ssl=self._tls, server_hostname="localhost" if self._tls else None
        )
        writer.write(said.encode())
        self.clients.append(Raw(reader, writer))
        return self.clients[-1]

    def leave(self) -> None:
        for client in self.clients:
            client.writer.transport.abort()
            client.writer.close()


@pytest.fixture(params=["tls", "plain"])
async def rig(
    request: pytest.FixtureRequest, context: MemoryContext, app: GatewayApp, certificate: tuple[Path, Path]
) -> AsyncIterator[Rig]:
    rig = Rig(context, app, certificate if request.param == "tls" else None)
    await rig.server.start()
    yield rig
    rig.leave()
    await rig.server.stop()


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Callable[[], None]:
    """Call it at the end: nothing was logged that sounds as if something were wrong."""

    def check() -> None:
        loud = [r for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
        assert [f"{r.name}: {r.getMessage()} {r.exc_info or ''}" for r in loud] == []

    return check


def _get(path: str, headers: dict[str, str]) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n{lines}\r\n"


class Everybody:
    """One client of each kind, all connected."""

    async def come(self, rig: Rig, headers: dict[str, str]) -> None:
        authorization = f"authorization: {headers['authorization']}\r\n\r\n"
        self.sse = await rig.connect(_get("/v1/events/stream", headers))
        await self.sse.until(b": welcome")
        self.socket = await rig.connect(UPGRADE + authorization)
        await self.socket.until(b"\r\n\r\n")
        await eventually(lambda: len(rig.app.gateway.hub) == 2)
        for client in (
            await rig.connect(_get("/v1/events/stream", headers)),
            await rig.connect(UPGRADE + authorization),
        ):
            await client.until(b"\r\n\r\n")
            client.deaf()
        self.unnamed = await rig.connect(UPGRADE + "\r\n")  # its token has not come yet
        await self.unnamed.until(b"\r\n\r\n")
        self.kept = await rig.connect(_get("/healthz", {}))
        await self.kept.until(b"}")
        self.kept.deaf()
        self.silent = await rig.connect()
        self.uploading = await rig.connect(
            f"PUT /v1/spec HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n{authorization}" + "{"
        )
        self.repeatable = await rig.connect(
            "PUT /v1/spec HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\nidempotency-key: a\r\n" + authorization + "{"
        )
        self.slow = await rig.connect(_get("/slow", {}))
        self.half = await rig.connect(_get("/half", {}))
        await self.half.until(b"half")
        await eventually(lambda: rig.slow == 2 and len(rig.app.gateway.hub) == 4)


async def test_a_stop_in_the_middle_of_everything(rig: Rig, as_: As, quiet: Callable[[], None]) -> None:
    everybody = Everybody()
    await everybody.come(rig, as_(Role.ADMIN))
    async with asyncio.timeout(LIMIT_S):
        await rig.server.stop()
    told = await everybody.slow.rest()
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"maybe_applied" not in told
    for upload in (everybody.uploading, everybody.repeatable):
        told = await upload.rest()
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b'"maybe_applied":true' in told
    assert b"0\r\n\r\n" not in await everybody.half.rest()  # must not look complete
    quiet()


async def test_streams_are_told_before_a_stop(rig: Rig, as_: As, quiet: Callable[[], None]) -> None:
    everybody = Everybody()
    await everybody.come(rig, as_(Role.ADMIN))
    await rig.app.close("this gateway stops")
    assert b"this gateway stops" in await everybody.sse.until(b"\r\n0\r\n\r\n")
    assert b"this gateway stops" in await everybody.socket.until(b"stops")
    async with asyncio.timeout(LIMIT_S):
        await rig.server.stop()
    quiet()


async def test_a_socket_that_answers_no_ping(rig: Rig, as_: As, quiet: Callable[[], None]) -> None:
    """The server gives such a client up by itself, and events come before the connection is gone for good."""
    client = await rig.connect(UPGRADE + f"authorization: {as_(Role.VIEWER)['authorization']}\r\n\r\n")
    await client.until(b"\r\n\r\n")
    client.deaf()
    await eventually(lambda: len(rig.app.gateway.hub) == 1)
    assert rig.server._server
    connection: Any = next(iter(rig.server._server.server_state.connections))

    def stuck() -> bool:
        """Something waits to be sent, so that a close does not end the connection at once; under TLS it never does."""
        rig.context.emit("node.ready", node_id(1), "x" * 50_000)
        return connection.transport.get_write_buffer_size() > 0 or connection.scheme == "wss"

    await eventually(stuck)
    connection.ping_interval = connection.ping_timeout = 0.1  # instead of 20 s each
    connection.schedule_ping()
    await eventually(lambda: connection.close_sent)
    for _ in range(3):
        rig.context.emit("node.ready", node_id(1), "too late")
        await asyncio.sleep(0.05)
    await rig.app.close("this gateway stops")
    quiet()


@pytest.mark.parametrize("key", ["", "idempotency-key: a\r\n"])
async def test_a_client_that_goes_before_its_request_is_whole(
    rig: Rig, as_: As, quiet: Callable[[], None], key: str
) -> None:
    authorization = f"authorization: {as_(Role.ADMIN)['authorization']}\r\n"
    before = rig.context.projection.revision
    client = await rig.connect(
        f"PUT /v1/spec HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n{authorization}{key}\r\n"
        '1d\r\n{"castes":{"web":{"size":1}}}\r\n'
    )
    counts = rig.app.gateway.public.requests.counts
    await asyncio.sleep(0.1)
    client.writer.transport.abort()
    await eventually(lambda: any(status == 499 for _, status in counts))
    assert rig.context.projection.revision == before
    quiet()


async def test_a_socket_with_a_bad_token_that_goes_at_once(rig: Rig, quiet: Callable[[], None]) -> None:
    for _ in range(5):
        client = await rig.connect(UPGRADE + "authorization: Bearer nonsense\r\n\r\n")
        client.writer.transport.abort()
        client = await rig.connect(UPGRADE + "\r\n")
        await client.until(b"\r\n\r\n")
        client.writer.write(b"\x81\x82\0\0\0\0{}")
        client.writer.transport.abort()
    assert rig.server._server
    connections = rig.server._server.server_state.connections
    await eventually(lambda: not connections)
    quiet()


async def test_a_socket_that_speaks_no_websocket(rig: Rig, as_: As, quiet: Callable[[], None]) -> None:
    authorization = f"authorization: {as_(Role.VIEWER)['authorization']}\r\n\r\n"
    late = await rig.connect(UPGRADE + authorization)
    await late.until(b"\r\n\r\n")
    rig.context.emit("node.ready", node_id(1), "something")
    late.writer.write(b"\x7f\x7f\x7f\x7f")
    rig.context.emit("node.ready", node_id(1), "something")
    await late.rest()
    quiet()


async def test_a_stream_that_is_not_read(
    rig: Rig, as_: As, quiet: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "SEND_TIMEOUT_S", 0.3)
    client = await rig.connect(_get("/v1/events/stream", as_(Role.VIEWER)))
    await client.until(b": welcome")
    client.deaf()
    hub = rig.app.gateway.hub
    await eventually(lambda: bool(rig.context.emit("node.ready", node_id(1), "x" * 100_000)) and not len(hub))
    assert rig.server._server
    tasks = rig.server._server.server_state.tasks
    await eventually(lambda: not tasks)
    quiet()


async def test_what_is_whole_is_still_answered(quiet: Callable[[], None]) -> None:
    """A request that ends within the grace time is answered as if nothing were."""
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        await answer(send, 200, [(b"content-length", b"4")], b"done")

    server = GatewayServer(app, "127.0.0.1", 0, grace_s=LIMIT_S)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(_get("/", {}).encode())
    await begun.wait()
    async with asyncio.timeout(LIMIT_S):
        await server.stop()
        assert (await reader.read()).endswith(b"done")
    writer.close()
    quiet()


async def test_a_stream_whose_client_asks_for_more_and_goes(rig: Rig, as_: As, quiet: Callable[[], None]) -> None:
    """Requests that wait behind a stream do not keep it from learning that its client went."""
    one = _get("/v1/events/stream", as_(Role.VIEWER))
    client = await rig.connect(one)
    await client.until(b": welcome")
    hub = rig.app.gateway.hub
    for _ in range(2):
        client.writer.write(one.encode())
        await asyncio.sleep(0.1)
    client.writer.transport.abort()
    await eventually(lambda: rig.context.emit("node.ready", node_id(1), "x") and not len(hub))
    quiet()


async def test_a_bug_in_the_middle_of_an_answer(rig: Rig, as_: As, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported once, as a bug, and the client sees that something is missing."""
    rig.app.gateway.authority.holds = lambda _: 1 // 0  # type: ignore[assignment, method-assign, return-value]
    rig.app.gateway.hub.heartbeat_s = 0.05
    client = await rig.connect(_get("/v1/events/stream", as_(Role.VIEWER)))
    assert b"\r\n0\r\n" not in await client.rest()
    assert rig.server._server
    tasks = rig.server._server.server_state.tasks
    await eventually(lambda: not tasks)
    loud = [record.name for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    assert loud == ["aware_agent.gateway.problems"]
