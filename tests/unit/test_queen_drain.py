"""A drained node gives up its reign, its seat and its caste to who can take them, and keeps what nobody can."""

from __future__ import annotations

import time
from typing import Any, cast

import msgspec
import pytest
from queen_support import Queen, refused, with_council

from aware_agent.colony.election import Resign
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.node import Status
from aware_agent.colony.seats import Council, SeatMove
from aware_agent.queen import commands as do
from aware_agent.queen.council_keeper import CouncilKeeper
from aware_agent.queen.drain import REIGN_S, Drain
from tests.memory_colony import node_id


class Clock:
    """Seconds that go forward by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Drained:
    """A queen with a council of three in five nodes, the clock of her drain, and whom she resigns for."""

    def __init__(self) -> None:
        self.resigned: list[Resign] = []
        self.queen: Queen = with_council(resign=self.resigned.append)
        self.clock = Clock()
        before = self.queen.reign._drain
        self.drain = Drain(before._writer, before._me, before._wishes, before._council, self.clock)

    async def put(self, number: int, **changes: Any) -> None:
        await self.queen.run(do.ChangeNode(node=node_id(number), **changes))

    @property
    def move(self) -> SeatMove | None:
        return self.queen.colony.reader.one("council-move", SeatMove)


@pytest.fixture
def drained() -> Drained:
    return Drained()


async def test_nobody_is_drained_and_nothing_is_written(drained: Drained) -> None:
    before = drained.queen.colony.etcd.revision
    assert await drained.drain.once() is None
    assert drained.queen.colony.etcd.revision == before


async def test_who_is_drained_is_cordoned_and_open_for_work_is_neither(drained: Drained) -> None:
    def state() -> tuple[bool, bool]:
        record = drained.queen.colony.reader.records()[node_id(1)]
        return record.cordoned, record.drained

    for changes, wanted, said in (
        ({"drained": True}, (True, True), "demo-2 is drained"),
        ({"drained": False}, (True, False), "demo-2 is cordoned"),
        ({"drained": True}, (True, True), "demo-2 is drained"),
        ({"cordoned": False}, (False, False), "demo-2 is open for work"),
    ):
        await drained.put(1, **changes)
        assert state() == wanted
        assert drained.queen.events()[-1].message == said
    assert drained.queen.events()[-1].payload == {"cordoned": False, "drained": False}
    wrong = do.ChangeNode(node=node_id(1), cordoned=False, drained=True)
    assert "a drained node is cordoned" in await refused(drained.queen, wrong, InvalidInput)


async def test_its_seat_goes_to_whom_the_keeper_would_choose(drained: Drained) -> None:
    await drained.put(1, drained=True)
    await drained.put(3, cordoned=True)
    await drained.drain.once()
    assert drained.move is not None
    assert (drained.move.source, drained.move.target) == (node_id(1), node_id(4)), "cordoned nodes get no seat"
    before = drained.queen.colony.etcd.revision
    await drained.drain.once()
    assert drained.queen.colony.etcd.revision == before, "one seat at a time"


async def test_a_seat_that_nobody_can_take_stays_and_that_is_told_once(drained: Drained) -> None:
    for number in (1, 3, 4):
        await drained.put(number, drained=True)
    drained.queen.begun_at = drained.queen.colony.etcd.revision
    for _ in range(3):
        assert await drained.drain.once() is not None
    assert drained.move is None
    (event,) = drained.queen.events()
    assert event.type == "node.drain_waits"
    assert event.subject == node_id(1)
    assert event.message.startswith("demo-2 is drained and keeps its seat in the council: nobody can take the seat")
    await drained.put(4, cordoned=False)
    await drained.drain.once()
    assert drained.move is not None


async def test_a_drained_queen_hands_over_to_the_first_in_line_that_is_not_drained(drained: Drained) -> None:
    await drained.put(0, drained=True)
    await drained.put(1, drained=True)
    await drained.drain.once()
    assert drained.resigned == [], "who was just elected, as nobody else was there, does not hand over at once"
    drained.clock.now = REIGN_S
    await drained.drain.once()
    (resigned,) = drained.resigned
    assert resigned.to == node_id(2)
    assert "demo-1 is drained" in resigned.reason


async def test_the_drained_stand_last_in_line_and_nobody_hands_over_to_them(drained: Drained) -> None:
    await drained.put(1, drained=True)
    view = drained.queen.colony.reader.view()
    assert [node.name for node in sorted(view.nodes, key=lambda node: node.rank if node.rank is not None else -1)] == [
        "demo-1", "demo-3", "demo-4", "demo-5", "demo-2",
    ]  # fmt: skip
    assert view.heir == node_id(2)
    assert drained.queen.colony.reader.line()[-1] == node_id(1)
    assert "demo-2 is drained" in await refused(drained.queen, do.Transfer(node=node_id(1)), Conflict)


async def test_a_node_whose_etcd_did_not_start_is_passed_over_for_as_long_as_the_keeper_does(drained: Drained) -> None:
    duty = drained.queen.reign._council
    keeper = CouncilKeeper(duty._colony, cast("Any", None))
    keeper._state = Council(avoid={node_id(3): time.time() + 600.0})
    duty._keeper = keeper
    await drained.put(1, drained=True)
    await drained.drain.once()
    assert drained.move is not None
    assert drained.move.target == node_id(4)


async def test_a_drained_queen_reigns_on_while_nobody_else_can(drained: Drained) -> None:
    drained.clock.now = REIGN_S
    for number in (0, 1, 2):
        await drained.put(number, drained=True)
    for number in (3, 4):
        record = drained.queen.colony.reader.records()[node_id(number)]
        dead = msgspec.structs.replace(record, status=Status.DEAD)
        drained.queen.colony.put(drained.queen.colony.keys.key("nodes", node_id(number)), dead)
        drained.queen.colony.delete(drained.queen.colony.keys.key("presence", node_id(number)))
    await drained.drain.once()
    assert drained.resigned == []
    assert drained.move is None


async def test_an_etcd_of_operators_is_left_to_them(drained: Drained) -> None:
    drained.queen.colony.put_spec(size=5)
    drained.queen.colony.delete(drained.queen.colony.keys.key("council"))
    await drained.put(1, drained=True)
    before = drained.queen.colony.etcd.revision
    await drained.drain.once()
    assert drained.queen.colony.etcd.revision == before
