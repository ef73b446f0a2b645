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
    out of the history.
    """

    kind: Kind
    value: int
    start: float
    end: float = math.inf
    outcome: Outcome = "ok"
    expected: int = 0


def step(operation: Operation, state: int) -> int | None:
    """The register after ``operation`` in ``state``; None: it cannot have happened there with this outcome."""
    if operation.kind == "read":
        return state if operation.value == state else None
    if operation.kind == "write":
        return operation.value
    if operation.outcome == "refused":
        return state if state != operation.expected else None
    return operation.value if state == operation.expected else None


def violation(history: Sequence[Operation], first: int = 0) -> Sequence[Operation]:
    """Operations that have no order that explains them, the last that was reached first; empty when there is one.

    ``first`` is what the register held before.
    """
    ordered = sorted(history, key=lambda operation: operation.start)
    certain = [number for number, operation in enumerate(ordered) if operation.end != math.inf]
    goal = sum(1 << number for number in certain)
    seen = {(0, first)}
    stack = [(0, first)]
    furthest = 0
    while stack:
        done, state = stack.pop()
        if done & goal == goal:
            return ()
        furthest = max(furthest, (done & goal).bit_count())
        for number in _next(ordered, done):
            after = step(ordered[number], state)
            if after is not None and (place := (done | 1 << number, after)) not in seen:
                seen.add(place)
                stack.append(place)
    stuck = sorted(certain, key=lambda number: ordered[number].end)[furthest:]
    return [ordered[number] for number in stuck] or ordered


def _next(ordered: Sequence[Operation], done: int) -> list[int]:
    """Operations that may be next: those that began before the first answer among those that are left."""
    found: list[int] = []
    answered = math.inf
    number = _first_left(done)
    while number < len(ordered) and ordered[number].start <= answered:
        if not done >> number & 1:
            found.append(number)
            answered = min(answered, ordered[number].end)
        number += 1
    return found


def _first_left(done: int) -> int:
    """The lowest number that is not in the set ``done``."""
    return (~done & (done + 1)).bit_length() - 1
