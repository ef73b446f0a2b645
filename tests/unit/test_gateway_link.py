"""The socket between an agent and its gateway: frames that are cut, huge or strange, errors that cross it whole."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from aware_agent.agent.explanation import Explanation
from aware_agent.agent.member.frames import MAX_FRAME, FrameBroken, frame, read_frame
from aware_agent.agent.member.gateway_link import GatewayLink
from aware_agent.agent.member.link import VERSION, AskElection, AskFacts, Do, Done, Facts, FromGateway, Hello, Serving
from aware_agent.agent.member.remote_error import describe, revive
from aware_agent.agent.parts import NotElecting
from aware_agent.colony.audit import Asker
from aware_agent.colony.errors import AwareError, Conflict, Deposed, InvalidInput
from aware_agent.gateway.agent_link import AgentLink
from aware_agent.gateway.errors import AgentHangs, AgentSilent, InternalError
from aware_agent.queen.commands import DeleteUser, StepDown, Written
from aware_agent.queen.writer import Contended, RevisionChanged
from aware_agent.security.token import TokenRefused
from aware_agent.store.errors import StoreUnreachable
from aware_agent.telemetry import gauge
from tests.explained import explanation

LIMIT_S = 20.0
Execute = Callable[[Do], Awaitable[Done]]


def _reader(*parts: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    for part in parts:
        reader.feed_data(part)
    reader.feed_eof()
    return reader


async def test_frames_are_read_as_they_were_written() -> None:
    reader = _reader(frame(b"one"), frame(b""), frame(b"x" * MAX_FRAME))
    assert [len(await read_frame(reader) or b"") for _ in range(3)] == [3, 0, MAX_FRAME]
    assert await read_frame(reader) is None


@pytest.mark.parametrize("raw", [frame(b"whole")[:-1], b"\0\0", b"\xff\xff\xff\xff", b"\0\x40\0\1"])
async def test_what_is_cut_or_too_long_is_refused_before_it_is_read(raw: bytes) -> None:
    with pytest.raises(FrameBroken):
        await read_frame(_reader(raw))
    with pytest.raises(FrameBroken, match="too long"):
        frame(b"x" * (MAX_FRAME + 1))


@pytest.mark.parametrize(
    "error",
    [
        Conflict("in the way", hint="go round"),
        Deposed(12),
        InvalidInput("no", field="castes.web"),
        RevisionChanged(3, 4),
        Contended(),
        TokenRefused("no such token"),
        StoreUnreachable("who knows", maybe_applied=True),
        InternalError("abcdef"),
    ],
)
def test_an_error_is_the_same_on_the_other_side(error: AwareError) -> None:
    told = revive(msgspec.msgpack.decode(msgspec.msgpack.encode(describe(error)), type=type(describe(error))))
    assert type(told) is type(error)
    assert (str(told), told.code, told.status, told.exit_code) == (
        str(error),
        error.code,
        error.status,
        error.exit_code,
    )
    plain = {name: value for name, value in vars(error).items() if isinstance(value, (str, int, float, bool))}
    assert plain.items() <= vars(told).items()


def test_an_error_nobody_here_knows_keeps_what_it_said() -> None:
    told = revive(msgspec.structs.replace(describe(Conflict("later")), code="of-the-future", status=418))
    assert (told.code, told.status, told.message) == ("of-the-future", 418, "later")


class Beside:
    """An agent's end of the socket, in this process, which is its own gateway."""

    def __init__(self, directory: Path, execute: Execute) -> None:
        self.link = GatewayLink(directory / "gateway.sock", self.facts, self.explain, execute)
        self.link.expected = os.getpid()
        self.trouble: Exception | None = None
        self.explained = 0

    def explain(self) -> Explanation:
        if self.trouble is not None:
            raise self.trouble
        self.explained += 1
        return explanation()

    def facts(self, number: int) -> Facts:
        return Facts(id=number, ready=True, reason="reigning", term=7, families=[gauge("aware_up", "Up.", 1)])

    async def say(self, *messages: FromGateway | bytes) -> bytes:
        """What comes back until the agent hangs up."""
        reader, writer = await asyncio.open_unix_connection(self.link.path)
        for message in messages:
            writer.write(message if isinstance(message, bytes) else frame(msgspec.msgpack.encode(message)))
        try:
            async with asyncio.timeout(LIMIT_S):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


async def _wrote(do: Do) -> Done:
    return Done(id=do.id, revision=9, result=msgspec.Raw(msgspec.msgpack.encode(Written(9, do.term, True))))


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Callable[[Execute], Awaitable[Beside]]]:
    made: list[Beside] = []

    async def make(execute: Execute = _wrote) -> Beside:
        made.append(Beside(tmp_path, execute))
        await made[-1].link.open()
        return made[-1]

    yield make
    for each in made:
        await each.link.close()


@pytest.mark.parametrize(
    "messages",
    [
        [Hello(version=VERSION + 1)],
        [AskFacts(id=1)],
        [AskElection(id=1)],
        [b"\xff\xff\xff\xff"],
        [frame(b"nonsense")],
        [frame(msgspec.msgpack.encode({"type": "rule-the-world"}))],
        [Hello(version=VERSION), Hello(version=VERSION)],
        [Hello(version=VERSION), b"\0\x80\0\0"],
    ],
)
async def test_who_breaks_the_rules_is_hung_up_on(
    beside: Callable[..., Awaitable[Beside]], messages: list[FromGateway | bytes]
) -> None:
    agent = await beside()
    assert await agent.say(*messages) == b""
    assert not agent.link.serving.is_set()


async def test_another_process_is_turned_away(beside: Callable[..., Awaitable[Beside]]) -> None:
    agent = await beside()
    agent.link.expected = os.getpid() + 1
    assert await agent.say(Hello(version=VERSION), AskFacts(id=1)) == b""
    agent.link.expected = 0
    assert await agent.say(Hello(version=VERSION), AskFacts(id=1)) == b""


async def test_it_is_told_once_when_requests_are_answered_and_once_when_no_more(
    beside: Callable[..., Awaitable[Beside]],
) -> None:
    agent = await beside()
    told: list[bool] = []
    agent.link.changed = lambda: told.append(agent.link.serving.is_set())
    assert await agent.say(Hello(version=VERSION), Serving(), Serving(), frame(b"nonsense")) == b""
    assert told == [True, False]


async def test_a_stranger_at_the_socket_does_not_make_the_gateway_seem_gone(
    beside: Callable[..., Awaitable[Beside]],
) -> None:
    """Or any process of this user could make a queen hand over."""
    agent = await beside()
    reader, writer = await asyncio.open_unix_connection(agent.link.path)
    writer.write(b"".join(frame(msgspec.msgpack.encode(one)) for one in (Hello(version=VERSION), Serving())))
    async with asyncio.timeout(LIMIT_S):
        await agent.link.serving.wait()
    agent.link.expected = os.getpid() + 1
    assert await agent.say(Hello(version=VERSION)) == b""
    assert agent.link.serving.is_set()
    writer.close()
    assert await reader.read() == b""


async def _settled(_: int) -> None:
    return


class Gateway:
    """The gateway's end, connected."""

    def __init__(self, path: Path) -> None:
        self.link = AgentLink(path)

    async def __aenter__(self) -> AgentLink:
        await self.link.connect()
        self._task = asyncio.create_task(self.link.run())
        return self.link

    async def __aexit__(self, *_: object) -> None:
        self.link.close()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_facts_and_commands_come_through(beside: Callable[..., Awaitable[Beside]]) -> None:
    asked: list[Do] = []

    async def execute(do: Do) -> Done:
        asked.append(do)
        return await _wrote(do)

    agent = await beside(execute)
    seen: list[int] = []

    async def settle(revision: int) -> None:
        seen.append(revision)

    async with Gateway(agent.link.path) as link:
        link.tell_serving()
        facts = await link.facts()
        assert facts is not None
        assert (facts.reason, facts.term, facts.families[0].name) == ("reigning", 7, "aware_up")
        written = await link.run_command(
            DeleteUser(name="eva"), term=7, actor="ada", asker=Asker(source="10.0.0.1", request="r"), settle=settle
        )
        async with asyncio.timeout(LIMIT_S):
            await agent.link.serving.wait()
    assert written == Written(9, 7, True)
    assert seen == [9]
    assert (asked[0].actor, asked[0].asker.source, asked[0].term) == ("ada", "10.0.0.1", 7)


async def test_a_refusal_and_a_bug_are_told_apart(
    beside: Callable[..., Awaitable[Beside]], caplog: pytest.LogCaptureFixture
) -> None:
    async def execute(do: Do) -> Done:
        if do.actor == "ada":
            raise Conflict("the last admin stays")
        raise ZeroDivisionError("the password is hunter2")

    agent = await beside(execute)
    async with Gateway(agent.link.path) as link:
        with pytest.raises(Conflict, match="the last admin stays"):
            await link.run_command(StepDown(), term=1, actor="ada", asker=Asker(), settle=_settled)
        with pytest.raises(InternalError) as bug:
            await link.run_command(StepDown(), term=1, actor="otto", asker=Asker(), settle=_settled)
    assert "hunter2" not in str(bug.value)
    assert bug.value.incident in caplog.text


async def test_an_agent_that_goes_leaves_nobody_waiting(beside: Callable[..., Awaitable[Beside]]) -> None:
    begun = asyncio.Event()

    async def execute(do: Do) -> Done:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    agent = await beside(execute)
    async with Gateway(agent.link.path) as link:
        waiting = asyncio.create_task(link.run_command(StepDown(), term=1, actor="ada", asker=Asker(), settle=_settled))
        await begun.wait()
        await agent.link.close()
        async with asyncio.timeout(LIMIT_S):
            await link.lost.wait()
            with pytest.raises(AgentSilent) as silent:
                await waiting
    assert silent.value.maybe_applied


async def test_the_election_is_explained_once_for_all_who_ask(beside: Callable[..., Awaitable[Beside]]) -> None:
    agent = await beside()
    async with Gateway(agent.link.path) as link:
        told = await asyncio.gather(*(link.explanation() for _ in range(20)))
        assert told == [explanation()] * 20
    assert agent.explained == 1


async def test_an_agent_that_cannot_explain_says_so_and_serves_on(beside: Callable[..., Awaitable[Beside]]) -> None:
    agent = await beside()
    async with Gateway(agent.link.path) as link:
        agent.trouble = NotElecting("n takes no part in the election yet: starting")
        with pytest.raises(NotElecting, match="starting"):
            await link.explanation()
        agent.trouble = ZeroDivisionError()
        with pytest.raises(AwareError, match="this is a bug"):
            await link.explanation()
        agent.trouble = None
        assert await link.explanation() == explanation()


async def test_an_agent_that_is_gone_explains_nothing(beside: Callable[..., Awaitable[Beside]]) -> None:
    agent = await beside()
    async with Gateway(agent.link.path) as link:
        await link.facts()
        await agent.link.close()
        with pytest.raises(AgentHangs):
            await link.explanation()
