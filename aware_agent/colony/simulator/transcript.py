"""Recorded states: a text of what happened to one node, and what it decided.

Lines that start in the first column are what happened; indented lines are what came of it. :func:`replay` keeps the
former and works the latter out anew, so that a file is right exactly when replaying it changes nothing::

    me b
    0.000 line a b c
        watching
    0.000 crowned a 5
        watching: a is queen of term 5
    9.000 vacant
        campaigning: the throne is vacant; I campaign
            Campaign

``me ID`` and ``timing NAME=SECONDS ...`` may begin a transcript; ``#`` begins a comment.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

import msgspec

from aware_agent.colony.election import (
    Crown,
    Crowned,
    Decision,
    Effect,
    Election,
    Event,
    Failed,
    Handover,
    LeaseLost,
    Line,
    Lost,
    Quit,
    Renewed,
    Resign,
    Tick,
    Vacant,
    Won,
    decide,
)
from aware_agent.colony.errors import IllegalTransition, InvalidInput
from aware_agent.colony.timing import Timing

_INDENT = "    "


def _crown(word: str) -> Crown:
    """``a`` is the first life of node a, ``a.2`` its second."""
    node, _, life = word.partition(".")
    return Crown(id=node, name=node, url="", incarnation=f"{node}.{life or 1}", since=0.0)


def _vacant(words: list[str]) -> Vacant:
    """``vacant`` or ``vacant TERM [SUCCESSOR]``."""
    return Vacant(Handover(term=int(words[0]), to="".join(words[1:])) if words else None)


_EVENTS: dict[str, Callable[[list[str]], Event]] = {
    "crowned": lambda words: Crowned(_crown(words[0]), int(words[1])),
    "vacant": _vacant,
    "line": lambda words: Line(tuple(words)),
    "won": lambda words: Won(int(words[0]), float(words[1])),
    "lost": lambda words: Lost(_crown(words[0]), int(words[1])),
    "failed": lambda words: Failed(" ".join(words)),
    "renewed": lambda words: Renewed(float(words[0])),
    "lease-lost": lambda _: LeaseLost(),
    "tick": lambda _: Tick(),
    "resign": lambda words: Resign("".join(words)),
    "quit": lambda _: Quit(),
}


def replay(text: str) -> str:
    """The transcript as it is with today's decisions. Raises :class:`InvalidInput` that names the line."""
    state = Election(me="me", incarnation="me.1", timing=Timing())
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(" "):
            continue
        out.append(line)
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            state, told = _step(state, words)
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise InvalidInput(f"line {number} makes no sense: {line}", hint="see transcript.py") from error
        out += told
    return "\n".join(out) + "\n"


def difference(text: str) -> str:
    """How the transcript differs from today's decisions, as a unified diff; '' if it does not."""
    lines = difflib.unified_diff(text.splitlines(True), replay(text).splitlines(True), "recorded", "decided now", n=8)
    return "".join(lines)


def _step(state: Election, words: list[str]) -> tuple[Election, list[str]]:
    if words[0] == "me":
        return msgspec.structs.replace(state, me=words[1], incarnation=f"{words[1]}.1"), []
    if words[0] == "timing":
        values = dict(word.split("=") for word in words[1:])
        return msgspec.structs.replace(state, timing=msgspec.convert(values, Timing, strict=False)), []
    event = _EVENTS[words[1]](words[2:])
    try:
        decision = decide(state, event, float(words[0]))
    except IllegalTransition as error:
        return state, [f"{_INDENT}illegal: {error}"]
    return decision.state, _told(decision)


def _told(decision: Decision) -> list[str]:
    head = f"{_INDENT}{decision.state.phase}" + (f": {decision.sentence}" if decision.sentence else "")
    return [head, *(_INDENT * 2 + _effect(e) for e in decision.effects)]


def _effect(effect: Effect) -> str:
    fields = [(name, getattr(effect, name)) for name in effect.__struct_fields__]
    parts = [f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value!r}" for name, value in fields]
    return " ".join([type(effect).__name__, *parts])
