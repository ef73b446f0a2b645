"""What the election is told of the reign: each change once, whatever came and went between two looks."""

from __future__ import annotations

from typing import Any

import msgspec

from aware_agent.agent.queen_watch import QueenWatch
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.ballot import Handover, QueenRecord
from aware_agent.colony.election import Event, QueenSeen, Vacant
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.memory import MemoryEtcd, MemoryStore
from aware_agent.store.subscription import ProjectionBatch
from tests.memory_colony import FollowingProjection

KEYS = Keys("lab")


class Colony:
    """Reigns in the etcd in memory, and a node that looks when it is told to."""

    def __init__(self) -> None:
        self.etcd = MemoryEtcd()
        projection = FollowingProjection(MemoryStore(self.etcd), KEYS.everything())
        self.reader = ColonyReader(projection, KEYS)
        projection.listen(self._changed)
        self.watch = QueenWatch(self.reader)

    def _changed(self, batch: ProjectionBatch) -> None:
        self.reader.changed(batch.revision, [change.kv.key for change in batch.changes])

    def _put(self, name: str, value: Any) -> int:
        self.etcd.txn([], [ops.put(KEYS.key(name), msgspec.json.encode(value))])
        return self.etcd.revision

    def reign(self, node: str) -> int:
        """Returns the term."""
        return self._put("queen", QueenRecord(id=node, name=node, url="https://q", incarnation="i", since=1.0))

    def fall(self) -> None:
        self.etcd.txn([], [ops.delete(KEYS.queen)])

    def hand_over(self, term: int, to: str) -> Handover:
        handover = Handover(term=term, to=to, reason="asked to step down")
        self._put("queen-handover", handover)
        self.fall()
        return handover

    def look(self) -> list[Event]:
        told: list[Event] = []
        self.watch.look(told.append)
        return told[1:]  # the line comes first


def test_a_reign_and_its_end_are_told_once() -> None:
    colony = Colony()
    assert colony.look() == [Vacant(None)]
    term = colony.reign("a")
    (seen,) = colony.look()
    assert isinstance(seen, QueenSeen)
    assert (seen.term, colony.look()) == (term, [])
    handover = colony.hand_over(term, "b")
    assert colony.look() == [Vacant(handover)]
    assert colony.look() == []


def test_whom_an_unseen_queen_named_is_told_though_her_reign_is_not() -> None:
    colony = Colony()
    colony.look()
    first = colony.reign("a")
    colony.look()
    colony.fall()
    assert colony.look() == [Vacant(None)]
    handover = colony.hand_over(colony.reign("b"), "c")
    assert colony.look() == [Vacant(handover)]
    assert colony.look() == []
    second = colony.reign("c")
    assert second > first
    colony.look()
    colony.fall()
    later = colony.hand_over(colony.reign("d"), "a")  # c's end and d's reign in one batch
    assert colony.look() == [Vacant(later)]


def test_an_old_hand_over_names_nobody() -> None:
    colony = Colony()
    colony.hand_over(colony.reign("a"), "b")
    assert colony.look() == [Vacant(None)], "b may have reigned and fallen since"
    assert colony.look() == []
    colony.reign("b")
    colony.look()
    colony.fall()
    assert colony.look() == [Vacant(None)]
