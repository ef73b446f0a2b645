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
may begin a transcript.
"""

from __future__ import annotations

import difflib

import msgspec

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.suspicion import Council, Decision, Event, Looked, Reigns, Suspicion, Told, decide
from aware_agent.colony.timing import Timing
from aware_agent.simulator.transcript import effect_line, replay_lines

_INDENT = "    "


def replay(text: str) -> str:
    """The transcript as it is with today's decisions. Raises :class:`InvalidInput` that names the line."""
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
        told = []
        for now, event in _events(words, state):
            decision = decide(state, event, now)
            state = decision.state
            told += _told(decision, now if words[0] == "every" else None)
        return told

    return replay_lines(text, play, "suspicion_transcript.py")


def difference(text: str) -> str:
    """How the transcript differs from today's decisions, as a unified diff; '' if it does not."""
    lines = difflib.unified_diff(text.splitlines(True), replay(text).splitlines(True), "recorded", "decided now", n=8)
    return "".join(lines)


def _events(words: list[str], state: Suspicion) -> list[tuple[float, Event]]:
    if words[0] != "every":
        now = float(words[0])
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


def _told(decision: Decision, at: float | None) -> list[str]:
    if not decision.message and not decision.effects:
        return []
    when = "" if at is None else f"({at:.3f}) "
    return [
        f"{_INDENT}{when}{decision.message or 'nothing to tell'}",
        *(_INDENT * 2 + effect_line(one) for one in decision.effects),
    ]
