"""What the routes of the spec's and of configurations' versions share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from msgspec import UNSET

from aware_agent.colony.difference import Difference, differences
from aware_agent.colony.version import Kept
from aware_agent.gateway.errors import RevisionAhead
from aware_agent.gateway.numbers import STRICT
from aware_agent.gateway.paging import Page, cut
from aware_agent.gateway.routing import listing
from aware_agent.gateway.state import Gateway
from aware_agent.gateway.version_documents import VersionDocument, VersionsDocument
from aware_agent.queen import versions

MOST = 2**63 - 1
At = Annotated[
    int | None, STRICT, Query(ge=1, le=MOST, description="as of this revision, if that is still kept (else 410)")
]
From = Annotated[int, STRICT, Query(alias="from", ge=1, le=MOST, description="revision to compare from")]
To = Annotated[int | None, STRICT, Query(ge=1, le=MOST, description="revision to compare with; without: now")]


async def known_at(gateway: Gateway, name: str, revision: int) -> Kept | None:
    """What was in force at ``revision``; None: nothing yet. Raises VersionForgotten, RevisionAhead."""
    if not await gateway.context.has_been(revision):
        raise RevisionAhead(revision)
    return versions.at(versions.history(gateway.context.reader, name), revision)


def list_versions(gateway: Gateway, name: str, page: Page) -> Response:
    """The answer to a question for the history of ``name``."""
    known = versions.history(gateway.context.reader, name)
    found, following = cut(page, known[::-1], lambda kept: -kept.revision, int, ("versions", name))
    document = VersionsDocument(
        oldest=known[0].revision if known and known[0].version.number > 1 else 0,
        versions=[_document(kept, current=kept is known[-1]) for kept in found],
        next=following,
    )
    return listing(gateway, page, document, "versions", VersionDocument)


def between(before: Kept | None, after: Kept | None) -> list[Difference]:
    """What changed from one version to another."""
    return differences(value_of(before), value_of(after))


def value_of(kept: Kept | None) -> Any:
    """The document as it was put, UNSET for none."""
    return kept.version.value if kept else UNSET


def _document(kept: Kept, *, current: bool) -> VersionDocument:
    version = kept.version
    return VersionDocument(
        revision=kept.revision,
        version=version.number,
        at=version.at,
        actor=version.actor,
        term=version.term,
        message=version.message,
        current=current,
    )
