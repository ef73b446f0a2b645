"""Recorded states of the council's keeper: what the queen saw, and what she did.

As in :mod:`transcript`: lines that start in the first column are what happened, indented ones what came of it. ::

    spec 3 replace=300
    queen a
    node a zone=x
    member 1 a leads index=90
    0 look
        step AddLearner node='b'
        b is given a seat: the council has 1 of 3
    1 done

``node ID [zone=Z] [status=S] [since=T] [no-etcd] [free=MIB] [restarts]`` and ``member ID NODE [learner] [silent]
[leads] [index=N] [no-seat]`` add or replace; ``no-node ID``, ``no-member ID``, ``seat NODE ID`` and ``move FROM TO
[asked=T]`` do what they say.
"""

from __future__ import annotations

import difflib
from typing import Any

from aware_agent.colony.council import decide
from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.node import Status
from aware_agent.colony.seats import (
    AddLearner,
    Blind,
    Candidate,
    Council,
    Done,
    EndMove,
    Event,
    Failed,
    GiveSeat,
    Look,
    Member,
    SeatMove,
    Step,
    TakeSeat,
)
from aware_agent.colony.spec import CouncilSpec
from aware_agent.simulator.transcript import replay_lines

_INDENT = "    "
_NO_STEP = AddLearner("")


class _Stage:
    """What there is to see."""

    def __init__(self) -> None:
        self.spec = CouncilSpec(size=3)
        self.queen = ""
        self.nodes: dict[str, Candidate] = {}
        self.members: dict[int, Member] = {}
        self.seats: dict[str, int] = {}
        self.move: SeatMove | None = None
        self.state = Council()

    def set(self, words: list[str]) -> bool:
        """Take a line that changes what there is; false when it is none."""
        setter = getattr(self, f"_set_{words[0].replace('-', '_')}", None)
        if setter is None:
            return False
        setter(words[1:])
        return True

    def _set_spec(self, words: list[str]) -> None:
        values = _values(words[1:])
        self.spec = CouncilSpec(size=int(words[0]), replace_after_s=float(values.get("replace", 300)))

    def _set_queen(self, words: list[str]) -> None:
        self.queen = words[0]

    def _set_node(self, words: list[str]) -> None:
        values = _values(words[1:])
        self.nodes[words[0]] = Candidate(
            id=words[0],
            name=words[0],
            zone=values.get("zone", ""),
            status=Status(values.get("status", "ready")),
            status_since=float(values.get("since", 0)),
            etcd="no-etcd" not in words,
            free_mib=int(values.get("free", 9000)),
            restarts="restarts" in words,
            cordoned="cordoned" in words,
        )

    def _set_no_node(self, words: list[str]) -> None:
        del self.nodes[words[0]]

    def _set_member(self, words: list[str]) -> None:
        values, number = _values(words[2:]), int(words[0])
        self.members[number] = Member(
            id=number,
            node=words[1] if words[1] != "-" else "",
            name=words[1],
            learner="learner" in words,
            healthy="silent" not in words,
            leads="leads" in words,
            index=int(values.get("index", 100)),
        )
        if "no-seat" not in words:
            self.seats[words[1]] = number

    def _set_no_member(self, words: list[str]) -> None:
        del self.members[int(words[0])]

    def _set_seat(self, words: list[str]) -> None:
        self.seats[words[0]] = int(words[1])

    def _set_move(self, words: list[str]) -> None:
        asked = float(_values(words[2:]).get("asked", 0))
        self.move = SeatMove(source=words[0], target=words[1], asked_at=asked)

    def event(self, words: list[str]) -> Event:
        """What happened."""
        step = self.state.step or _NO_STEP
        events: dict[str, Any] = {
            "look": self._look,
            "blind": lambda: Blind(" ".join(words[1:])),
            "done": lambda: self._done(step),
            "failed": lambda: Failed(step, " ".join(words[1:])),
        }
        made: Event = events[words[0]]()
        return made

    def _done(self, step: Step) -> Done:
        """What a node is told needs no line of its own."""
        if isinstance(step, GiveSeat):
            self.seats[step.node] = step.member
        elif isinstance(step, TakeSeat):
            self.seats.pop(step.node, None)
        elif isinstance(step, EndMove):
            self.move = None
        return Done(step)

    def _look(self) -> Look:
        return Look(
            spec=self.spec,
            queen=self.queen,
            members=tuple(self.members.values()),
            candidates=tuple(self.nodes.values()),
            seats=dict(self.seats),
            move=self.move,
        )


def replay(text: str) -> str:
    """The transcript as it is with today's decisions. Raises :class:`InvalidInput` that names the line."""
    stage = _Stage()
    return replay_lines(text, lambda words: [] if stage.set(words) else _decide(stage, words), "council_transcript.py")


def difference(text: str) -> str:
    """How the transcript differs from today's decisions, as a unified diff; '' if it does not."""
    lines = difflib.unified_diff(text.splitlines(True), replay(text).splitlines(True), "recorded", "decided now", n=8)
    return "".join(lines)


def _decide(stage: _Stage, words: list[str]) -> list[str]:
    try:
        decision = decide(stage.state, stage.event(words[1:]), float(words[0]))
    except IllegalTransition as error:
        return [f"{_INDENT}illegal: {error}"]
    stage.state = decision.state
    told = []
    if decision.effect is not None:
        effect = decision.effect
        kind = {"Wait": "wait", "Refuse": "refuse"}.get(type(effect).__name__, f"step {type(effect).__name__}")
        fields = {name: getattr(effect, name) for name in effect.__struct_fields__ if name != "reason"}
        told.append(" ".join([_INDENT + kind, *(f"{name}={value!r}" for name, value in fields.items() if value != "")]))
    told += [_INDENT + decision.message] if decision.message else []
    return told or [_INDENT + "nothing"]


def _values(words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words if "=" in word)


__all__ = ["difference", "replay"]
