"""Hot reads answered while the request is parsed: the same answers, the same checks, whatever a client does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from aware_agent.agent.settings import GatewaySettings
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.reads import HOT
from aware_agent.gateway.server import GatewayServer
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext
from tests.memory_colony import node_id

LIMIT_S = 30.0
PATHS = [*HOT, f"/v1/nodes/{node_id(1)}", "/v1/nodes/demo-2", "/v1/nodes/demo-2/config"]


class Client:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authorization: str) -> None:
        self.reader, self.writer, self.authorization = reader, writer, authorization

    def say(self, line: str, *headers: str, body: str = "") -> None:
        head = [line, "host: x", f"authorization: {self.authorization}", *headers, "", ""]
        self.writer.write("\r\n".join(head).encode() + body.encode())

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(LIMIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:-2])
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split(" ")[1]), headers, body

    async def ask(self, line: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        self.say(line, *headers)
        return await self.hear()


class Served(GatewayServer):
    """Counts what was answered at once."""

    def __init__(self, app: GatewayApp, **settings: float) -> None:
        self.quick: list[bytes] = []

        def at_once(url: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
            answer = app.at_once(url, headers)
            if answer is not None:
                self.quick.append(url)
            return answer

        super().__init__(app, "127.0.0.1", 0, settings=GatewaySettings(**settings), at_once=at_once)  # type: ignore[arg-type]


@pytest.fixture
async def served(app: GatewayApp) -> AsyncIterator[Served]:
    server = Served(app)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(served: Served, as_: As) -> AsyncIterator[Client]:
    made = await connect(served, as_)
    assert (await made.ask("GET /v1/auth/me HTTP/1.1"))[0] == 200, "the token is known from now on"
    yield made
    made.writer.close()


async def connect(server: GatewayServer, as_: As) -> Client:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    return Client(reader, writer, as_(Role.VIEWER)["authorization"])


@pytest.mark.parametrize("path", PATHS)
async def test_it_is_the_same_answer(served: Served, app: GatewayApp, client: Client, path: str) -> None:
    """As that of the application without such a server, but for the date, which is the server's."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as asgi:
        for wish in ({}, {"accept-encoding": "gzip"}, {"if-none-match": "*"}, {"if-none-match": '"1-x"'}):
            wishes = {**wish, "x-request-id": "r-1"}
            usual = {"authorization": client.authorization, "accept-encoding": "identity", **wishes}
            async with asgi.stream("GET", path, headers=usual) as answer:
                raw = b"".join([part async for part in answer.aiter_raw()])
            status, headers, body = await client.ask(f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in wishes.items()))
            assert re.fullmatch(r"\w{3}, .* GMT", headers.pop("date"))
            assert (status, headers, body) == (answer.status_code, dict(answer.headers), raw)
    assert served.quick == [path.encode()] * 4


async def test_a_session_that_ends_ends_at_once(
    served: Served, client: Client, context: MemoryContext, app: GatewayApp
) -> None:
    assert (await client.ask("GET /v1/cluster HTTP/1.1"))[0] == 200
    (session,) = app.gateway.authority.sessions()
    context.delete(context.keys.key("sessions", session))
    status, _, body = await client.ask("GET /v1/cluster HTTP/1.1")
    assert (status, b"unauthenticated" in body) == (401, True)
    assert served.quick == [b"/v1/cluster"]


async def test_a_change_is_in_the_next_answer(client: Client, context: MemoryContext) -> None:
    before = await client.ask("GET /v1/spec HTTP/1.1")
    context.memory.put_spec(size=7)
    after = await client.ask("GET /v1/spec HTTP/1.1")
    assert (b'"size":5' in before[2], b'"size":7' in after[2]) == (True, True)
    assert int(after[1]["x-aware-revision"]) > int(before[1]["x-aware-revision"])


async def test_answers_come_in_the_order_of_the_requests(served: Served, client: Client) -> None:
    """Quick and slow ones that were sent in one piece."""
    for path in ("/v1/queen", "/v1/auth/me", "/v1/queen", "/v1/users", "/v1/spec"):
        client.say(f"GET {path} HTTP/1.1")
    answers = [await client.hear() for _ in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 403, 200]
    assert [
        word in body
        for word, (_, _, body) in zip((b"term", b"vera", b"term", b"forbidden", b"spec"), answers, strict=True)
    ] == [True] * 5
    assert (await client.ask("GET /v1/queen HTTP/1.1"))[0] == 200


@pytest.mark.parametrize(
    ("line", "headers", "body"),
    [
        ("GET /v1/queen HTTP/1.0", ("connection: keep-alive",), ""),
        ("GET /v1/queen HTTP/1.1", ("connection: close",), ""),
        ("GET /v1/queen HTTP/1.1", ("content-length: 3",), "abc"),
        ("GET /v1/queen HTTP/1.1", ("transfer-encoding: chunked",), "3\r\nabc\r\n0\r\n\r\n"),
        ("GET /v1/queen HTTP/1.1", ("content-length: 0", "expect: 100-continue"), ""),
        ("GET /v1/nodes?limit=2 HTTP/1.1", (), ""),
        ("GET /v1/%71ueen HTTP/1.1", (), ""),
        ("GET /v1/nodes/demo%2D2 HTTP/1.1", (), ""),
        ("HEAD /v1/queen HTTP/1.1", (), ""),
        ("GET /v1/nodes/nobody HTTP/1.1", (), ""),
        ("POST /v1/queen HTTP/1.1", ("content-length: 0",), ""),
    ],
)
async def test_what_is_unusual_is_left_to_the_application(
    served: Served, client: Client, line: str, headers: tuple[str, ...], body: str
) -> None:
    client.say(line, *headers, body=body)
    async with asyncio.timeout(LIMIT_S):
        status = int((await client.reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
    assert status == {"HEAD": 405, "POST": 405}.get(line.split(maxsplit=1)[0], 404 if "nobody" in line else 200)
    assert served.quick == []


async def test_who_does_not_read_is_not_answered_without_end(served: Served, client: Client) -> None:
    transport = client.writer.transport
    transport.pause_reading()  # type: ignore[attr-defined]
    (protocol,) = served._server.server_state.connections  # type: ignore[union-attr]
    for _ in range(20_000):
        client.say("GET /v1/nodes HTTP/1.1")
    async with asyncio.timeout(LIMIT_S):
        while not protocol.flow.write_paused:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(served.quick) < 20_000
    assert protocol.transport.get_write_buffer_size() < 1 << 20
    client.writer.transport.abort()


async def test_what_is_answered_is_counted(served: Served, client: Client, app: GatewayApp) -> None:
    counts = app.gateway.public.requests.counts
    before = counts["/v1/queen", 200], counts["/v1/nodes/{node}", 304]
    for _ in range(3):
        await client.ask("GET /v1/queen HTTP/1.1")
    await client.ask("GET /v1/nodes/demo-2 HTTP/1.1", "if-none-match: *")
    assert len(served.quick) == 4
    assert (counts["/v1/queen", 200], counts["/v1/nodes/{node}", 304]) == (before[0] + 3, before[1] + 1)


async def test_an_idle_connection_ends_after_its_time(app: GatewayApp, as_: As) -> None:
    server = Served(app, idle_timeout_s=1.0)
    await server.start()
    try:
        client = await connect(server, as_)
        assert [(await client.ask("GET /v1/queen HTTP/1.1"))[0] for _ in range(2)] == [200, 200]
        assert server.quick == [b"/v1/queen"], "the first showed a token that nobody knew"
        async with asyncio.timeout(LIMIT_S):
            assert await client.reader.read() == b""
        client.writer.close()
    finally:
        await server.stop()


async def test_over_tls(app: GatewayApp, as_: As, certificate: tuple[Path, Path]) -> None:
    """Long and short answers: they are written in different ways."""
    server = GatewayServer(app, "127.0.0.1", 0, certificate, at_once=app.at_once)
    await server.start()
    try:
        async with httpx.AsyncClient(verify=False, headers=as_(Role.VIEWER)) as client:
            for _ in range(3):
                for path in HOT:
                    assert (await client.get(f"https://127.0.0.1:{server.port}{path}")).json()
    finally:
        await server.stop()
