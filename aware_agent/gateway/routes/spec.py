"""``/v1/spec``: what the colony shall be."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from aware_agent.colony.spec import Spec
from aware_agent.gateway import preconditions
from aware_agent.gateway.documents import SpecChange, SpecDocument
from aware_agent.gateway.errors import PreconditionFailed
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, read, write
from aware_agent.queen import overview
from aware_agent.queen.commands import PutSpec
from aware_agent.security.roles import Role

router = APIRouter(tags=["spec"])
IfMatch = Annotated[str | None, Header(description="revision or ETag that was read")]


@endpoint(router, "GET", "/v1/spec", role=Role.VIEWER, answer=SpecDocument)
async def read_spec(gateway: Here) -> Response:
    """The spec in force."""
    return Hot(gateway, "/v1/spec")


@endpoint(router, "PUT", "/v1/spec", role=Role.OPERATOR, body=Spec, answer=SpecChange, also=[412])
async def put_spec(
    request: Request,
    gateway: Here,
    who: Who,
    dry_run: Annotated[bool, Query(description="only say what would happen")] = False,
    if_match: IfMatch = None,
) -> Response:
    """Put the whole spec; answers with the steps from what is to what is wanted."""
    after = await read(request, Spec)
    view = gateway.context.view()
    planned = overview.plan_spec(gateway.context.reader, after)
    changed, revision, term = planned.changed, view.spec_revision, view.term
    wanted = preconditions.if_match(if_match, revision)
    if dry_run and wanted not in (None, revision):
        raise PreconditionFailed(revision)
    if not dry_run:
        written = await write(
            gateway,
            if_match,
            gateway.keys.key("spec"),
            lambda at: PutSpec(spec=after, if_revision=at),
            who,
        )
        changed, revision, term = written.changed, written.revision, written.term
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
    )
    return answer(gateway, document)
