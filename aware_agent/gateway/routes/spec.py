"""``/v1/spec``: what the colony shall be, and what it was to be before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.difference import differences, plain
from aware_agent.colony.plan import spec_steps
from aware_agent.colony.spec import Spec
from aware_agent.colony.version import Kept
from aware_agent.gateway import versions
from aware_agent.gateway.documents import SpecChange, SpecDocument
from aware_agent.gateway.paging import Paged
from aware_agent.gateway.rehearsed import Rehearsed
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, read, write
from aware_agent.gateway.state import Gateway
from aware_agent.gateway.version_documents import DiffDocument, RollbackBody, VersionDocument, VersionsDocument
from aware_agent.queen import overview
from aware_agent.queen.commands import Command, PutSpec, RollBackSpec, Written
from aware_agent.queen.versions import SPEC
from aware_agent.security.jwt import Principal

router = APIRouter(tags=["spec"])
IfMatch = Annotated[str | None, Header(description="revision or ETag that was read")]


@endpoint(router, "GET", "/v1/spec", answer=SpecDocument, also=[410])
async def read_spec(gateway: Here, at: versions.At = None) -> Response:
    """The spec in force, or the one that was in force at a revision."""
    if at is None:
        return Hot(gateway, "/v1/spec")
    kept = await versions.known_at(gateway, SPEC, at)
    return answer(gateway, SpecDocument(revision=kept.revision if kept else 0, spec=_spec(kept)))


@endpoint(
    router,
    "GET",
    "/v1/spec/history",
    answer=VersionsDocument,
    lists=("versions", VersionDocument),
)
async def read_history(gateway: Here, page: Paged) -> Response:
    """Versions of the spec, the newest first: who wanted what, and when."""
    return versions.list_versions(gateway, SPEC, page)


@endpoint(router, "GET", "/v1/spec/diff", answer=DiffDocument, also=[410])
async def diff_spec(gateway: Here, from_: versions.From, to: versions.To = None) -> Response:
    """What changed in the spec between two revisions."""
    before = await versions.known_at(gateway, SPEC, from_)
    after = await versions.known_at(gateway, SPEC, gateway.context.projection.revision if to is None else to)
    wanted = _spec(after)
    document = DiffDocument(
        from_=before.revision if before else 0,
        to=after.revision if after else 0,
        steps=spec_steps(_spec(before), wanted) if wanted and _spec(before) != wanted else [],
        changes=versions.between(before, after),
    )
    return answer(gateway, document)


@endpoint(router, "PUT", "/v1/spec", body=Spec, answer=SpecChange, also=[412])
async def put_spec(request: Request, gateway: Here, who: Who, if_match: IfMatch = None) -> Response:
    """Put the whole spec; answers with the steps from what is to what is wanted."""
    after = await read(request, Spec)
    return await _change(gateway, who, after, lambda at: PutSpec(spec=after, if_revision=at), if_match=if_match)


@endpoint(
    router,
    "POST",
    "/v1/spec/rollback",
    body=RollbackBody,
    answer=SpecChange,
    also=[404, 410, 412],
)
async def roll_back_spec(request: Request, gateway: Here, who: Who, if_match: IfMatch = None) -> Response:
    """Want again what was wanted at a revision: a new write. Refused when that spec is not possible any more."""
    body = await read(request, RollbackBody)
    await versions.known_at(gateway, SPEC, body.revision)
    after = overview.spec_to_return_to(gateway.context.reader, body.revision)
    return await _change(
        gateway,
        who,
        after,
        lambda at: RollBackSpec(revision=body.revision, if_revision=at),
        if_match=if_match,
    )


async def _change(
    gateway: Gateway,
    who: Principal,
    after: Spec,
    make: Callable[[int | None], Command[Written]],
    *,
    if_match: str | None,
) -> Response:
    view = gateway.context.view()
    planned = overview.plan_spec(gateway.context.reader, after)
    changed, revision, term = planned.changed, view.spec_revision, view.term
    dry_run = False
    try:
        written = await write(gateway, if_match, gateway.keys.key(SPEC), make, who)
        changed, revision, term = written.changed, written.revision, written.term
    except Rehearsed as rehearsed:
        changed, dry_run = rehearsed.outcome.changed, True
    document = SpecChange(
        changed=changed,
        dry_run=dry_run,
        revision=revision,
        term=term,
        steps=list(planned.steps),
        missing_nodes=planned.missing_nodes,
        surplus_nodes=planned.surplus_nodes,
        before=view.spec,
        after=after,
        changes=differences(plain(view.spec), plain(after)),
    )
    return answer(gateway, document)


def _spec(kept: Kept | None) -> Spec | None:
    return None if kept is None else from_plain(kept.version.value, Spec)
