"""``?dry_run=true`` of every write, and what it is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query

from aware_agent.gateway.documents import Document
from aware_agent.gateway.rehearsed import dry_run

_SAID = "only say what would happen; it is validated as the real thing, and nothing is written"


class DryRunDocument(Document, frozen=True, kw_only=True):
    """What a write would have done: whether anything would change, and what, in the sentences of its events.

    ``revision`` and ``term`` are of the picture that was looked at.
    """

    dry_run: bool
    changed: bool
    would: list[str]
    revision: int
    term: int


async def as_asked(
    wanted: Annotated[bool, Query(alias="dry_run", description=_SAID)] = False,
) -> AsyncIterator[None]:
    """Dependency of every write."""
    with dry_run(wanted):
        yield
