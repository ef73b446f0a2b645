"""``/v1/castes``: who serves where, who could, and why some are short."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from aware_agent.colony.caste_report import report
from aware_agent.colony.decoding import Moment
from aware_agent.colony.elastic import leaving, wanted
from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.colony.scale import Bounds, Scale, bounds
from aware_agent.colony.scaling import Posted
from aware_agent.colony.spec import Requirements, Spec
from aware_agent.gateway.documents import Change, DemandBody, Document, NodeName
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing, read
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import PutDemand
from aware_agent.queen.demand import DEMAND, check_demand

router = APIRouter(tags=["castes"])


class LeavingNode(NodeName, frozen=True, kw_only=True):
    """A node on its way out of a caste, and when it goes (Unix seconds; 0: any moment)."""

    at: Moment


class DemandDocument(Document, frozen=True, kw_only=True):
    """What was posted last, when and by whom; None: nothing yet. ``known``: it is new enough to scale by."""

    per_node: float
    value: float | None
    at: Moment | None
    by: str
    known: bool


class ScaleDocument(Document, frozen=True, kw_only=True):
    """How a caste scales. ``min`` and ``max`` hold now, ``window`` is the part of the schedule that says so.

    ``why`` it wants as many nodes as it does, since ``changed_at`` (Unix seconds; None: nothing was chosen yet).
    """

    min: int
    max: int
    window: str
    why: str
    changed_at: Moment | None
    leaving: list[LeavingNode]
    demand: DemandDocument | None
    rule: Scale


class CasteInFull(Document, frozen=True, kw_only=True):
    """One caste: how many are ``wanted``, who serves, how many are ``missing``. ``could``: free nodes that meet what it
    requires. ``reason``: why it is short, in a sentence; empty when it is not. ``count`` is the spec's; ``scale``: how
    it chooses another number by itself, null when it does not.
    """

    name: str
    wanted: int
    count: int
    scale: ScaleDocument | None
    requires: Requirements
    members: list[NodeName]
    missing: int
    could: list[NodeName]
    reason: str


class CastesDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The castes of the spec, by name. ``next`` is the cursor of the next page, where there is one.

    ``wanted_size``: how many nodes the colony shall have, the spec's size or as many as castes want; for that there
    are ``missing_servers`` too few.
    """

    revision: int
    wanted_size: int
    missing_servers: int
    castes: list[CasteInFull]
    next: str | None = None


@endpoint(router, "GET", "/v1/castes", answer=CastesDocument, lists=("castes", CasteInFull))
async def list_castes(gateway: Here, page: Paged) -> Response:
    """All castes of the spec."""
    view = gateway.context.view()
    spec = view.spec
    names, following = cut(page, sorted(spec.castes if spec else ()), lambda name: name, str, ("castes",))
    document = CastesDocument(
        revision=view.revision,
        wanted_size=view.wanted_size,
        missing_servers=view.missing_servers,
        castes=[_document(gateway, spec, name) for name in names] if spec else [],
        next=following,
    )
    return listing(gateway, page, document, "castes", CasteInFull)


@endpoint(router, "GET", "/v1/castes/{name}", answer=CasteInFull)
async def read_caste(gateway: Here, name: str) -> Response:
    """One caste."""
    spec = gateway.context.view().spec
    if spec is None or name not in spec.castes:
        raise NotFound(f"there is no caste {name[:80]!r}", hint="GET /v1/castes, or aware spec show, lists them")
    return answer(gateway, _document(gateway, spec, name))


@endpoint(router, "PUT", "/v1/castes/{name}/demand", body=DemandBody, answer=Change)
async def put_demand(request: Request, gateway: Here, who: Who, name: str) -> Response:
    """Say how much there is to do for a caste that is scaled by it. What was said before is forgotten."""
    body = await read(request, DemandBody)
    check_demand(gateway.context.view().spec, name, body.value)
    written = await gateway.context.commands.run(PutDemand(caste=name, value=body.value), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _document(gateway: Gateway, spec: Spec, name: str) -> CasteInFull:
    data = gateway.context.reader.data()
    records = {node: entry.record for node, entry in data.entries.items()}
    found = report(name, spec, records, data.castes, data.elastic)

    def named(ids: tuple[str, ...]) -> list[NodeName]:
        return [NodeName(id=i, name=_name(gateway, i)) for i in ids]

    return CasteInFull(
        name=name,
        wanted=wanted(spec, data.elastic, name),
        count=spec.castes[name].count,
        scale=_scale(gateway, spec, name),
        requires=spec.castes[name].requires,
        members=named(found.members),
        missing=found.missing,
        could=named(found.could),
        reason=found.reason,
    )


def _scale(gateway: Gateway, spec: Spec, name: str) -> ScaleDocument | None:
    scale = spec.castes[name].scale
    if scale is None:
        return None
    data, now = gateway.context.reader.data(), time.time()
    try:
        allowed = bounds(scale, now)
    except InvalidInput as error:
        allowed = Bounds(scale.min, scale.max, error.message)
    chosen, members = data.elastic.get(name), data.castes.get(name, ())
    going = [
        LeavingNode(id=i, name=_name(gateway, i), at=at)
        for i, at in leaving(spec, data.elastic, name).items()
        if i in members
    ]
    return ScaleDocument(
        min=allowed.least,
        max=allowed.most,
        window=allowed.window,
        why=chosen.why if chosen else "",
        changed_at=chosen.changed_at if chosen else None,
        leaving=going,
        demand=_demand(gateway, scale, name, now),
        rule=scale,
    )


def _demand(gateway: Gateway, scale: Scale, name: str, now: float) -> DemandDocument | None:
    if scale.demand is None:
        return None
    posted = gateway.context.reader.one(f"{DEMAND}{name}", Posted)
    return DemandDocument(
        per_node=scale.demand.per_node,
        value=posted.value if posted else None,
        at=posted.at if posted else None,
        by=posted.by if posted else "",
        known=posted is not None and now - posted.at <= scale.demand.unknown_after_s,
    )


def _name(gateway: Gateway, node: str) -> str:
    record = gateway.context.reader.record(node)
    return record.name if record else node
