"""Dry runs: the queen carries a command out up to its first effect, and says what would follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from aware_agent.queen.commands import Command, ReadChannel, ReadCheck, ReportRotation
from aware_agent.queen.rehearsal import Rehearsal

_READS = (ReadChannel, ReadCheck, ReportRotation)


class Rehearsed(Exception):
    """The command of this request was rehearsed."""

    def __init__(self, outcome: Rehearsal) -> None:
        super().__init__()
        self.outcome = outcome


_DRY: ContextVar[bool] = ContextVar("dry_run", default=False)


@contextmanager
def dry_run(wanted: bool) -> Iterator[None]:
    """Commands of this request are rehearsed, if that is ``wanted``."""
    token = _DRY.set(wanted)
    try:
        yield
    finally:
        _DRY.reset(token)


def is_rehearsed(command: Command[Any]) -> bool:
    """Whether ``command`` is to be rehearsed: it would change something, and the request is a dry run."""
    return _DRY.get() and not isinstance(command, _READS)
