"""Attack: a worker lies about how busy it is: impossible numbers, junk, thousands of them."""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from aware_agent.agent.member.channels import MemberChannels
from aware_agent.agent.orders import Orders
from aware_agent.agent.settings import ChannelSettings
from aware_agent.channel.frames import Heartbeat, encode, from_member
from aware_agent.channel.server import ChannelServer
from aware_agent.colony.load import Load
from aware_agent.listening import listen
from aware_agent.queen.present import Present
from aware_agent.queen.reconcile import Reconciler
from tests.memory_colony import MemoryColony, node_id

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from channel_support import Papers, dialled, hello, until

HONEST = Load(cpu=500, load=100, memory_used_mib=1, memory_mib=2, disk_used_mib=1, disk_mib=2)
LIES: tuple[Any, ...] = (
    [1001, 0, 1, 1, 1, 1],
    [-1, 0, 1, 1, 1, 1],
    [math.nan, 0, 1, 1, 1, 1],
    [1, 0, 2**62, 2**63, 1, 1],
    [1, 0, 9, 1, 1, 1],
    {"\x1b[2J": ["\x1b[2J"]},
    "\x1b[2Jlook here\n",
    [],
)
JUNK = (b"\xc1", b"\x91" * 60_000, b"x" * 60_000, b"\xdd\xff\xff\xff\xff", b"\x00")


class Listening:
    """A queen's channels, with a record for each of three workers."""

    def __init__(self, papers: Papers) -> None:
        self.colony = MemoryColony()
        self.colony.put_spec(size=4)
        self.colony.add_node(0)
        for number in (1, 2, 3):
            self.colony.add_node(number, record={"eligible": False})
        self.colony.begin_reign(0)
        orders = Orders(SimpleNamespace())  # type: ignore[arg-type]  # nobody is ordered by it
        reader = self.colony.reader
        self.channels = MemberChannels(node_id(0), ChannelSettings(), (Path(), Path()), lambda: reader, orders)
        self.server = ChannelServer(node_id(0), listen("127.0.0.1", 0, "channel"), papers.server(), self.channels)
        self.channels._server = self.server
        self.papers = papers
        present = Present(reader, self.channels)
        writer = self.colony.writer()
        self.reconciler = Reconciler(writer, self.colony.history, node_id(0), present, lambda _now: [])

    def events(self) -> list[Any]:
        found = self.colony.history.since(0, 1000)
        return [event for _, event in found if event.type == "node.load-refused"]

    def session(self, number: int) -> Any:
        return self.server.sessions[node_id(number)]


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Listening]:
    made = Listening(Papers(tmp_path / "papers"))
    await made.server.start()
    yield made
    await made.server.stop()


async def _beats(stream: Any, *loads: bytes) -> None:
    """Heartbeats with these loads; each is answered."""
    for count, raw in enumerate(loads, 1):
        await stream.send(encode(Heartbeat(count, raw)))
        async with asyncio.timeout(30):
            while from_member(await stream.recv()) != Heartbeat(count):
                pass


async def test_impossible_loads_are_refused_one_by_one_and_said_once(listening: Listening) -> None:
    lies = [*(msgspec.msgpack.encode(lie) for lie in LIES), *JUNK]
    async with (
        dialled(listening.papers, listening.server, node_id(1)) as liar,
        dialled(listening.papers, listening.server, node_id(2)) as honest,
    ):
        await liar.send(hello())
        await honest.send(hello())
        await _beats(honest, msgspec.msgpack.encode(HONEST))
        await _beats(liar, msgspec.msgpack.encode(HONEST), *lies)
        await until(lambda: listening.session(1).refused_loads == len(lies))
        assert listening.session(1).load == HONEST, "what it said last that can be"
        assert listening.session(2).load == HONEST
        assert listening.session(2).refused_loads == 0
        await listening.reconciler.once()
        await listening.reconciler.once()
        state = listening.channels.state(node_id(1))
        assert (state.state, state.refused_loads) == ("open", len(lies)), "its heartbeats count all the same"
    events = listening.events()
    assert [event.subject for event in events] == [node_id(1)]
    assert "tells a load that cannot be" in events[0].message
    assert events[0].message.isprintable()
    (family,) = (f for f in listening.channels.families() if f.name == "aware_loads_refused_total")
    assert family.samples[0][1] == len(lies)


async def test_a_flood_of_lies_is_one_line_of_history_and_costs_only_the_liar(
    listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    lie = msgspec.msgpack.encode(LIES[0])
    async with (
        dialled(listening.papers, listening.server, node_id(1)) as liar,
        dialled(listening.papers, listening.server, node_id(2)) as honest,
    ):
        await liar.send(hello())
        await honest.send(hello())

        async def flood() -> None:
            for count in itertools.count(1):
                await liar.send(encode(Heartbeat(count, lie)))

        await until(lambda: len(listening.server.sessions) == 2)
        flooding = asyncio.create_task(flood())
        await until(lambda: listening.session(1).throttled > 0)
        await _beats(honest, msgspec.msgpack.encode(HONEST))
        await listening.reconciler.once()
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        assert listening.session(2).load == HONEST
        assert listening.session(1).refused_loads > 50
    await listening.reconciler.once()
    assert len(listening.events()) == 1
    assert sum("tells a load that cannot be" in line for line in caplog.messages) == 1


async def test_a_lie_that_could_be_true_stays_the_liars_own(listening: Listening) -> None:
    """Nobody can tell it from the truth; it is shown as the node's own word and moves no other node's numbers."""
    async with dialled(listening.papers, listening.server, node_id(1)) as liar:
        await liar.send(hello())
        await _beats(liar, msgspec.msgpack.encode(msgspec.structs.replace(HONEST, cpu=1000)))
        await listening.reconciler.once()
        assert listening.session(1).load.cpu == 1000
    assert listening.events() == []
