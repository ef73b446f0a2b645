"""Whether a history of a register with compare-and-set is linearizable.

It is when each operation can have happened at one moment between its request and its answer.

The search is Wing and Gong's with Lowe's memory of the states it has been in (G. Lowe, *Testing for linearizability*,
2017), as in Knossos and Porcupine. An operation without an answer may have happened at any time after its request, or
never. Its cost grows with how many operations overlap, not with the length of the history.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Kind = Literal["read", "write", "cas"]
Outcome = Literal["ok", "refused", "unknown"]


class Operation(NamedTuple):
    """``value``: what was read, or is to be there; ``expected``: of a cas. ``end``: infinity without an answer.

    A refused cas says that the register did not hold ``expected``. Whatever else was refused changed nothing: leave it
    out of the history. ``client`` says who asked; it does not matter for the verdict.
    """

    kind: Kind
    value: int
    start: float
    end: float = math.inf
    outcome: Outcome = "ok"
    expected: int = 0
    client: int = 0

    @property
    def only_looks(self) -> bool:
        """Whether it leaves the register as it is: a read, or a cas that was refused."""
        return self.kind == "read" or self.outcome == "refused"


class Undecided(Exception):
    """More states than the search may look at: too many operations without an answer overlap."""


def step(operation: Operation, state: int) -> int | None:
    """The register after ``operation`` in ``state``; None: it cannot have happened there with this outcome."""
    if operation.kind == "read":
        return state if operation.value == state else None
    if operation.kind == "write":
        return operation.value
    if operation.outcome == "refused":
        return state if state != operation.expected else None
    return operation.value if state == operation.expected else None


def violation(history: Sequence[Operation], first: int = 0, most: float = math.inf) -> Sequence[Operation]:
    """Operations that have no order that explains them, the last that was reached first; empty when there is one.

    ``first`` is what the register held before. Raises :class:`Undecided` after ``most`` states.
    """
    search = _Search(history)
    begin = _Place(0, 0, 0, first)
    seen = {begin}
    stack = [search.after(begin)]
    furthest = 0
    if not search.answered:
        return ()
    while stack:
        place = next(stack[-1], None)
        if place is None:
            stack.pop()
        elif place not in seen:
            seen.add(place)
            furthest = max(furthest, place.low + place.later.bit_count())
            if place.low == len(search.answered):
                return ()
            if len(seen) > most:
                raise Undecided
            stack.append(search.after(place))
    return sorted(search.answered, key=lambda one: one.end)[furthest:]


class _Place(NamedTuple):
    """A state of the search. Done are, of what was answered, all before ``low`` and those after it whose bit is in
    ``later``; of what was not, those whose bit is in ``used``.
    """

    low: int
    later: int
    used: int
    value: int


class _Search:
    """``answered`` and ``open`` (without an answer): the operations, each in the order of their requests."""

    def __init__(self, history: Sequence[Operation]) -> None:
        ordered = sorted(history, key=lambda operation: operation.start)
        self.answered = [one for one in ordered if one.end != math.inf]
        self.open = [one for one in ordered if one.end == math.inf]

    def after(self, place: _Place) -> Iterator[_Place]:
        """The states after one more operation.

        One that only looks is taken alone when it fits: later it can fit no better, and it is in nobody's way. One
        without an answer is taken only when another one needs it at once: else it can as well come later, or never.
        """
        ready, until = self._ready(place)
        fitting = [number for number in ready if step(self.answered[number], place.value) is not None]
        look = next((number for number in fitting if self.answered[number].only_looks), None)
        if look is not None:
            yield self._done(place, look)
            return
        for number in sorted(fitting, key=lambda number: self.answered[number].end):
            yield self._done(place, number)
        waiting = [self.answered[number] for number in ready if number not in fitting]
        yield from self._opened(place, until, waiting)

    def _ready(self, place: _Place) -> tuple[list[int], float]:
        """What was answered and can be next: what began before the first answer among what is left; and that answer."""
        found: list[int] = []
        until = math.inf
        number = place.low
        while number < len(self.answered) and self.answered[number].start <= until:
            if not place.later >> (number - place.low) & 1:
                found.append(number)
                until = min(until, self.answered[number].end)
            number += 1
        return found, until

    def _opened(self, place: _Place, until: float, waiting: Sequence[Operation]) -> Iterator[_Place]:
        begun = [
            (number, one) for number, one in enumerate(self.open) if one.start <= until and not place.used >> number & 1
        ]
        waiting = [*waiting, *(one for _, one in begun if step(one, place.value) is None)]
        for number, one in begun:
            value = step(one, place.value)
            if value is not None and any(step(other, value) is not None for other in waiting if other is not one):
                yield place._replace(used=place.used | 1 << number, value=value)

    def _done(self, place: _Place, number: int) -> _Place:
        value = step(self.answered[number], place.value)
        assert value is not None  # it fits
        later = place.later | 1 << (number - place.low)
        done = (~later & (later + 1)).bit_length() - 1  # ones at its low end
        return _Place(place.low + done, later >> done, place.used, value)
