"""The last that happened to one of a member's decision machines, and what it decided: kept as it was, told when asked.

Two bounded lists: all of the very last, and before them only what decided something. A queen's renewals and a member's
looks at its channel come several times a second and mostly decide nothing, so that they would push all else out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from aware_agent.colony.ballot import Renewed, Tick, WakeAt
from aware_agent.colony.suspicion import Looked

LATEST = 48  # of all that happened
TELLING = 96  # of what decided something
_ROUTINE = (Renewed, Tick, Looked)


class Entry(NamedTuple):
    """One event: the state ``before`` it, when it happened (monotonic), and the decision with the state after it."""

    number: int
    at: float
    before: Any
    event: Any
    decision: Any


class Machine(NamedTuple):
    """A machine's state of now, and what it kept."""

    state: Any
    kept: DecisionLog


class DecisionLog:
    """Of one machine; what is added must never change afterwards. ``telling`` says what is kept for long."""

    def __init__(self, telling: Callable[[Entry], bool] | None = None) -> None:
        self._count = 0
        self._is_telling = telling or is_telling
        self._latest: deque[Entry] = deque(maxlen=LATEST)
        self._telling: deque[Entry] = deque(maxlen=TELLING)

    def add(self, at: float, before: Any, event: Any, decision: Any) -> None:
        """``event`` was decided on."""
        self._count += 1
        entry = Entry(self._count, at, before, event, decision)
        self._latest.append(entry)
        if self._is_telling(entry):
            self._telling.append(entry)

    def entries(self) -> list[Entry]:
        """What is kept, oldest first. Where numbers jump, events that decided nothing are left out."""
        kept = {entry.number: entry for entry in (*self._telling, *self._latest)}
        return [kept[number] for number in sorted(kept)]


def is_telling(entry: Entry) -> bool:
    """Whether the event decided anything, or could have only by what it says."""
    decision = entry.decision
    if decision.message or any(type(effect) is not WakeAt for effect in decision.effects):
        return True
    if type(entry.event) is Looked:
        return (entry.before.open, entry.before.broken) != (decision.state.open, decision.state.broken)
    return type(entry.event) not in _ROUTINE and decision.state != entry.before


def keeper_tells(entry: Entry) -> bool:
    """The same for the council's keeper, who looks every two seconds: whether it said or did anything."""
    return bool(entry.decision.message) or entry.before.phase is not entry.decision.state.phase


def founder_tells(entry: Entry) -> bool:
    """The same for a founder, who hears the others twice a second: whether it decided anything, or another one did."""
    before, after = entry.before, entry.decision.state
    if entry.decision.message or entry.decision.effects or before.phase is not after.phase:
        return True
    levels = [{node: said.level for node, said in state.heard.items()} for state in (before, after)]
    return levels[0] != levels[1]
