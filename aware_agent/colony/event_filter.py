"""Which events somebody wants: patterns for type, subject, caste and actor, and a least severity. Pure and bounded.

All that is said must hold; of several patterns of one field any may. A pattern is text in which ``*`` stands for any
text, and nothing else stands for anything: no expression of a stranger can take long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.event import Event, Severity

MAX_PATTERNS = 16  # of one field
MAX_PATTERN = 100  # characters
MAX_STARS = 4
_RANK = {severity: rank for rank, severity in enumerate(Severity)}

CastesOf = Callable[[str], Collection[str]]
"""Names of the castes a subject (id or name of a node, or a caste) is of now."""


class EventFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The filter. One that says nothing wants everything."""

    type: tuple[str, ...] = ()
    severity: Severity = Severity.INFO  # this and what is worse
    subject: tuple[str, ...] = ()
    caste: tuple[str, ...] = ()  # by the castes of the moment at which the event is looked at
    actor: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether every event passes."""
        return self == EventFilter()


def event_filter(
    types: Sequence[str],
    subjects: Sequence[str],
    castes: Sequence[str],
    actors: Sequence[str],
    severity: Sequence[str] = (),
) -> EventFilter:
    """The filter of a query, in which each may stand several times. Raises :class:`InvalidInput`."""
    try:
        least = Severity(severity[0]) if severity else Severity.INFO
    except ValueError:
        raise InvalidInput("this is no severity", field="severity", hint=", ".join(Severity)) from None
    wanted = EventFilter(
        type=tuple(types), severity=least, subject=tuple(subjects), caste=tuple(castes), actor=tuple(actors)
    )
    return check_filter(wanted)


def check_filter(wanted: EventFilter, where: str = "") -> EventFilter:
    """``wanted``, when it is within bounds. Raises :class:`InvalidInput` that names the field below ``where``."""
    for field in ("type", "subject", "caste", "actor"):
        _check(f"{where}{field}", getattr(wanted, field))
    return wanted


def _check(field: str, patterns: Sequence[str]) -> None:
    if len(patterns) > MAX_PATTERNS:
        raise InvalidInput(f"{field}: {len(patterns)} patterns are too many", field=field, hint=f"up to {MAX_PATTERNS}")
    for pattern in patterns:
        if not 1 <= len(pattern) <= MAX_PATTERN or not pattern.isprintable():
            hint = f"1 to {MAX_PATTERN} printable characters"
            raise InvalidInput(f"{field}: this is no pattern", field=field, hint=hint)
        if pattern.count("*") > MAX_STARS:
            raise InvalidInput(f"{field}: a pattern has at most {MAX_STARS} stars", field=field, hint="node.* is one")


def matches(wanted: EventFilter, event: Event, castes_of: CastesOf) -> bool:
    """Whether ``event`` passes."""
    return (
        _RANK[event.severity] >= _RANK[wanted.severity]
        and _any(wanted.type, (event.type,))
        and _any(wanted.subject, (event.subject,))
        and _any(wanted.actor, (event.actor,))
        and (not wanted.caste or _any(wanted.caste, castes_of(event.subject)))
    )


def _any(patterns: Sequence[str], texts: Collection[str]) -> bool:
    return not patterns or any(like(pattern, text) for pattern in patterns for text in texts)


def like(pattern: str, text: str) -> bool:
    """Whether ``text`` is as ``pattern`` says; takes time that grows with their lengths and no faster."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
