"""The colony's history in memory: events in the order of their revisions."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, Count, from_json
from aware_agent.colony.errors import one_line
from aware_agent.colony.event import COLONY, Event
from aware_agent.colony.fairness import surplus
from aware_agent.store.keys import Keys
from aware_agent.store.projection import Projection

log = logging.getLogger(__name__)

EventBatch = Sequence[tuple[int, Event]]
FOUNDED = "colony.founded"
ELECTED = "queen.elected"
TRIMMED = "history"  # the key of :class:`Trimmed`


class Trimmed(msgspec.Struct, frozen=True):
    """What is kept beside the history: the revision of the newest event that is not there any more."""

    revision: Count


class Surplus(NamedTuple):
    """Events that go: ranges of their ids, both ends included, and the revision of the newest of them."""

    ranges: list[tuple[str, str]]
    newest: int


class History:
    """Reads events from the projection and tells subscribers of new ones. Events of one revision stay together."""

    def __init__(self, projection: Projection, keys: Keys) -> None:
        self._projection = projection
        self._prefix = keys.key("events/")
        self._mark = keys.key(TRIMMED)
        self._events: list[tuple[int, Event]] = []
        self._subscribers: list[Callable[[EventBatch], None]] = []
        self.reload()

    def reload(self) -> None:
        """Read everything again."""
        self._events = self._read_all(kv.key for kv in self._projection.items(self._prefix))

    def changed(self, keys: Sequence[bytes], *, relisted: bool = False) -> None:
        """Tell the history of changed keys, or that the projection was listed anew.

        Events that are new are added and announced, whatever else happened in the same batch; trimmed ones go.
        """
        mine = [key for key in keys if key.startswith(self._prefix)]
        if not mine and not relisted:
            return
        last = self._events[-1][0] if self._events else 0
        if relisted or any(self._projection.get(key) is None for key in mine):
            self.reload()
        else:
            self._events += self._read_all(mine)
        fresh = self._events[bisect_right(self._events, last, key=_revision) :]
        if fresh:
            for tell in tuple(self._subscribers):
                tell(fresh)

    def since(self, revision: int, limit: int) -> EventBatch:
        """At most about ``limit`` events after ``revision``; a revision is never cut in two."""
        start = bisect_right(self._events, revision, key=_revision)
        end = min(len(self._events), start + limit)
        while 0 < end < len(self._events) and self._events[end][0] == self._events[end - 1][0]:
            end += 1
        return self._events[start:end]

    @property
    def oldest(self) -> int:
        """Revision from which on every event is kept; 1 while history is whole, 0 when there is none.

        Some older ones may be there too: of a full history those go first whose writer wrote most.
        """
        if not self._events:
            return 0
        revision, event = self._events[0]
        return max(1 if event.type == FOUNDED else revision, self._trimmed() + 1)

    def _trimmed(self) -> int:
        """Revision of the newest event that was trimmed; 0 when none was."""
        kv = self._projection.get(self._mark)
        try:
            return from_json(kv.value, Trimmed).revision if kv else 0
        except UNDECODABLE:
            return 0

    def __len__(self) -> int:
        return len(self._events)

    def surplus(self, keep: int) -> Surplus | None:
        """What goes once more than ``keep`` plus a tenth are there; see :mod:`aware_agent.colony.fairness`."""
        if len(self._events) <= keep + keep // 10:
            return None
        gone = surplus([_owner(event) for _, event in self._events], keep)
        going = {self._events[place][1].id for place in gone}
        ranges: list[tuple[str, str]] = []
        follows = False
        for name in sorted(event.id for _, event in self._events):
            if name in going:
                ranges[-1:] = [(ranges[-1][0], name)] if follows else [*ranges[-1:], (name, name)]
            follows = name in going
        return Surplus(ranges, self._events[gone[-1]][0])

    def subscribe(self, callback: Callable[[EventBatch], None]) -> Callable[[], None]:
        """Call ``callback`` with new events; returns how to end that."""
        self._subscribers.append(callback)

        def end() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return end

    def _read_all(self, keys: Iterable[bytes]) -> list[tuple[int, Event]]:
        """The events at ``keys`` in their order; what cannot be read is left out and reported."""
        return sorted((event for key in keys if (event := self._read(key)) is not None), key=_order)

    def _read(self, key: bytes) -> tuple[int, Event] | None:
        kv = self._projection.get(key)
        assert kv is not None
        try:
            event = from_json(kv.value, Event)
        except UNDECODABLE as error:
            log.warning("an event is left out, it cannot be read: %s", one_line(str(error)))
            return None
        if event.type == ELECTED:  # written in the transaction whose revision is the term
            event = msgspec.structs.replace(event, term=kv.mod_revision)
        return kv.mod_revision, event


def _owner(event: Event) -> str:
    """Whose noise it is: who did it, or, of what the colony noticed by itself, to whom it happened."""
    return f"{COLONY}/{event.subject}" if event.actor == COLONY else event.actor


def _order(item: tuple[int, Event]) -> tuple[int, str]:
    return item[0], item[1].id


def _revision(item: tuple[int, Event]) -> int:
    return item[0]
