"""What strangers may cost: connections, heads, bodies, time; whom a load balancer speaks for; who waits for whom."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from aware_agent.agent.settings import GatewaySettings
from aware_agent.gateway import proxy_protocol
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.asgi import Receive, Scope, Send, answer
from aware_agent.gateway.connections import Connections
from aware_agent.gateway.errors import Busy, TooManyAttempts
from aware_agent.gateway.fair import FairQueue, Turnstile
from aware_agent.gateway.lockout import FREE_FAILURES, Lockout
from aware_agent.gateway.proxy_protocol import Source
from aware_agent.gateway.server import GatewayServer
from aware_agent.security.roles import Role
from tests.gateway.conftest import As, eventually

LIMIT_S = 20.0
HELLO = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Start = Callable[..., Awaitable[GatewayServer]]


async def _client(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the address a request is from, once its body is there."""
    while (await receive()).get("more_body"):
        pass
    body = scope["client"][0].encode()
    await answer(send, 200, [(b"content-length", b"%d" % len(body))], body)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[GatewayServer] = []

    async def make(**settings: Any) -> GatewayServer:
        server = GatewayServer(_client, "127.0.0.1", 0, grace_s=0.5, settings=GatewaySettings(**settings))
        await server.start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        await server.stop()


class Stranger:
    """A connection from an address of our choice."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def come(cls, server: GatewayServer, said: bytes = b"", source: str = "127.0.0.1") -> Stranger:
        made = cls(*await asyncio.open_connection("127.0.0.1", server.port, local_addr=(source, 0)))
        made.writer.write(said)
        return made

    async def rest(self) -> bytes:
        """All that comes until the other side ends it."""
        async with asyncio.timeout(LIMIT_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def answered(self) -> bytes:
        """The body of one answer."""
        async with asyncio.timeout(LIMIT_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return await self.reader.readexactly(length)

    def go(self) -> None:
        self.writer.close()


# Connections ----------------------------------------------------------------------------------------------------------


async def test_one_source_has_so_many_connections_and_another_still_comes_in(start: Start) -> None:
    server = await start(max_connections_per_source=4)
    crowd = [await Stranger.come(server, HELLO) for _ in range(4)]
    assert [await one.answered() for one in crowd] == [b"127.0.0.1"] * 4
    one_more = await Stranger.come(server, HELLO)
    assert await one_more.rest() == b""
    other = await Stranger.come(server, HELLO, source="127.0.0.2")
    assert await other.answered() == b"127.0.0.2"
    assert server.limits.connections.refused["source"] == 1
    crowd[0].go()
    await eventually(lambda: len(server.limits.connections) == 4)
    again = await Stranger.come(server, HELLO)
    assert await again.answered() == b"127.0.0.1"
    for stranger in (*crowd[1:], one_more, other, again):
        stranger.go()


async def test_when_all_room_is_taken_who_has_many_makes_room_for_who_has_few(start: Start) -> None:
    server = await start(max_connections=16, max_connections_per_source=16)
    crowd = [await Stranger.come(server, HELLO) for _ in range(16)]
    assert [await one.answered() for one in crowd] == [b"127.0.0.1"] * 16
    other = await Stranger.come(server, HELLO, source="127.0.0.2")
    assert await other.answered() == b"127.0.0.2"
    assert await crowd[0].rest() == b"", "the oldest idle one of the crowd made room"
    one_more = await Stranger.come(server, HELLO)
    assert await one_more.rest() == b"", "the crowd itself gets no more"
    assert (server.limits.connections.refused["made-room"], server.limits.connections.refused["all"]) == (1, 1)
    for stranger in (*crowd, other, one_more):
        stranger.go()


class _Idle:
    def __init__(self, busy: bool = False) -> None:
        self.busy, self.gone = busy, False

    def idle(self) -> bool:
        return not self.busy

    def abort(self) -> None:
        self.gone = True


def test_an_ipv6_network_of_one_host_is_one_source_and_work_is_never_cut() -> None:
    connections = Connections(3, 2)
    tickets = [object() for _ in range(5)]
    assert connections.admit(tickets[0], "2001:db8::1")
    assert connections.admit(tickets[1], "2001:db8::2")
    assert not connections.admit(tickets[2], "2001:db8::3")
    assert connections.admit(tickets[2], "2001:db8:0:1::1")
    connections.bind(tickets[0], busy := _Idle(busy=True))
    connections.bind(tickets[1], idle := _Idle())
    assert connections.admit(tickets[3], "10.0.0.1")
    assert (busy.gone, idle.gone) == (False, True)
    assert not connections.admit(tickets[4], "10.0.0.2"), "nobody has two idle ones any more"
    for ticket in (*tickets, *tickets):
        connections.release(ticket)
    assert len(connections) == 0


# Time and bytes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
        b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf",
        HELLO + b"GET / HTTP/1.1\r\nx: ",
    ],
)
async def test_who_does_not_go_on_is_cut_off(start: Start, said: bytes) -> None:
    server = await start(first_request_timeout_s=1.0, body_timeout_s=1.0)
    stranger = await Stranger.come(server, said)
    await stranger.rest()
    await eventually(lambda: not len(server.limits.connections))
    stranger.go()


async def test_who_asks_nothing_more_is_cut_off(start: Start) -> None:
    server = await start(idle_timeout_s=1.0)
    stranger = await Stranger.come(server, HELLO)
    assert await stranger.answered() == b"127.0.0.1"
    assert await stranger.rest() == b""
    await eventually(lambda: not len(server.limits.connections))
    stranger.go()


async def test_a_head_a_byte_at_a_time_gets_no_more_time(start: Start) -> None:
    server = await start(first_request_timeout_s=1.0)
    stranger = await Stranger.come(server, b"GET / HTTP/1.1\r\n")
    gone = asyncio.create_task(stranger.rest())
    with contextlib.suppress(ConnectionError):
        while not gone.done():
            stranger.writer.write(b"x: y\r\n")
            await asyncio.sleep(0.05)
    assert await gone == b""
    stranger.go()


@pytest.mark.parametrize("filler", [b"x: " + b"y" * 5000, b"x: y\r\n" * 1000, b"x" * 5000])
async def test_a_head_that_is_too_long_is_refused(start: Start, filler: bytes) -> None:
    server = await start(max_head_bytes=4096)
    stranger = await Stranger.come(server, b"GET / HTTP/1.1\r\n" + filler)
    assert (await stranger.rest()).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    stranger.go()


async def test_a_long_answer_waits_for_its_reader_in_pieces() -> None:
    sent: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.append(len(message["body"]))

    await answer(send, 200, [], b"x" * 200_000)
    assert sum(sent) == 200_000
    assert max(sent) <= 64 * 1024
    await answer(send, 200, [], b"")
    assert sent[-1] == 0


# Load balancers -------------------------------------------------------------------------------------------------------


def _proxied(address: str, command: int = 0x21) -> bytes:
    parsed = ipaddress.ip_address(address)
    size, family = (4, 0x11) if parsed.version == 4 else (16, 0x21)
    addresses = parsed.packed + bytes(size) + struct.pack("!HH", 4711, 8443)
    return proxy_protocol.SIGNATURE + struct.pack("!BBH", command, family, len(addresses)) + addresses


async def test_a_load_balancer_that_is_named_says_whom_it_speaks_for(start: Start) -> None:
    server = await start(proxies=("127.0.0.9",), max_connections_per_source=4)
    seen = []
    for client in ("10.1.2.3", "2001:db8::7"):
        stranger = await Stranger.come(server, _proxied(client) + HELLO, source="127.0.0.9")
        seen.append(await stranger.answered())
        stranger.go()
    check = await Stranger.come(server, _proxied("0.0.0.0", 0x20) + HELLO, source="127.0.0.9")
    assert await check.answered() == b"127.0.0.9", "its own checks are its own"
    check.go()
    assert seen == [b"10.1.2.3", b"2001:db8::7"]


async def test_one_that_is_not_named_says_nothing_and_a_named_one_must(start: Start) -> None:
    server = await start(proxies=("127.0.0.8/31",))
    stranger = await Stranger.come(server, _proxied("10.1.2.3") + HELLO)
    assert b"10.1.2.3" not in await stranger.rest()
    for said in (HELLO, _proxied("10.1.2.3")[:20], b"PROXY TCP4 10.1.2.3 10.0.0.1 1 2\r\n" + HELLO):
        balancer = await Stranger.come(server, said, source="127.0.0.9")
        if len(said) < 28:
            balancer.writer.write_eof()
        assert await balancer.rest() == b""
        balancer.go()
    stranger.go()


async def test_other_programs_on_a_balancers_host_are_refused_with_a_reason_in_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """The protocol forbids to guess whether a header comes; what the balancer is named by may be its alone."""
    server = await start(proxies=("127.0.0.9",))
    for _ in range(3):
        scraper = await Stranger.come(server, HELLO, source="127.0.0.9")
        assert await scraper.rest() == b""
        scraper.go()
    said = [record.getMessage() for record in caplog.records if "PROXY" in record.getMessage()]
    assert len(said) == 1, "once"
    assert said[0].startswith("127.0.0.9 is named in gateway.proxies")
    assert server.limits.connections.refused["proxy"] == 3
    other = await Stranger.come(server, HELLO, source="127.0.0.10")
    assert await other.answered() == b"127.0.0.10", (
        "with an address of its own the balancer leaves the host's to others"
    )
    other.go()


@pytest.mark.parametrize("path", ["/v1/join", "/v1/renew"])
@pytest.mark.parametrize("command", [0x21, 0x20], ids=["speaks for a client", "speaks for itself"])
async def test_nobody_gets_a_certificate_through_a_load_balancer(app: GatewayApp, path: str, command: int) -> None:
    """It would name an address that only the load balancer has seen, and whoever runs that could have any."""
    server = GatewayServer(app, "127.0.0.1", 0, grace_s=0.5, settings=GatewaySettings(proxies=("127.0.0.9",)))
    await server.start()
    request = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}" % path.encode()
    try:
        stranger = await Stranger.come(server, _proxied("10.1.2.3", command) + request, source="127.0.0.9")
        assert json.loads(await stranger.answered())["code"] == "through-balancer"
        stranger.go()
        direct = await Stranger.come(server, request)
        assert json.loads(await direct.answered())["code"] == "invalid-input", "it gets as far as its body"
        direct.go()
    finally:
        await server.stop()


@pytest.mark.parametrize(
    "raw",
    [b"", proxy_protocol.SIGNATURE, b"x" * 16, proxy_protocol.SIGNATURE + b"\x31\x11\0\0", _proxied("10.0.0.1")[:-1]],
)
def test_what_is_no_proxy_header_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="PROXY"):
        proxy_protocol.parse(raw[: proxy_protocol.HEAD], raw[proxy_protocol.HEAD :])
    whole = _proxied("10.0.0.1")
    assert proxy_protocol.parse(whole[:16], whole[16:]) == Source("10.0.0.1", 4711)


# Turns ----------------------------------------------------------------------------------------------------------------


async def test_turns_go_round_the_sources() -> None:
    queue = FairQueue(1, each=3, most=5)
    order: list[str] = []

    resume = asyncio.Event()

    async def work(source: str) -> None:
        async with queue.turn(source):
            await resume.wait()
            order.append(source)

    crowd = [asyncio.create_task(work("10.0.0.1")) for _ in range(4)]
    await asyncio.sleep(0)
    late = [asyncio.create_task(work("10.0.0.2")) for _ in range(2)]
    await asyncio.sleep(0)
    for source in ("10.0.0.1", "10.0.0.3"):  # its own queue is full; all of them are
        with pytest.raises(Busy):
            async with queue.turn(source):
                raise AssertionError
    resume.set()
    await asyncio.gather(*crowd, *late)
    assert order == ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2", "10.0.0.1"]


async def test_a_turn_of_one_who_goes_is_the_next_ones() -> None:
    queue = FairQueue(1, each=9, most=9)
    inside = asyncio.Event()

    async def hold() -> None:
        async with queue.turn("10.0.0.1"):
            inside.set()
            await asyncio.sleep(0.05)

    first = asyncio.create_task(hold())
    await inside.wait()
    gone, next_one = asyncio.create_task(hold()), asyncio.create_task(hold())
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(first, next_one, gone, return_exceptions=True)
        async with queue.turn("10.0.0.2"):
            assert gone.cancelled()


async def test_a_crowd_of_strangers_passes_a_few_at_a_time() -> None:
    turnstile = Turnstile(2, each=100, most=100)
    passed = 0

    async def stranger() -> None:
        nonlocal passed
        await turnstile.enter("10.0.0.1")
        passed += 1

    crowd = [asyncio.create_task(stranger()) for _ in range(50)]
    before = []
    for _ in range(10):
        before.append(passed)
        await asyncio.sleep(0)
    steps = [after - earlier for earlier, after in itertools.pairwise(before)]
    assert max(steps) <= 2
    await asyncio.gather(*crowd)
    assert passed == 50


async def test_who_is_known_does_not_stand_in_line(app: GatewayApp, as_: As) -> None:
    """Even a line that nobody leaves holds up no request whose token was seen before."""
    headers = as_(Role.ADMIN)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://queen") as client:
        assert (await client.get("/v1/auth/me", headers=headers)).status_code == 200

        async def never(_: str) -> None:
            await asyncio.Event().wait()

        app.gateway.turnstile.enter = never  # type: ignore[method-assign]
        async with asyncio.timeout(LIMIT_S):
            assert (await client.get("/v1/auth/me", headers=headers)).status_code == 200
            assert (await client.post("/v1/tokens", headers=headers, json={"uses": 1})).status_code == 201
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.get("/metrics")


def test_failing_under_many_names_gives_nobody_a_fresh_start() -> None:
    logins = Lockout(most=8)
    for _ in range(FREE_FAILURES):
        logins.failed(("admin", "10.0.0.1"), 100.0)
    for number in range(100):
        logins.failed((f"name-{number}", "10.0.0.1"), 101.0)
    with pytest.raises(TooManyAttempts):
        logins.check(("admin", "10.0.0.1"), 102.0)
    assert len(logins._failures) <= 8
    logins.check(("admin", "10.0.0.1"), 100_000.0)


def test_a_socket_knows_no_peer_once_it_is_refused() -> None:
    """What a refusal costs: the connection is reset, so that not even the kernel remembers it."""
    from aware_agent.gateway.acceptor import _refuse

    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(listener.getsockname()) as stranger:
        _refuse(listener.accept()[0])
        stranger.settimeout(LIMIT_S)
        with pytest.raises(ConnectionResetError):
            stranger.recv(1)
    listener.close()
