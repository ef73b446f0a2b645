"""What must still hold when a command is committed: that who gave it is who he was when it was judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from aware_agent.store import ops

_GUARDS: ContextVar[list[ops.Compare] | None] = ContextVar("guards", default=None)


@contextmanager
def guarded(guards: Sequence[ops.Compare]) -> Iterator[None]:
    """The first transaction of this task inside compares ``guards`` as well."""
    token = _GUARDS.set(list(guards))
    try:
        yield
    finally:
        _GUARDS.reset(token)


def take_guards() -> list[ops.Compare]:
    """What this transaction has to compare; a later one may have changed it itself."""
    waiting = _GUARDS.get()
    if not waiting:
        return []
    taken = list(waiting)
    waiting.clear()
    return taken
