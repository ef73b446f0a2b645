"""A command that is carried out up to its first effect, and no further: what it would do is told instead.

Everything that may refuse a command comes before its first effect, so a rehearsal is refused as the real thing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What a command would do: change nothing, or what these sentences say; they are those of the events."""

    changed: bool
    sentences: tuple[str, ...] = ()


class WouldAct(Exception):
    """The command would have an effect now."""

    def __init__(self, sentences: Iterable[str]) -> None:
        super().__init__()
        self.sentences = tuple(sentences)


_REHEARSING: ContextVar[bool] = ContextVar("rehearsing", default=False)


@contextmanager
def rehearsing() -> Iterator[None]:
    """The present task has no effects inside."""
    token = _REHEARSING.set(True)
    try:
        yield
    finally:
        _REHEARSING.reset(token)


def about_to(*sentences: str) -> None:
    """What is called before every effect. Raises :class:`WouldAct` in a rehearsal."""
    if _REHEARSING.get():
        raise WouldAct(sentences)
