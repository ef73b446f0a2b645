"""A transcript in text: what happened to a decision machine, in lines that a program can play again. Pure.

Lines that start in the first column are what happened; indented lines are what came of it. What a live member tells
has these ::

    recorded 1 election lab-2
    state {"me": "01...", "phase": "watching", ...}
    4711.25 Vacant {"handover": null}
        campaigning: there is no queen; I campaign
            Campaign

``recorded`` names the format, the machine and the member; ``state`` is the whole state from which the next lines go
on. Ids of processes stand for incarnations, which are shown to nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from aware_agent.colony.decision_log import Entry
from aware_agent.colony.decoding import UNDECODABLE, cleaned, from_json
from aware_agent.colony.errors import one_line
from aware_agent.colony.node import process_id

FORMAT = 1
MAX_BYTES = 256 * 1024  # of what one machine tells: with hundreds of candidates a state is long
INDENT = "    "
_LEFT_OUT = re.compile(r"# [0-9]{1,12} events that decided nothing are left out")
T = TypeVar("T")
Told = Callable[[Any], list[str]]


class Unfit(ValueError):
    """A line of a transcript cannot be played; the text says why."""


def election_told(decision: Any) -> list[str]:
    """What an election, or a founding, decided: the phase in any case."""
    head = f"{INDENT}{decision.state.phase}" + (f": {one_line(decision.message)}" if decision.message else "")
    return [head, *effects_told(decision)]


def suspicion_told(decision: Any, when: str = "") -> list[str]:
    """What a member decided about the queen it listens to; nothing when that was nothing."""
    if not decision.message and not decision.effects:
        return []
    return [f"{INDENT}{when}{one_line(decision.message) or 'nothing to tell'}", *effects_told(decision)]


def council_told(decision: Any) -> list[str]:
    """What the council's keeper decided: one step, what it waits for or refuses, or nothing."""
    head = f"{INDENT}{decision.state.phase}" + (f": {one_line(decision.message)}" if decision.message else "")
    return [head, *([INDENT * 2 + effect_line(decision.effect)] if decision.effect is not None else [])]


def effects_told(decision: Any) -> list[str]:
    """One line for each effect."""
    return [INDENT * 2 + effect_line(effect) for effect in decision.effects]


def effect_line(effect: msgspec.Struct) -> str:
    """An effect and its fields."""
    fields = [(name, getattr(effect, name)) for name in effect.__struct_fields__]
    parts = [f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value!r}" for name, value in fields]
    return " ".join([type(effect).__name__, *parts])


TOLD: dict[str, Told] = {
    "election": election_told,
    "suspicion": suspicion_told,
    "council": council_told,
    "founding": election_told,
}


# Writing ---------------------------------------------------------------------------------------------------------


def recorded(kind: str, member: str, state: Any, entries: Sequence[Entry], most: int = MAX_BYTES) -> str:
    """What a machine has kept, as text of at most ``most`` bytes: the oldest is left out. ``state`` is that of now."""
    lines = [f"recorded {FORMAT} {kind} {_one_word(member)}"]
    kept = _newest(kind, entries, most)
    if not kept:
        lines.append(_state_line(state))
    previous: Entry | None = None
    for entry in kept:
        if previous is None or previous.decision.state is not entry.before:
            if previous is not None:
                lines.append(f"# {entry.number - previous.number - 1} events that decided nothing are left out")
            lines.append(_state_line(entry.before))
        lines += _entry_lines(kind, entry)
        previous = entry
    return "\n".join(lines) + "\n"


def _newest(kind: str, entries: Sequence[Entry], most: int) -> list[Entry]:
    """As many as fit, whether a state has to stand before each or not."""
    kept: list[Entry] = []
    for entry in reversed(entries):
        following = kept[-1] if kept else None
        jumps = following is not None and following.before is not entry.decision.state
        most -= sum(len(line) + 1 for line in _entry_lines(kind, entry))
        most -= len(_state_line(following.before)) + 80 if following is not None and jumps else 0
        if most < len(_state_line(entry.before)):
            break
        kept.append(entry)
    return kept[::-1]


def _entry_lines(kind: str, entry: Entry) -> list[str]:
    happened = f"{entry.at!r} {type(entry.event).__name__} {_json(entry.event)}"
    return [happened, *TOLD[kind](entry.decision)]


def _state_line(state: Any) -> str:
    return f"state {_json(state)}"


def _json(value: Any) -> str:
    """On one line, in ASCII, and such that it can be read again, whatever a member wrote into etcd."""
    return json.dumps(_shown(cleaned(msgspec.to_builtins(value, str_keys=True))))


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: process_id(part) if key == "incarnation" and isinstance(part, str) else _shown(part)
            for key, part in value.items()
        }
    return [_shown(part) for part in value] if isinstance(value, list | tuple) else value


def in_name_of(member: str, text: str) -> str:
    """What ``member`` told, in its own name and no other: who wrote it may have chosen any headings and comments."""
    lines = []
    for line in text.splitlines():
        if line.startswith("recorded "):
            lines.append(" ".join([*line.split()[:3], _one_word(member)]))
        elif not line.startswith("#") or _LEFT_OUT.fullmatch(line):
            lines.append(line)
    return "\n".join(lines) + "\n"


def _one_word(member: str) -> str:
    return one_line(member).replace(" ", "-")


# Reading ---------------------------------------------------------------------------------------------------------


def words_of(line: str) -> list[str]:
    """The words of a line, without its comment; what begins with ``{`` is one word to its end."""
    head, brace, rest = line.partition(" {")
    if brace and "#" not in head:
        return [*head.split(), "{" + rest]
    return line.partition("#")[0].split()


def heading(words: Sequence[str]) -> str:
    """The machine whose lines follow a ``recorded`` line. Raises :class:`Unfit`."""
    if len(words) < 3 or words[1] != str(FORMAT):
        found = words[1][:20] if len(words) > 1 else "none"
        raise Unfit(f"it was recorded in format {found} by another version of AWARE, and this one reads {FORMAT}")
    if words[2] not in TOLD:
        raise Unfit(f"{words[2][:20]!r} is no decision machine: {' or '.join(TOLD)}")
    return words[2]


def decoded(text: str, kind: type[T], what: str) -> T:
    """The value in ``text``: all that ``kind`` has, and no more. Raises :class:`Unfit`."""
    try:
        plain = from_json(text)
        value: T = from_json(text, kind)
    except (*UNDECODABLE, ValueError) as error:
        raise Unfit(f"this is no {what} of this version, or it was edited: {str(error)[:200]}") from error
    for strange in _strange(plain, msgspec.to_builtins(value, str_keys=True), ""):
        raise Unfit(f"this is no {what} of this version, or it was edited: {strange}")
    return value


def _strange(plain: Any, again: Any, path: str) -> Iterator[str]:
    if isinstance(plain, dict) and isinstance(again, dict):
        yield from (f"it has no {path}{name}" for name in sorted(again.keys() - plain.keys()))
        yield from (f"nobody knows its {path}{str(name)[:40]}" for name in sorted(plain.keys() - again.keys()))
        for name in sorted(plain.keys() & again.keys()):
            yield from _strange(plain[name], again[name], f"{path}{name}.")
