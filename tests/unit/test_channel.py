"""Channels over real TLS on loopback: what a member takes, whom it refuses, and what a liar costs others."""

from __future__ import annotations

import asyncio
import inspect
import math
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec
import pytest
import uvloop
from channel_support import (
    COUNCIL,
    Caller,
    Papers,
    Register,
    dialled,
    hello,
    node_id,
    report,
    seat,
    serving,
    until,
)
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from aware_agent.channel import client, thin
from aware_agent.channel import session as sessions
from aware_agent.channel.client import Channel
from aware_agent.channel.frames import (
    MAX_FRAME,
    BadFrame,
    CheckUpgrade,
    Command,
    Goodbye,
    Heartbeat,
    Hello,
    NewConfig,
    NewReport,
    Problem,
    Result,
    Welcome,
    Why,
    encode,
    from_member,
)
from aware_agent.channel.limits import SourceLimits
from aware_agent.channel.links import Links
from aware_agent.channel.server import ChannelServer
from aware_agent.channel.session import NoAnswer, NoChannel, NodeRefused
from aware_agent.colony.connection import Phase, Tick
from aware_agent.colony.errors import AddressMissing, InvalidInput, PortInUse
from aware_agent.colony.node import Config
from aware_agent.listening import listen
from aware_agent.security import pki

ONE, TWO = node_id(1), node_id(2)
NO_CONNECTION = (OSError, EOFError, ConnectionClosed, InvalidHandshake)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def register() -> Register:
    return Register()


async def _last_word(stream: object) -> Goodbye | None:
    """The good-bye among the frames that still come; None when the connection just ended."""
    try:
        for _ in range(10_000):
            frame = from_member(await stream.recv())  # type: ignore[attr-defined]
            if isinstance(frame, Goodbye):
                return frame
    except (ConnectionClosed, OSError):
        pass
    return None


async def test_a_channel_opens_beats_and_says_good_bye(papers: Papers, register: Register) -> None:
    register.first = [NewConfig(version=3, config=Config(vars={"a": 1}))]
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, COUNCIL)
        channel.start()
        await until(lambda: channel.is_open and caller.frames)
        assert caller.frames == register.first
        await until(lambda: server.sessions[ONE].count >= 3)
        assert channel.post(NewReport(report("changed")))
        await until(lambda: ("reported", "changed") in register.told)
        assert server.states() == {"open": 1, "silent": 0, "connecting": 0}
        await channel.close(Why.LEAVING, "so long")
        await until(lambda: ONE in register.ended)
    assert register.ended[ONE] == (Why.LEAVING, "so long")
    assert register.told[0] == ("opened", ONE)
    assert caller.moves[:2] == ["connecting", "open"]


@pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux")
async def test_lost_packets_are_sent_again_at_a_steady_pace(papers: Papers, register: Register) -> None:
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, COUNCIL)
        channel.start()
        await until(lambda: channel.is_open and ONE in server.sessions)
        assert channel._attempt is not None
        for stream in (channel._attempt.stream, server.sessions[ONE]._stream):
            assert stream is not None
            sock = stream.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, thin._THIN_LINEAR_TIMEOUTS) == 1
        await channel.close(Why.LEAVING)


async def test_a_killed_node_is_known_by_its_connection(papers: Papers) -> None:
    register = Register(beat_s=1000.0)  # no heartbeat is ever missed here
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await until(lambda: ONE in server.sessions)
        stream.transport.abort()
        await until(lambda: ONE in register.ended)
        assert server.sessions == {}
    assert register.ended[ONE] == (Why.LOST, "the connection ended")


async def test_a_node_that_goes_silent_is_doubted_then_cut(papers: Papers, register: Register) -> None:
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await until(lambda: ONE in register.ended)
    assert ("silent", ONE) in register.told
    ended = register.ended[ONE]
    assert ended is not None
    assert ended[0] is Why.SILENT


async def test_a_member_that_stops_is_dialled_again_until_it_is_back(papers: Papers, register: Register) -> None:
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        place = seat(server)
        channel = Channel(place, caller, COUNCIL)
        channel.start()
        await until(lambda: channel.is_open)
    await until(lambda: caller.moves.count("connecting") > 1)
    assert not channel.is_open
    again = Register()
    listener = listen("127.0.0.1", int(place.channel.split(":")[1]), "channel")
    server = ChannelServer(node_id(0), listener, papers.server(), again)
    await server.start()
    await until(lambda: ("opened", ONE) in again.told)
    await channel.close(Why.LEAVING)
    await server.stop()


# Bad frames ----------------------------------------------------------------------------------------------------------

HUGE = b"\x01" + bytes(MAX_FRAME + 1)
AFTER_HELLO = {
    "cut": hello()[:-3],
    "text": "hello",
    "another version": b"\x07" + hello()[1:],
    "a second hello": hello(),
    "a member's frame": encode(Welcome(member="x", beat_s=1.0)),
    "an answer nobody asked for": encode(Result(id="1")),
    "a heartbeat that does not grow": encode(Heartbeat(0)),
}


@pytest.mark.parametrize("name", AFTER_HELLO)
async def test_a_bad_frame_ends_the_channel_with_one_sentence(papers: Papers, register: Register, name: str) -> None:
    register.beat = 1000.0
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await stream.send(AFTER_HELLO[name])
        word = await _last_word(stream)
        await until(lambda: ONE in register.ended)
    assert word is not None
    assert word.why is Why.BAD_FRAME
    assert register.ended[ONE] == (Why.BAD_FRAME, word.text)
    assert word.text
    assert "\n" not in word.text


async def test_a_load_goes_with_a_heartbeat_and_is_no_part_of_the_answer(papers: Papers, register: Register) -> None:
    caller = Caller(papers, ONE)
    caller.busy = b"whatever it says"  # what it means is another's business: it is a sign of life in any case
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, COUNCIL)
        channel.start()
        await until(lambda: len(register.loads) >= 2)
        assert channel.state.phase is Phase.OPEN
        await channel.close(Why.STOPPING)
    assert set(register.loads) == {caller.busy}
    assert not any(isinstance(frame, Heartbeat) for frame in caller.frames)


async def test_the_answer_to_a_heartbeat_carries_no_load(papers: Papers, register: Register) -> None:
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await stream.send(encode(Heartbeat(1, b"x" * 1000)))
        while not isinstance(frame := from_member(await stream.recv()), Heartbeat):
            pass
    assert frame == Heartbeat(1)
    assert register.loads == [b"x" * 1000]


async def test_heartbeats_out_of_order_end_the_channel(papers: Papers, register: Register) -> None:
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        for count in (1, 2, 5, 4):
            await stream.send(encode(Heartbeat(count)))
        word = await _last_word(stream)
    assert word is not None
    assert word.text == "heartbeat 4 after heartbeat 5"


async def test_a_huge_frame_is_not_read(papers: Papers, register: Register) -> None:
    register.beat = 1000.0
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await stream.send(HUGE)
        assert await _last_word(stream) is None  # the WebSocket itself closes: message too big
        assert stream.close_code == 1009
        await until(lambda: ONE in register.ended)
    ended = register.ended[ONE]
    assert ended is not None
    assert ended[0] is Why.BAD_FRAME


FIRST = {
    "beat": encode(Heartbeat(1)),
    "empty": b"",
    "junk": b"\x01\xc1",
    "text": "text",
    "another version": b"\x02" + hello()[1:],
    "no number": encode(Hello(incarnation="i1", report=report(joined_at=math.nan))),
    "a terminal's": encode(Hello(incarnation="i1", report=report(origin="\x1b[2J"))),
    "endless": encode(Hello(incarnation="i1", report=report(version="9" * 300))),
}


@pytest.mark.parametrize("name", FIRST)
async def test_who_does_not_begin_with_a_hello_gets_no_channel_and_one_sentence(
    papers: Papers, register: Register, name: str
) -> None:
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(FIRST[name])
        word = await _last_word(stream)
        assert server.counts["refused-bad-frame"] == 1
    assert register.told == []
    assert word is not None
    assert word.why is Why.BAD_FRAME
    assert word.text
    assert word.text.isprintable()


async def test_a_worker_of_another_version_is_refused_with_the_members_sentence(
    papers: Papers, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "encode", lambda frame: b"\x09" + encode(frame)[1:])
    monkeypatch.setattr(client, "from_member", lambda raw: from_member(b"\x09" + raw[1:]))
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, COUNCIL)
        channel.start()
        await until(lambda: "refused" in caller.moves)
        assert channel.state.reason == "a frame of version 9; this is version 1"
        assert "closed" not in caller.moves
        await channel.close(Why.LEAVING)
    assert register.told == []


async def test_a_first_frame_that_is_too_long_is_refused_too(papers: Papers, register: Register) -> None:
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, COUNCIL)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "encode", lambda _frame: HUGE)
            channel.start()
            await until(lambda: "refused" in caller.moves)
        assert "takes no frame of more than" in channel.state.reason
        await channel.close(Why.LEAVING)


async def test_a_connection_cut_in_the_middle_of_a_frame_is_an_end_like_any_other(
    papers: Papers, register: Register
) -> None:
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await until(lambda: ONE in server.sessions)
        stream.transport.write(b"\x82\xfe\x40\x00\x00\x00\x00\x00half")
        stream.transport.close()
        await until(lambda: ONE in register.ended)
    ended = register.ended[ONE]
    assert ended is not None
    assert ended[0] is Why.LOST


# Who comes -----------------------------------------------------------------------------------------------------------


async def test_another_ca_does_not_complete_the_handshake(papers: Papers, register: Register, tmp_path: Path) -> None:
    stranger = Papers(tmp_path / "stranger")
    async with serving(papers, register) as server:
        context = stranger.client(ONE, papers.authority.certificate)
        with pytest.raises(NO_CONNECTION):
            async with connect(
                f"wss://127.0.0.1:{server.port}/", ssl=context, server_hostname=COUNCIL, proxy=None
            ) as stream:
                await stream.recv()
        await until(lambda: server.counts["failed"] == 1)
        caller = Caller(stranger, ONE)
        channel = Channel(seat(server), caller, COUNCIL)
        channel.start()
        await until(lambda: "closed" in caller.moves)
        await channel.close(Why.LEAVING)
    assert register.told == []
    assert "not accepted" in channel.state.reason


@pytest.mark.parametrize("common_name", ["root", "etcd", ""])
async def test_a_certificate_that_is_no_nodes_gets_no_channel(
    papers: Papers, register: Register, common_name: str
) -> None:
    if not common_name:
        certificate, key = papers.directory / "none.crt", papers.directory / "none.key"
        key.write_bytes(pki.make_key())
        certificate.write_bytes(_without_name(papers, key.read_bytes()))
    async with serving(papers, register) as server:
        with pytest.raises(NO_CONNECTION):
            await _say_hello(papers, server, common_name)
        await until(lambda: server.counts["failed"] == 1)
    assert register.told == []


async def _say_hello(papers: Papers, server: ChannelServer, common_name: str) -> None:
    async with dialled(papers, server, common_name) as stream:
        await stream.send(hello())
        await stream.recv()


def _without_name(papers: Papers, key: bytes) -> bytes:
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    private = serialization.load_pem_private_key(key, None)
    ca_key = serialization.load_pem_private_key(papers.authority.key, None)
    issuer = x509.load_pem_x509_certificate(papers.authority.certificate)
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(issuer.subject)
    builder = builder.public_key(private.public_key()).serial_number(7)  # type: ignore[arg-type]
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    made = builder.sign(ca_key, hashes.SHA256())  # type: ignore[arg-type]
    return made.public_bytes(serialization.Encoding.PEM)


async def test_without_a_certificate_there_is_no_handshake(papers: Papers, register: Register) -> None:
    context = ssl.create_default_context(cadata=papers.authority.certificate.decode())
    async with serving(papers, register) as server:
        with pytest.raises(NO_CONNECTION):
            async with connect(
                f"wss://127.0.0.1:{server.port}/", ssl=context, server_hostname=COUNCIL, proxy=None
            ) as stream:
                await stream.recv()
        await until(lambda: server.counts["failed"] == 1)
    assert register.told == []


async def test_a_removed_node_is_told_so_and_asks_seldom(papers: Papers, register: Register) -> None:
    register.refused[ONE] = Why.REMOVED
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, COUNCIL)
        channel.start()
        await until(lambda: "refused" in caller.moves)
        assert server.counts["refused-removed"] == 1
        assert channel.state.reason == "not you"
        await channel.close(Why.LEAVING)
    assert register.told == []


async def test_a_node_removed_while_it_is_here_is_dismissed(papers: Papers, register: Register) -> None:
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, COUNCIL)
        channel.start()
        await until(lambda: channel.is_open)
        server.dismiss(ONE, Why.REMOVED, "removed by ada")
        await until(lambda: "refused" in caller.moves)
        assert channel.state.reason == "removed by ada"
        await channel.close(Why.LEAVING)
    assert register.ended[ONE] == (Why.REMOVED, "removed by ada")


async def test_a_member_is_known_by_the_councils_name(papers: Papers, register: Register) -> None:
    caller = Caller(papers, ONE)
    async with serving(papers, register) as server:
        channel = Channel(seat(server), caller, "council.other.aware")
        channel.start()
        await until(lambda: "closed" in caller.moves)
        assert "certificate" in channel.state.reason
        await channel.close(Why.LEAVING)
    assert register.told == []


# One channel each ----------------------------------------------------------------------------------------------------


async def test_a_newer_channel_of_the_same_process_takes_the_place(papers: Papers, register: Register) -> None:
    register.beat = 1000.0
    async with serving(papers, register) as server, dialled(papers, server, ONE) as first:
        await first.send(hello())
        await until(lambda: ONE in server.sessions)
        old = server.sessions[ONE]
        async with dialled(papers, server, ONE) as second:
            await second.send(hello())
            word = await _last_word(first)
            assert word is not None
            assert word.why is Why.REPLACED
            assert server.sessions[ONE] is not old
            assert ("closed", ONE) not in register.told


async def test_a_twin_does_not_drive_the_first_one_out(papers: Papers, register: Register) -> None:
    register.beat = 1000.0
    async with serving(papers, register) as server, dialled(papers, server, ONE) as first:
        await first.send(hello("i1"))
        await until(lambda: ONE in server.sessions)
        old = server.sessions[ONE]
        async with dialled(papers, server, ONE) as second:
            await second.send(hello("i2"))
            word = await _last_word(second)
        assert word is not None
        assert word.why is Why.TWIN
        assert server.sessions[ONE] is old
    assert ("twin", ONE) in register.told


async def test_a_node_that_restarted_takes_the_place_of_its_silent_self(papers: Papers, register: Register) -> None:
    register.beat = 1.0
    async with serving(papers, register) as server, dialled(papers, server, ONE) as first:
        await first.send(hello("i1"))
        await until(lambda: ONE in server.sessions and server.sessions[ONE].silent)
        async with dialled(papers, server, ONE) as second:
            await second.send(hello("i2"))
            await until(lambda: server.sessions[ONE].incarnation == "i2")
    assert ("twin", ONE) not in register.told


# Orders --------------------------------------------------------------------------------------------------------------


async def _answer(stream: object, *answers: Result) -> None:
    """Wait for an order and send ``answers``, with its id where they have none."""
    for _ in range(100):
        frame = from_member(await stream.recv())  # type: ignore[attr-defined]
        if isinstance(frame, Command):
            for answer in answers:
                whole = Result(id=answer.id or frame.id, answer=answer.answer, problem=answer.problem)
                await stream.send(encode(whole))  # type: ignore[attr-defined]
            return
    raise AssertionError("no order came")


async def test_an_order_returns_the_nodes_own_answer_or_its_refusal(papers: Papers, register: Register) -> None:
    register.beat = 1000.0
    order = CheckUpgrade(version="1")
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        with pytest.raises(NoChannel):
            await server.command(ONE, order, 1, 1.0)
        await stream.send(hello())
        await until(lambda: ONE in server.sessions)
        task = asyncio.create_task(_answer(stream, Result(id="", answer={"fits": True})))
        assert await server.command(ONE, order, 1, 20.0) == {"fits": True}
        await task
        no = Problem(code="too-old", message="this node is too old", hint="do this")
        task = asyncio.create_task(_answer(stream, Result(id="", problem=no)))
        with pytest.raises(NodeRefused, match="too old"):
            await server.command(ONE, order, 1, 20.0)
        await task
        with pytest.raises(NoAnswer, match="did not answer within"):
            await server.command(ONE, order, 1, 0.05)
        await _answer(stream)  # only read
        task = asyncio.create_task(_answer(stream, Result(id="3"), Result(id="")))  # the first one comes too late
        assert await server.command(ONE, order, 1, 20.0) == {}
        await task
        waiting = asyncio.create_task(server.command(ONE, order, 1, 20.0))
        await asyncio.sleep(0)
        stream.transport.abort()
        with pytest.raises(NoAnswer, match="ended before it answered"):
            await waiting


async def test_orders_to_one_node_are_few_at_a_time(papers: Papers, register: Register) -> None:
    register.beat = 1000.0
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await until(lambda: ONE in server.sessions)
        order = CheckUpgrade(version="1")
        waiting = [asyncio.create_task(server.command(ONE, order, 1, 20.0)) for _ in range(sessions.MAX_ORDERS)]
        await asyncio.sleep(0)
        with pytest.raises(NoChannel, match="wait for this node"):
            await server.command(ONE, order, 1, 20.0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


# What one costs the others -------------------------------------------------------------------------------------------


async def _read_on(stream: object) -> None:
    try:
        while True:
            await stream.recv()  # type: ignore[attr-defined]
    except (ConnectionClosed, OSError):
        pass


async def _flood(stream: object) -> None:
    """Send as fast as it goes, and read, so that it is no slow reader."""
    drain = asyncio.create_task(_read_on(stream))
    try:
        for count in range(1, 200_000):
            await stream.send(encode(Heartbeat(count)))  # type: ignore[attr-defined]
            await asyncio.sleep(0)  # both sides share this loop
    except (ConnectionClosed, OSError):
        pass
    finally:
        drain.cancel()


async def test_a_flood_waits_and_nobody_waits_for_it(papers: Papers, register: Register) -> None:
    """Of all that the flood sends only its share is read, while each beat of the other is answered."""
    register.beat = 1000.0
    async with (
        serving(papers, register) as server,
        dialled(papers, server, ONE) as flooder,
        dialled(papers, server, TWO) as other,
    ):
        await flooder.send(hello())
        await other.send(hello())
        await until(lambda: len(server.sessions) == 2)
        flood = asyncio.create_task(_flood(flooder))
        await until(lambda: server.sessions[ONE].throttled > 3)
        waited = server.sessions[ONE].throttled
        answered = 0
        for count in range(1, 51):
            await other.send(encode(Heartbeat(count)))
            while not isinstance(frame := from_member(await other.recv()), Heartbeat):
                pass
            answered += frame.count == count
        assert answered == 50
        assert server.sessions[TWO].throttled == 0
        await until(lambda: server.sessions[ONE].throttled > waited)  # and the flood goes on
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)


async def test_a_flood_that_does_not_end_is_cut(
    papers: Papers, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.beat = 1000.0
    monkeypatch.setattr(sessions, "FLOOD", 5)
    async with serving(papers, register) as server, dialled(papers, server, ONE) as flooder:
        await flooder.send(hello())
        await _flood(flooder)
        await until(lambda: ONE in register.ended)
        assert server.sessions == {}
    ended = register.ended[ONE]
    assert ended is not None
    assert ended[0] is Why.FLOOD


async def test_who_does_not_read_is_cut(papers: Papers, register: Register) -> None:
    """Its socket and its outbox fill up; nobody waits for it, and what waits for it is bounded."""
    register.beat = 1000.0
    big = NewConfig(version=1, config=Config(vars={"a": "x" * 100_000}))
    async with serving(papers, register) as server, dialled(papers, server, ONE) as stream:
        await stream.send(hello())
        await until(lambda: ONE in server.sessions)
        stream.transport.pause_reading()
        session = server.sessions[ONE]
        sent = 0
        for sent in range(10_000):
            if not session.send(big):
                break
            if sent % 3 == 0:
                await asyncio.sleep(0.001)
        assert sent < 9_999
        await until(lambda: ONE in register.ended)
    assert register.ended[ONE] == (Why.SLOW, "it does not read what it is sent")


async def test_strangers_take_only_their_share_of_the_seats(papers: Papers, register: Register) -> None:
    """Connections that say nothing: bounded per source, and those beyond are closed before anything is spent on TLS."""
    limits = SourceLimits(rate=1000, burst=1000, pending_each=3, pending=8)
    async with serving(papers, register, limits) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6)]
        await until(lambda: server.counts["limited"] == 3)
        assert server.states()["connecting"] == 3
        for sock in idle:
            sock.close()
        await until(lambda: server.states()["connecting"] == 0)
        async with dialled(papers, server, ONE) as stream:
            await stream.send(hello())
            await until(lambda: ONE in server.sessions)


# Ports and two channels ----------------------------------------------------------------------------------------------


def test_a_port_in_use_is_one_sentence() -> None:
    with listen("127.0.0.1", 0, "channel") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1"):
            listen("127.0.0.1", port, "channel")
    with pytest.raises(InvalidInput, match="not an IP address"):
        listen("nowhere", 0, "channel")
    with pytest.raises(AddressMissing, match="no interface of this machine has") as missing:
        listen("192.0.2.1", 0, "channel")
    assert missing.value.exit_code == 17


async def test_a_member_known_by_its_address_keeps_its_channel_when_its_name_is_known(papers: Papers) -> None:
    register, caller = Register(), Caller(papers, ONE)
    links = Links(caller, COUNCIL)
    async with serving(papers, register) as server:
        named = seat(server)
        links.aim([type(named)(id=named.channel, name=named.channel, url="", channel=named.channel)])
        await until(lambda: links.states()["open"] == 1)
        session = server.sessions[ONE]
        links.aim([named])
        channel = links.get(named.id)
        assert channel is not None
        assert channel.is_open
        assert server.sessions[ONE] is session
        assert channel.seat == named
        await links.close(Why.LEAVING)
    assert register.told.count(("opened", ONE)) == 1


async def test_a_node_keeps_two_channels_and_leaves_those_it_does_not_need(papers: Papers) -> None:
    registers = [Register(), Register(), Register()]
    caller = Caller(papers, ONE)
    links = Links(caller, COUNCIL)
    async with (
        serving(papers, registers[0]) as first,
        serving(papers, registers[1]) as second,
        serving(papers, registers[2]) as third,
    ):
        seats = [
            type(seat(server))(id=node_id(number), name=f"m{number}", url="https://x", channel=seat(server).channel)
            for number, server in enumerate((first, second, third))
        ]
        links.aim(seats)
        await until(lambda: links.states()["open"] == 2)
        assert third.sessions == {}
        kept = second.sessions[ONE]
        links.aim([seats[1], seats[2]])
        await until(lambda: links.states()["open"] == 2 and ONE in registers[0].ended)
        assert second.sessions[ONE] is kept
        links.post(NewReport(report("both")))
        await until(lambda: all(("reported", "both") in r.told for r in registers[1:]))
        await links.close(Why.LEAVING)
        await until(lambda: all(ONE in r.ended for r in registers))
    assert [r.ended[ONE][0] for r in registers if r.ended[ONE]] == [Why.UNNEEDED, Why.LEAVING, Why.LEAVING]  # type: ignore[index]


async def test_a_member_that_has_come_is_dialled_at_once_however_often_that_failed_before(papers: Papers) -> None:
    register, caller = Register(), Caller(papers, ONE)
    links = Links(caller, COUNCIL)
    async with serving(papers, register) as server:
        member = seat(server)
    links.aim([member])  # nobody listens there any more
    channel = links.get(member.id)
    assert channel is not None
    await until(lambda: channel.state.absent)
    channel.state = msgspec.structs.replace(channel.state, failures=16, wake_at=channel.state.wake_at + 3600)
    channel.feed(Tick())
    assert channel.state.phase is Phase.CLOSED
    links.alive({member.id: "first"})
    assert channel.state.phase is Phase.CONNECTING
    await until(lambda: channel.state.phase is Phase.CLOSED)
    assert channel.state.failures == 1
    links.alive({member.id: "first"})
    assert channel.state.phase is Phase.CLOSED, "a sign that is known is no news"
    links.alive({member.id: "second"})
    assert channel.state.phase is Phase.CONNECTING
    await links.close(Why.LEAVING)


def test_a_bad_frame_names_its_fault() -> None:
    with pytest.raises(BadFrame) as caught:
        from_member(b"\x02\x80")
    assert caught.value.fault == "version"


@pytest.mark.parametrize(
    "scene",
    [
        test_a_channel_opens_beats_and_says_good_bye,
        test_a_huge_frame_is_not_read,
        test_a_newer_channel_of_the_same_process_takes_the_place,
        test_a_flood_that_does_not_end_is_cut,
        test_an_order_returns_the_nodes_own_answer_or_its_refusal,
        test_strangers_take_only_their_share_of_the_seats,
        test_who_does_not_read_is_cut,
        test_without_a_certificate_there_is_no_handshake,
    ],
)
def test_the_loop_agents_run_on_has_tls_of_its_own(
    scene: Callable[..., Coroutine[object, object, None]],
    papers: Papers,
    register: Register,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same scenes on uvloop; each asserts what it is about."""
    wanted = {"monkeypatch": monkeypatch} if "monkeypatch" in inspect.signature(scene).parameters else {}
    uvloop.run(scene(papers, register, **wanted))
    assert asyncio._get_running_loop() is None
