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

``me ID`` and ``timing NAME=SECONDS ...`` may begin a transcript; ``#`` begins a comment. An event may also be written
as a live member tells it, and ``state {...}`` replaces all that is known: see :mod:`aware_agent.colony.transcript`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import get_args

import msgspec

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.election import (
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
from aware_agent.colony.transcript import INDENT, Unfit, decoded, election_told, words_of

Play = Callable[[list[str]], list[str]]
_HINT = "replay it with the version that wrote it; what people write is explained in {}"


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
_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def replay_lines(text: str, play: Play, described_in: str) -> str:
    """The lines of a transcript that say what happens, each with what ``play`` decides on its words behind it.

    Indented lines are decisions of before and are left out. Raises :class:`InvalidInput` that names the line.
    """
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(" "):
            continue
        out.append(line)
        words = words_of(line)
        if not words:
            continue
        try:
            out += play(words)
        except Unfit as error:
            raise InvalidInput(f"line {number}: {error}", hint=_HINT.format(described_in)) from error
        except (ValueError, IndexError, KeyError, TypeError, RecursionError) as error:
            shown = line[:200]
            raise InvalidInput(f"line {number} makes no sense: {shown}", hint=f"see {described_in}") from error
    return "\n".join(out) + "\n"


def player() -> Play:
    """Plays the lines of one member's election."""
    state = Election(me="me", incarnation="me.1", timing=Timing())

    def play(words: list[str]) -> list[str]:
        nonlocal state
        state, told = _step(state, words)
        return told

    return play


def replay(text: str) -> str:
    """The transcript as it is with today's decisions. Raises :class:`InvalidInput` that names the line."""
    return replay_lines(text, player(), "transcript.py")


def difference(text: str) -> str:
    """How the transcript differs from today's decisions, as a unified diff; '' if it does not."""
    return compared(text, replay(text))


def compared(text: str, now: str) -> str:
    """Two transcripts as a unified diff; '' if they are the same."""
    lines = difflib.unified_diff(text.splitlines(True), now.splitlines(True), "recorded", "decided now", n=8)
    return "".join(lines)


def _step(state: Election, words: list[str]) -> tuple[Election, list[str]]:
    if words[0] == "me":
        return msgspec.structs.replace(state, me=words[1], incarnation=f"{words[1]}.1"), []
    if words[0] == "timing":
        values = dict(word.split("=") for word in words[1:])
        return msgspec.structs.replace(state, timing=from_plain(values, Timing, strict=False)), []
    if words[0] == "state":
        return decoded(words[1], Election, "state of an election"), []
    try:
        decision = decide(state, _event(words), float(words[0]))
    except IllegalTransition as error:
        return state, [f"{INDENT}illegal: {error}"]
    return decision.state, election_told(decision)


def _event(words: list[str]) -> Event:
    if (kind := _KINDS.get(words[1])) is not None:
        event: Event = decoded(words[2], kind, words[1])
        return event
    return _EVENTS[words[1]](words[2:])
