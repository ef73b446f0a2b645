"""Recorded states: a text of what happened to one node, and what it decided.

Lines that start in the first column are what happened; indented lines are what came of it. :func:`replay` keeps the
former and works the latter out anew, so that a file is right exactly when replaying it changes nothing::

    me b
    0.000 line a b c
        watching
    0.000 queen a 5
        watching: a is queen of term 5
    9.000 vacant
        campaigning: there is no queen; I campaign
            Campaign

``me ID`` and ``timing NAME=SECONDS ...`` may begin a transcript; ``#`` begins a comment.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

import msgspec

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.election import (
    Decision,
    Election,
    Event,
    Failed,
    GatewayLost,
    GatewayServes,
    Handover,
    LeaseLost,
    Lost,
    QueenRecord,
    QueenSeen,
    Quit,
    Renewed,
    Resign,
    Succession,
    Tick,
    Vacant,
    Won,
    decide,
)
from aware_agent.colony.errors import IllegalTransition, InvalidInput
from aware_agent.colony.timing import Timing

_INDENT = "    "


def _queen_record(word: str) -> QueenRecord:
    """``a`` is the first life of node a, ``a.2`` its second."""
    node, _, life = word.partition(".")
    return QueenRecord(id=node, name=node, url="", incarnation=f"{node}.{life or 1}", since=0.0)


def _vacant(words: list[str]) -> Vacant:
    """``vacant`` or ``vacant TERM [SUCCESSOR]``."""
    return Vacant(Handover(term=int(words[0]), to="".join(words[1:])) if words else None)


def _line(words: list[str]) -> Succession:
    """``line a b -c``: the gateway of c does not answer."""
    return Succession(tuple(word.strip("-") for word in words), tuple(word[1:] for word in words if word[0] == "-"))


_EVENTS: dict[str, Callable[[list[str]], Event]] = {
    "queen": lambda words: QueenSeen(_queen_record(words[0]), int(words[1])),
    "vacant": _vacant,
    "line": _line,
    "won": lambda words: Won(int(words[0]), float(words[1])),
    "lost": lambda words: Lost(_queen_record(words[0]), int(words[1])),
    "failed": lambda words: Failed(" ".join(words)),
    "renewed": lambda words: Renewed(float(words[0])),
    "lease-lost": lambda _: LeaseLost(),
    "tick": lambda _: Tick(),
    "resign": lambda words: Resign("".join(words)),
    "gateway-lost": lambda _: GatewayLost("its gateway ended"),
    "gateway-serves": lambda _: GatewayServes(),
    "quit": lambda _: Quit(),
}


def replay_lines(text: str, play: Callable[[list[str]], list[str]], described_in: str) -> str:
    """The lines of a transcript that say what happens, each with what ``play`` decides on its words behind it.

    Indented lines are decisions of before and are left out. Raises :class:`InvalidInput` that names the line.
    """
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(" "):
            continue
        out.append(line)
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            out += play(words)
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise InvalidInput(f"line {number} makes no sense: {line}", hint=f"see {described_in}") from error
    return "\n".join(out) + "\n"


def replay(text: str) -> str:
    """The transcript as it is with today's decisions. Raises :class:`InvalidInput` that names the line."""
    state = Election(me="me", incarnation="me.1", timing=Timing())

    def play(words: list[str]) -> list[str]:
        nonlocal state
        state, told = _step(state, words)
        return told

    return replay_lines(text, play, "transcript.py")


def difference(text: str) -> str:
    """How the transcript differs from today's decisions, as a unified diff; '' if it does not."""
    lines = difflib.unified_diff(text.splitlines(True), replay(text).splitlines(True), "recorded", "decided now", n=8)
    return "".join(lines)


def _step(state: Election, words: list[str]) -> tuple[Election, list[str]]:
    if words[0] == "me":
        return msgspec.structs.replace(state, me=words[1], incarnation=f"{words[1]}.1"), []
    if words[0] == "timing":
        values = dict(word.split("=") for word in words[1:])
        return msgspec.structs.replace(state, timing=from_plain(values, Timing, strict=False)), []
    event = _EVENTS[words[1]](words[2:])
    try:
        decision = decide(state, event, float(words[0]))
    except IllegalTransition as error:
        return state, [f"{_INDENT}illegal: {error}"]
    return decision.state, _told(decision)


def _told(decision: Decision) -> list[str]:
    head = f"{_INDENT}{decision.state.phase}" + (f": {decision.message}" if decision.message else "")
    return [head, *(_INDENT * 2 + effect_line(e) for e in decision.effects)]


def effect_line(effect: msgspec.Struct) -> str:
    """An effect and its fields."""
    fields = [(name, getattr(effect, name)) for name in effect.__struct_fields__]
    parts = [f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value!r}" for name, value in fields]
    return " ".join([type(effect).__name__, *parts])
