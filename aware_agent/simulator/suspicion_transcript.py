"""Recorded states of a member's suspicion: what it saw of the queen and of the others, and what it did.

As in :mod:`transcript`: lines that start in the first column are what happened, indented ones what came of it. ::

    me b
    0.000 council a b c place 0
    0.000 queen a 5
    0.000 open
    0.250 open heard 0.250
    0.400 broke
        the channel to a broke: I suspect the queen of term 5
            Suspect term=5 reason='the channel to a broke'
    0.410 told 5 b c
        2 of 3 members suspect a: I depose her of term 5
            Depose term=5 members=('b', 'c')

``open [heard T] [waiting N]``, ``closed`` (with a good-bye), ``broke`` and ``absent`` (it broke, and nobody listens
there any more) are looks at the channel; ``council`` without ``place`` is of a member that would not follow. ``every S
until T LOOK`` repeats a look, which hears her each time if it is ``open``. ``me ID`` and ``timing NAME=SECONDS ...``
may begin a transcript. An event may also be written as a live member tells it, and ``state {...}`` replaces all that
is known: see :mod:`aware_agent.colony.transcript`.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.suspicion import Council, Event, Looked, Reigns, Suspicion, Told, decide
from aware_agent.colony.timing import Timing
from aware_agent.colony.transcript import decoded, suspicion_told
from aware_agent.simulator.transcript import Play, compared, replay_lines

_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def player() -> Play:
    """Plays the lines of one member's suspicion."""
    state = Suspicion(me="me", timing=Timing())

    def play(words: list[str]) -> list[str]:
        nonlocal state
        if words[0] == "me":
            state = msgspec.structs.replace(state, me=words[1])
            return []
        if words[0] == "timing":
            values = dict(word.split("=") for word in words[1:])
            state = msgspec.structs.replace(state, timing=from_plain(values, Timing, strict=False))
            return []
        if words[0] == "state":
            state = decoded(words[1], Suspicion, "state of a suspicion")
            return []
        told = []
        for now, event in _events(words, state):
            decision = decide(state, event, now)
            state = decision.state
            told += suspicion_told(decision, f"({now:.3f}) " if words[0] == "every" else "")
        return told

    return play


def replay(text: str) -> str:
    """The transcript as it is with today's decisions. Raises :class:`InvalidInput` that names the line."""
    return replay_lines(text, player(), "suspicion_transcript.py")


def difference(text: str) -> str:
    """How the transcript differs from today's decisions, as a unified diff; '' if it does not."""
    return compared(text, replay(text))


def _events(words: list[str], state: Suspicion) -> list[tuple[float, Event]]:
    if words[0] != "every":
        now, kind = float(words[0]), _KINDS.get(words[1])
        if kind is not None:
            return [(now, decoded(words[2], kind, words[1]))]
        return [(now, _event(words[1], words[2:], now))]
    step, end, now = float(words[1]), float(words[3]), (state.looked_at or 0.0)
    events: list[tuple[float, Event]] = []
    while (now := round(now + step, 6)) <= end:
        events.append((now, _event(words[4], words[5:], now)))
    return events


def _event(kind: str, words: list[str], now: float) -> Event:
    options = dict(zip(words[::2], words[1::2], strict=False))
    match kind:
        case "open":
            return Looked(True, heard_at=float(options.get("heard", now)), waiting=int(options.get("waiting", 0)))
        case "closed" | "broke" | "absent":
            return Looked(False, broken=kind != "closed", absent=kind == "absent")
        case "queen":
            return Reigns(int(words[1]), words[0], words[0])
        case "vacant":
            return Reigns(0)
        case "told":
            return Told(int(words[0]), tuple(words[1:]))
        case "council":
            members, _, place = " ".join(words).partition(" place ")
            return Council(tuple(members.split()), int(place) if place else None)
    raise KeyError(kind)
