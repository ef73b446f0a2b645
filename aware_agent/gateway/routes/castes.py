"""``/v1/castes``: who serves where, who could, and why some are short."""

from __future__ import annotations

from fastapi import APIRouter, Response

from aware_agent.colony.caste_report import report
from aware_agent.colony.errors import NotFound
from aware_agent.colony.spec import Requirements, Spec
from aware_agent.gateway.documents import Document, NodeName
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, answer, endpoint, listing
from aware_agent.gateway.state import Gateway

router = APIRouter(tags=["castes"])


class CasteInFull(Document, frozen=True, kw_only=True):
    """One caste: how many are ``wanted``, who serves, how many are ``missing``. ``could``: free nodes that meet what it
    requires. ``reason``: why it is short, in a sentence; empty when it is not.
    """

    name: str
    wanted: int
    requires: Requirements
    members: list[NodeName]
    missing: int
    could: list[NodeName]
    reason: str


class CastesDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The castes of the spec, by name. ``next`` is the cursor of the next page, where there is one."""

    revision: int
    castes: list[CasteInFull]
    next: str | None = None


@endpoint(router, "GET", "/v1/castes", answer=CastesDocument, lists=("castes", CasteInFull))
async def list_castes(gateway: Here, page: Paged) -> Response:
    """All castes of the spec."""
    spec = gateway.context.view().spec
    names, following = cut(page, sorted(spec.castes if spec else ()), lambda name: name, str, ("castes",))
    castes = [_document(gateway, spec, name) for name in names] if spec else []
    document = CastesDocument(revision=gateway.context.view().revision, castes=castes, next=following)
    return listing(gateway, page, document, "castes", CasteInFull)


@endpoint(router, "GET", "/v1/castes/{name}", answer=CasteInFull)
async def read_caste(gateway: Here, name: str) -> Response:
    """One caste."""
    spec = gateway.context.view().spec
    if spec is None or name not in spec.castes:
        raise NotFound(f"there is no caste {name[:80]!r}", hint="GET /v1/castes, or aware spec show, lists them")
    return answer(gateway, _document(gateway, spec, name))


def _document(gateway: Gateway, spec: Spec, name: str) -> CasteInFull:
    data = gateway.context.reader.data()
    records = {node: entry.record for node, entry in data.entries.items()}
    found = report(name, spec, records, data.castes)

    def named(ids: tuple[str, ...]) -> list[NodeName]:
        return [NodeName(id=i, name=records[i].name if i in records else i) for i in ids]

    return CasteInFull(
        name=name,
        wanted=spec.castes[name].count,
        requires=spec.castes[name].requires,
        members=named(found.members),
        missing=found.missing,
        could=named(found.could),
        reason=found.reason,
    )
