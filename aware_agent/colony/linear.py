"""Whether a history of a register with compare-and-set is linearizable.

It is when each operation can have happened at one moment between its request and its answer.

The search is Wing and Gong's with Lowe's memory of the states it has been in (G. Lowe, *Testing for linearizability*,
2017), as in Knossos and Porcupine. An operation without an answer may have happened at any time after its request, or
never. Its cost grows with how many operations overlap, not with the length of the history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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


class _Place(NamedTuple):
    """A state of the search: all operations before ``low`` are done, and those after it whose bit is in ``later``."""

    low: int
    later: int
    value: int


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
    ordered = sorted(history, key=lambda operation: operation.start)
    certain = sum(operation.end != math.inf for operation in ordered)
    seen = {_Place(0, 0, first)}
    stack = [(_Place(0, 0, first), 0)]
    furthest = 0
    while stack:
        place, count = stack.pop()
        if count == certain:
            return ()
        furthest = max(furthest, count)
        for number in _next(ordered, place):
            after = _after(place, number, step(ordered[number], place.value))
            if after not in seen:
                seen.add(after)
                stack.append((after, count + (ordered[number].end != math.inf)))
        if len(seen) > most:
            raise Undecided
    stuck = sorted((operation for operation in ordered if operation.end != math.inf), key=lambda one: one.end)
    return stuck[furthest:] or ordered


def _after(place: _Place, number: int, value: int | None) -> _Place:
    assert value is not None  # _next names only what can happen
    later = place.later | 1 << (number - place.low)
    done = (~later & (later + 1)).bit_length() - 1  # ones at its low end
    return _Place(place.low + done, later >> done, value)


def _next(ordered: Sequence[Operation], place: _Place) -> list[int]:
    """Operations that can be next: of those that began before the first answer among those that are left.

    One that only looks is taken alone when it fits: later it can fit no better, and it is in nobody's way.
    """
    found: list[int] = []
    answered = math.inf
    number = place.low
    while number < len(ordered) and ordered[number].start <= answered:
        if not place.later >> (number - place.low) & 1:
            found.append(number)
            answered = min(answered, ordered[number].end)
        number += 1
    fitting = [number for number in found if step(ordered[number], place.value) is not None]
    look = next((number for number in fitting if ordered[number].only_looks), None)
    return fitting if look is None else [look]
