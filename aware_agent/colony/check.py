"""The one resource that checks of a running colony write: a register, of which every value is written once."""

from __future__ import annotations

import re

import msgspec

from aware_agent.colony.errors import InvalidInput

BUSY_S = 10.0  # a check that wrote in this time is not put aside by another
RUN = re.compile(r"[0-9a-f]{32}")


class CheckRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Kept as ``check`` in etcd. ``at``: when it was written last, in Unix seconds of the queen who did."""

    run: str
    by: str
    value: int
    at: float
    term: int
    writes: int = 0  # values after the first one


def check_run(run: str) -> None:
    """Raise :class:`InvalidInput` unless ``run`` can name a check."""
    if not RUN.fullmatch(run):
        raise InvalidInput("a check is named by 32 hexadecimal digits", field="run")


def told(record: CheckRecord) -> str:
    """What the audit log tells of the values: they come too fast for a line each, so they are told as one."""
    return f"values written: {record.writes}, the last {record.value}"


def busy_for(record: CheckRecord, now: float) -> float:
    """For how many seconds more ``record`` is in use; 0: whoever wrote it has gone. Clocks may differ by as much."""
    quiet = abs(now - record.at)
    return max(0.0, BUSY_S - quiet)
