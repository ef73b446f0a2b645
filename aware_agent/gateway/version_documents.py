"""The JSON documents of what was wanted earlier: versions of the spec and of nodes' configurations."""

from __future__ import annotations

import msgspec

from aware_agent.colony.difference import Difference
from aware_agent.gateway.documents import Body, Change, Document


class VersionDocument(Document, frozen=True, kw_only=True):
    """One version: written at ``revision``, by whom, when (Unix seconds), and what was new. ``current``: in force."""

    revision: int
    version: int
    at: float
    actor: str
    term: int
    message: str
    current: bool


class VersionsDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Versions, the newest first. ``oldest``: what was in force before this revision is no longer kept; 0: all is.

    ``next`` is the cursor of the next page, where there is one.
    """

    oldest: int
    versions: list[VersionDocument]
    next: str | None = None


class DiffDocument(Document, frozen=True, kw_only=True):
    """What changed between two revisions. ``from`` and ``to`` are the revisions of the versions that were in force,
    0 when there was none; ``steps`` say it in sentences.
    """

    from_: int = msgspec.field(name="from")
    to: int
    steps: list[str]
    changes: list[Difference]


class RollbackBody(Body, frozen=True, kw_only=True):
    """What was in force at ``revision`` shall be so again."""

    revision: int


class ConfigRollback(Change, frozen=True, kw_only=True):
    """Outcome of going back to an earlier configuration, or what would come of it when ``dry_run``."""

    dry_run: bool
    version: int
    steps: list[str]
    changes: list[Difference]
