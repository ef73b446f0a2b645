"""What a check of a host or a colony found: how bad it is, what it is, and what a person should do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Level(StrEnum):
    """How bad a finding is. ``skipped``: nothing was looked at, and the message says why."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"
    SKIPPED = "skipped"


class Said(NamedTuple):
    """A judgement: one sentence of what was found, and one of what to do; nothing is to be done when that is empty."""

    level: Level
    message: str
    to_do: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement with its place. ``scope``: controller, node or colony; ``check``: the name of the check."""

    scope: str
    check: str
    level: Level
    message: str
    to_do: str = ""


def fine(message: str) -> Said:
    """Nothing is wrong."""
    return Said(Level.OK, message)


def doubtful(message: str, to_do: str) -> Said:
    """It works, and will not always."""
    return Said(Level.WARN, message, to_do)


def wrong(message: str, to_do: str) -> Said:
    """It does not work, or may break at any time."""
    return Said(Level.ERROR, message, to_do)


def skipped(reason: str, to_do: str = "") -> Said:
    """It was not looked at."""
    return Said(Level.SKIPPED, reason, to_do)


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many there are of each level."""
    found = {str(level): 0 for level in Level}
    for finding in findings:
        found[str(finding.level)] += 1
    return found
