"""A node is sent away: the queen does without it, gives its work to others, and takes it back when she is told."""

from __future__ import annotations

import time

import msgspec
import pytest
from queen_support import Queen, refused, with_council

from aware_agent.colony.election import Resign
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.node import Record, Status
from aware_agent.colony.seats import SeatMove
from aware_agent.colony.spec import CasteSpec
from aware_agent.queen import commands as do
from aware_agent.queen.council_duty import RecordedColony
from aware_agent.queen.drain import REIGN_S, Drain
from tests.memory_colony import node_id


@pytest.fixture
def queen() -> Queen:
    queen = Queen(nodes=4)
    queen.colony.put_spec(size=4, castes={"web": CasteSpec(count=2)})
    return queen


def record(queen: Queen, number: int) -> Record:
    return queen.colony.reader.records()[node_id(number)]


async def once(queen: Queen) -> float | None:
    return await queen.reign._reconciler.once()


async def serving(queen: Queen) -> int:
    """Number of a node that serves in web and does not reign."""
    await once(queen)
    return next(n for n in (1, 2, 3) if node_id(n) in queen.colony.reader.data().castes["web"])


async def test_the_colony_is_well_without_it_and_history_says_who_why_and_until_when(queen: Queen) -> None:
    number = await serving(queen)
    until = time.time() + 3600
    await queen.run(do.SendAway(node=f"demo-{number + 1}", reason="a new disk", until=until))
    queen.colony.delete(queen.colony.keys.key("presence", node_id(number)))
    await once(queen)
    away = record(queen, number).away
    assert away is not None
    assert (away.by, away.reason, away.until, away.here, away.caste) == ("ada", "a new disk", until, False, "web")
    line = next(event for event in queen.events() if event.type == "node.away")
    assert line.message.startswith(f"demo-{number + 1} is away until 2")
    assert line.message.endswith(": a new disk")
    assert line.actor == "ada"
    assert node_id(number) not in queen.colony.reader.data().castes["web"]
    view = queen.colony.reader.view()
    assert (view.status, view.reason) == ("healthy", f"3 nodes are ready, away: demo-{number + 1}")
    assert {"node.suspect", "node.dead"}.isdisjoint(queen.told())


async def test_what_only_it_could_do_is_missing_and_excused_but_not_more(queen: Queen) -> None:
    queen.colony.put_spec(size=4, castes={"web": CasteSpec(count=4)})
    await once(queen)
    await queen.run(do.SendAway(node="demo-3"))
    await once(queen)
    assert queen.colony.reader.view().castes[0].missing == 1
    assert queen.colony.reader.view().status == "healthy"
    queen.colony.put_spec(size=4, castes={"web": CasteSpec(count=4), "db": CasteSpec(count=1)})
    await once(queen)
    assert queen.colony.reader.view().status == "degraded"
    assert queen.colony.reader.view().reason == "missing 1 in db"


async def test_it_stays_away_when_it_comes_by_itself_and_is_back_when_told(queen: Queen) -> None:
    number = await serving(queen)
    name = f"demo-{number + 1}"
    await queen.run(do.SendAway(node=name))
    queen.colony.delete(queen.colony.keys.key("presence", node_id(number)))
    await once(queen)
    queen.colony.put(queen.colony.keys.key("presence", node_id(number)), record(queen, number).report)
    await once(queen)
    assert record(queen, number).status is Status.AWAY
    assert queen.events()[-1].message == f"{name} answers and stays away: aware nodes back {name}"
    before = queen.colony.etcd.revision
    await once(queen)
    assert queen.colony.etcd.revision == before, "told once"
    await queen.run(do.BringBack(node=name))
    assert (record(queen, number).status, record(queen, number).away) == (Status.READY, None)
    assert (queen.events()[-1].type, queen.events()[-1].message) == ("node.back", f"{name} is back")
    assert not (await queen.run(do.BringBack(node=name))).changed


async def test_at_its_deadline_it_is_missed(queen: Queen) -> None:
    await queen.run(do.SendAway(node="demo-3", until=time.time() + 0.2))
    queen.colony.delete(queen.colony.keys.key("presence", node_id(2)))
    again_in = await once(queen)
    assert again_in is not None, "she looks again by herself"
    key = queen.colony.keys.key("nodes", node_id(2))
    late = msgspec.structs.replace(record(queen, 2).away, until=time.time() - 1)
    queen.colony.put(key, msgspec.structs.replace(record(queen, 2), away=late))
    await once(queen)
    assert (record(queen, 2).status, record(queen, 2).away) == (Status.SUSPECT, None)
    assert queen.events()[-1].message == "demo-3 was to be back by now and is silent"


async def test_reason_and_deadline_are_replaced_and_since_stays(queen: Queen) -> None:
    await queen.run(do.SendAway(node="demo-3", reason="a look"))
    first = record(queen, 2).away
    assert first is not None
    assert not (await queen.run(do.SendAway(node="demo-3", reason="a look"))).changed
    await queen.run(do.SendAway(node="demo-3", reason="a new disk"), actor="bob")
    second = record(queen, 2).away
    assert second is not None
    assert (second.since, second.reason, second.by) == (first.since, "a new disk", "bob")


async def test_what_cannot_be_is_refused(queen: Queen) -> None:
    await refused(queen, do.SendAway(node="nobody"), NotFound)
    await refused(queen, do.BringBack(node="nobody"), NotFound)
    await refused(queen, do.SendAway(node="demo-3", reason="a\nb"), InvalidInput)
    await refused(queen, do.SendAway(node="demo-3", until=1.0), InvalidInput)
    alone = Queen(nodes=1)
    assert "demo-1 reigns, and nobody else could" in await refused(alone, do.SendAway(node="demo-1"), Conflict)


async def test_one_that_answers_is_removed_by_force_only(queen: Queen) -> None:
    await queen.run(do.SendAway(node="demo-3"))
    assert "demo-3 is away and answers" in await refused(queen, do.RemoveNode(node="demo-3"), Conflict)
    queen.colony.delete(queen.colony.keys.key("presence", node_id(2)))
    await once(queen)
    assert (await queen.run(do.RemoveNode(node="demo-3"))).changed


async def test_the_queen_hands_over_and_is_no_heir() -> None:
    resigned: list[Resign] = []
    queen = with_council(resign=resigned.append)
    before = queen.reign._drain
    seconds = [0.0]
    drain = Drain(before._writer, before._me, before._wishes, before._council, lambda: seconds[0])
    await queen.run(do.SendAway(node="demo-1"))
    await drain.once()
    assert resigned == [], "a moment after its successor failed it must not hand over again"
    seconds[0] = REIGN_S
    await drain.once()
    (order,) = resigned
    assert order.to != node_id(0)
    line = queen.colony.reader.line()
    assert line[-1] == node_id(0), "it reigns when nobody else would"


async def test_one_that_answers_moves_its_seat_and_one_that_is_silent_is_the_keepers() -> None:
    queen = with_council(resign=lambda _: None)
    drain = queen.reign._drain
    await queen.run(do.SendAway(node="demo-2"))
    await drain.once()
    move = queen.colony.reader.one("council-move", SeatMove)
    assert move is not None
    assert move.source == node_id(1)
    queen.colony.delete(queen.colony.keys.key("council-move"))
    queen.colony.delete(queen.colony.keys.key("presence", node_id(1)))
    await once(queen)
    before = queen.colony.etcd.revision
    await drain.once()
    assert queen.colony.etcd.revision == before
    (mine,) = (one for one in RecordedColony(queen.colony.writer(), node_id(0)).candidates() if one.id == node_id(1))
    assert mine.obstacle == "demo-2 is away"
