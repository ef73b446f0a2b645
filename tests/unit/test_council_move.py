"""Who may ask for a seat to move, whom the queen chooses, and what she says when it cannot be."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from queen_support import Queen, refused, with_council

from aware_agent.colony.council_move import Situation, choose_target
from aware_agent.colony.errors import Conflict, NotFound
from aware_agent.colony.node import Status
from aware_agent.colony.seats import Candidate, CouncilRecord, Seat, SeatMove
from aware_agent.colony.spec import CouncilSpec
from aware_agent.queen import commands as do
from tests.memory_colony import node_id

SEATS = tuple(Seat(member=number, node=node, name=node) for number, node in enumerate("abc"))
NODES = [Candidate(id=node, name=node, zone="xyzxy"[number]) for number, node in enumerate("abcde")]
WELL = Situation(spec=CouncilSpec(size=3), record=CouncilRecord(seats=SEATS), candidates=NODES, queen="a")


def changed(**fields: object) -> Situation:
    return msgspec.structs.replace(WELL, **fields)


def seats(**changes: object) -> CouncilRecord:
    """The last of them is otherwise."""
    return CouncilRecord(seats=(*SEATS[:2], msgspec.structs.replace(SEATS[2], **changes)), message="c copies data")


def nodes(**changes: object) -> list[Candidate]:
    """Node d is otherwise."""
    return [msgspec.structs.replace(node, **changes) if node.id == "d" else node for node in NODES]


def test_whom_the_admin_named_gets_it() -> None:
    assert choose_target(WELL, "b", "e") == "e"


def test_else_who_keeps_the_zones_spread() -> None:
    assert choose_target(WELL, "b") == "e", "zone y is free when b goes"
    assert choose_target(WELL, "c") == "d", "the longest known of equals"


@pytest.mark.parametrize(
    ("situation", "source", "target", "said"),
    [
        (changed(spec=None), "b", "d", "the spec has no council"),
        (changed(pending=SeatMove(source="c", target="d", asked_at=0.0)), "b", "e", "being moved already"),
        (WELL, "d", "e", "d has no seat in the council"),
        (changed(record=seats(learner=True)), "c", "d", "c has no seat in the council"),
        (WELL, "a", "d", "a reigns, and the queen keeps her seat"),
        (changed(record=seats(learner=True)), "b", "d", "the council is changing already: c copies data"),
        (changed(spec=CouncilSpec(size=5)), "b", "d", "the council is changing already: it has 3 of 5 seats"),
        (changed(record=seats(healthy=False)), "b", "d", "c is silent, and etcd adds nobody meanwhile"),
        (WELL, "b", "c", "c has a seat already"),
        (WELL, "b", "b", "b has a seat already"),
        (changed(candidates=NODES[:3]), "b", "d", "not allowed into the council"),
        (changed(candidates=NODES[:3]), "b", "", "nobody can take the seat"),
        (changed(candidates=nodes(status=Status.SUSPECT)), "b", "d", "it cannot take the seat: d is suspect"),
        (changed(candidates=nodes(etcd=False)), "b", "d", "d has no etcd that can be used"),
        (changed(candidates=nodes(free_mib=3)), "b", "d", "d has 3 MiB of disk left"),
    ],
)
def test_what_cannot_be_is_one_sentence(situation: Situation, source: str, target: str, said: str) -> None:
    with pytest.raises(Conflict) as raised:
        choose_target(situation, source, target)
    assert said in raised.value.message
    assert raised.value.hint or "no council" in said


@pytest.fixture
def queen() -> Queen:
    return with_council()


def test_a_wish_is_on_record_until_the_keeper_has_made_it_so(queen: Queen) -> None:
    move = do.MoveSeat(source="demo-2", target="demo-4")
    moving = asyncio.run(queen.run(move))
    assert moving == do.MovingSeat(source=node_id(1), target=node_id(3))
    assert queen.told() == ["council.move_asked"]
    assert queen.events()[0].message == "demo-2 shall give its seat to demo-4"
    wish = queen.colony.reader.one("council-move", SeatMove)
    assert wish is not None
    assert (wish.source, wish.target, wish.term) == (node_id(1), node_id(3), queen.colony.term)
    assert "being moved already" in asyncio.run(refused(queen, move, Conflict))
    asyncio.run(queen.reign._council._colony.end_move())
    assert queen.colony.reader.one("council-move", SeatMove) is None


def test_who_is_unknown_moves_nowhere(queen: Queen) -> None:
    assert "no node" in asyncio.run(refused(queen, do.MoveSeat(source="demo-9"), NotFound))
    assert "no node" in asyncio.run(refused(queen, do.MoveSeat(source="demo-2", target="demo-9"), NotFound))
    assert "reigns" in asyncio.run(refused(queen, do.MoveSeat(source="demo-1"), Conflict))


def test_a_node_that_may_not_sit_is_told_by_its_name(queen: Queen) -> None:
    queen.colony.add_node(5, record={"eligible": False})
    queen.begun_at = queen.colony.etcd.revision
    said = asyncio.run(refused(queen, do.MoveSeat(source="demo-6", target="demo-4"), Conflict))
    assert said.startswith("demo-6 has no seat in the council")
    said = asyncio.run(refused(queen, do.MoveSeat(source="demo-2", target="demo-6"), Conflict))
    assert said.startswith("demo-6 is not allowed into the council")


def test_a_node_without_etcd_is_told_where_to_look() -> None:
    with pytest.raises(Conflict) as raised:
        choose_target(changed(candidates=nodes(etcd=False)), "b", "d")
    assert "council.etcd" in raised.value.hint
