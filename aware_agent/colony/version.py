"""Earlier versions of what is wanted: the spec, and the configuration of each node. Pure.

etcd's own history is compacted, so each version is a record of its own, written in the transaction that made it: its
revision is the version's. How many are kept is bounded by their number and their size together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from aware_agent.colony.decoding import Count, Line, Moment, Word


class Bounds(NamedTuple):
    """The most that is kept of one document: versions, and bytes of all their records."""

    number: int
    size: int


SPEC_BOUNDS = Bounds(100, 1024 * 1024)
CONFIG_BOUNDS = Bounds(20, 128 * 1024)  # of each node


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version: the document as it was put, by whom, when (Unix seconds), and what was new in a sentence."""

    number: Count  # 1 is the first
    at: Moment
    term: Count
    actor: Word
    message: Line
    value: Any


class Kept(NamedTuple):
    """A version and the revision it was written at."""

    revision: int
    version: Version


def name_of(number: int) -> str:
    """The last part of a version's key: in the order of numbers."""
    return f"{number:010d}"


def surplus(sizes: Sequence[int], new: int, bounds: Bounds) -> int:
    """How many of the oldest versions have to go for one of ``new`` bytes. ``sizes`` are those kept, oldest first.

    The newest one stays whatever its size: going back one step is always possible.
    """
    kept, room = 0, bounds.size - new
    for size in list(reversed(sizes))[: bounds.number - 1]:
        if kept and size > room:
            break
        kept, room = kept + 1, room - size
    return len(sizes) - kept


def in_force(history: Sequence[Kept], revision: int) -> Kept | None:
    """The version that was in force at ``revision``; None when none of ``history`` (oldest first) is that old."""
    return next((kept for kept in reversed(history) if kept.revision <= revision), None)
