"""The queen's steady work: records and castes follow who is alive and what the spec wants."""

from __future__ import annotations

import time

import msgspec
import pytest
from queen_support import Queen

from aware_agent.colony.errors import Deposed
from aware_agent.colony.event import EventDraft
from aware_agent.colony.node import Status
from aware_agent.colony.spec import CasteSpec, Policies
from tests.memory_colony import node_id


@pytest.fixture
def queen() -> Queen:
    return Queen()


def status(queen: Queen, number: int) -> Status:
    return queen.colony.reader.records()[node_id(number)].status


def gone(queen: Queen, number: int) -> None:
    """Its presence lease ran out."""
    queen.colony.delete(queen.colony.keys.key("presence", node_id(number)))


def since(queen: Queen, number: int, seconds: float) -> None:
    """Its status is as it is for so long."""
    record = queen.colony.reader.records()[node_id(number)]
    key = queen.colony.keys.key("nodes", node_id(number))
    queen.colony.put(key, msgspec.structs.replace(record, status_since=time.time() - seconds))


async def once(queen: Queen) -> float | None:
    return await queen.reign._reconciler.once()


async def test_when_all_is_as_it_should_be_nothing_is_written(queen: Queen) -> None:
    await once(queen)
    before = queen.colony.etcd.revision
    await once(queen)
    assert queen.colony.etcd.revision == before


async def test_who_is_not_there_is_suspect_then_dead_and_ready_when_it_comes_back(queen: Queen) -> None:
    gone(queen, 2)
    again_in = await once(queen)
    assert status(queen, 2) is Status.SUSPECT
    assert again_in is not None, "she looks again by herself when its time is up"
    since(queen, 2, 3600.0)
    await once(queen)
    assert status(queen, 2) is Status.DEAD
    queen.colony.add_node(2, record={"status": Status.READY})
    await once(queen)
    assert status(queen, 2) is Status.READY
    assert [told for told in queen.told() if told.startswith("node.")] == ["node.suspect", "node.dead"]


async def test_a_status_and_its_event_are_one_revision_of_this_term(queen: Queen) -> None:
    gone(queen, 2)
    await once(queen)
    stored = queen.colony.projection.get(queen.colony.keys.key("nodes", node_id(2)))
    assert stored is not None
    [(revision, event)] = [
        (at, event) for at, event in queen.colony.history.since(0, 1000) if event.type == "node.suspect"
    ]
    assert stored.mod_revision == revision
    assert event.term == queen.colony.term == queen.colony.reader.records()[node_id(2)].term


async def test_a_pass_that_a_slow_etcd_holds_up_is_followed_by_another(queen: Queen) -> None:
    """A worker dies while a new queen does not miss it yet, and her pass ends after that time: she looks again."""
    worker = queen.colony.add_node(3, record={"eligible": False})
    reconciler = queen.reign._reconciler
    present, now = reconciler._present, 0.0
    present._clock, present._began = (lambda: now), 0.0
    txn = queen.colony.store.txn

    async def slow(*args: object) -> object:
        nonlocal now
        now += 3600.0
        return await txn(*args)  # type: ignore[arg-type]

    queen.colony.add_node(2, record={"status": Status.SUSPECT})  # something to write, and nothing to wait for
    queen.colony.store.txn = slow  # type: ignore[method-assign, assignment]
    again_in = await reconciler.once()
    assert now >= 3600.0
    assert (status(queen, 2), status(queen, 3)) == (Status.READY, Status.READY)
    assert again_in is not None, "nothing else would make her look"
    await reconciler.once()
    assert queen.colony.reader.records()[worker].status is Status.SUSPECT


async def test_a_record_that_changed_meanwhile_is_not_overwritten(queen: Queen) -> None:
    """An admin cordons between her look and her write: her write is refused, and she looks again."""
    gone(queen, 2)
    reconciler = queen.reign._reconciler
    key = queen.colony.keys.key("nodes", node_id(2))
    judged = queen.colony.store.txn

    async def cordoned_first(*args: object) -> object:
        queen.colony.store.txn = judged  # type: ignore[method-assign]
        record = queen.colony.reader.records()[node_id(2)]
        queen.colony.put(key, msgspec.structs.replace(record, cordoned=True))
        return await judged(*args)  # type: ignore[arg-type]

    queen.colony.store.txn = cordoned_first  # type: ignore[method-assign, assignment]
    with pytest.raises(Exception, match="changed meanwhile"):
        await reconciler.once()
    await reconciler.once()
    record = queen.colony.reader.records()[node_id(2)]
    assert (record.cordoned, record.status) == (True, Status.SUSPECT)


async def test_castes_are_filled_and_filled_again(queen: Queen) -> None:
    queen.colony.put_spec(size=2, castes={"web": CasteSpec(count=2)})
    await once(queen)
    first = queen.colony.reader.data().castes["web"]
    assert len(first) == 2
    lost = next(node for node in first if node != node_id(0))
    number = next(n for n in range(3) if node_id(n) == lost)
    gone(queen, number)
    since(queen, number, 0.0)
    await once(queen)
    since(queen, number, 3600.0)
    await once(queen)
    second = queen.colony.reader.data().castes["web"]
    assert lost not in second
    assert len(second) == 2
    assert "caste.assigned" in queen.told()


async def test_many_that_vanish_at_once_fit_into_transactions(queen: Queen) -> None:
    for number in range(3, 103):
        queen.colony.add_node(number)
    await once(queen)
    for number in range(3, 103):
        gone(queen, number)
    before = queen.colony.etcd.revision
    await once(queen)
    assert {status(queen, number) for number in range(3, 103)} == {Status.SUSPECT}
    assert 3 <= queen.colony.etcd.revision - before <= 5, "etcd takes 128 operations in one"


async def test_history_is_trimmed_to_what_the_spec_keeps(queen: Queen) -> None:
    queen.colony.put_spec(size=3, policies=Policies(keep_events=100))
    for number in range(400):
        queen.colony.emit(EventDraft("node.ready", node_id(1), str(number)))
    await once(queen)
    kept = queen.colony.history.since(0, 10_000)
    assert 100 <= len(kept) < 400
    assert kept[-1][1].message == "399"


async def test_a_deposed_queen_changes_nothing(queen: Queen) -> None:
    gone(queen, 2)
    queen.colony.begin_reign(1)
    before = queen.colony.etcd.revision
    with pytest.raises(Deposed):
        await once(queen)
    assert queen.colony.etcd.revision == before
    assert status(queen, 2) is Status.READY
