"""``/v1/events``: history, and the live streams that resume from any kept revision."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response, WebSocket

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.event_filter import EventFilter, event_filter, matches
from aware_agent.colony.numbers import whole
from aware_agent.gateway import hub, paging
from aware_agent.gateway.documents import EventDocument, EventsDocument
from aware_agent.gateway.numbers import STRICT
from aware_agent.gateway.routing import Here, Who, endpoint, listing
from aware_agent.gateway.sse import EventStream, SentEvent
from aware_agent.gateway.websocket import serve_events

router = APIRouter(tags=["events"])
MAX_LIMIT = 1000


Since = Annotated[int, STRICT, Query(ge=0, le=2**63 - 1, description="only events after this revision")]


async def wanted_events(
    kind: Annotated[list[str] | None, Query(alias="type", description="node.*, queen.elected; several: any")] = None,
    subject: Annotated[list[str] | None, Query(description="what it happened to; patterns as for type")] = None,
    caste: Annotated[list[str] | None, Query(description="a caste of the node it happened to, now")] = None,
    actor: Annotated[list[str] | None, Query(description="who did it")] = None,
    severity: Annotated[str | None, Query(description="this and worse: info, notice, warning, error")] = None,
) -> EventFilter:
    """The filter in a query."""
    return event_filter(kind or [], subject or [], caste or [], actor or [], [severity] if severity is not None else [])


Wanted = Annotated[EventFilter, Depends(wanted_events)]


@endpoint(router, "GET", "/v1/events", answer=EventsDocument, also=[410], lists=("events", EventDocument))
async def list_events(
    gateway: Here,
    *,
    wanted: Wanted,
    since: Since = 0,
    limit: Annotated[
        int, STRICT, Query(ge=1, le=MAX_LIMIT, description="about so many; a revision is never cut")
    ] = 200,
    cursor: paging.Cursor = None,
    fields: paging.Fields = None,
) -> Response:
    """Events after a revision, oldest first. 410 when they are no longer all kept, or were never there."""
    if cursor is not None:
        if since:
            raise InvalidInput("since or cursor?", field="cursor", hint="the cursor says since when")
        since = paging.after(cursor, int, ("events", wanted))
    await gateway.hub.check_history(since)
    found: list[EventDocument] = []
    castes_of = gateway.context.reader.castes_of
    last, more = since, True
    while more and len(found) < limit:
        batch, more = hub.page(gateway.context, last, limit)
        last = batch[-1][0] if batch else last
        found += [hub.document(r, event) for r, event in batch if matches(wanted, event, castes_of)]
    document = EventsDocument(
        revision=last if more else max(last, gateway.context.projection.revision),
        oldest=gateway.context.oldest_event_revision,
        more=more,
        events=found,
        next=paging.cursor(last, ("events", wanted)) if more else None,
    )
    return listing(gateway, paging.Page(fields=fields), document, "events", EventDocument)


@endpoint(
    router,
    "GET",
    "/v1/events/stream",
    answer=SentEvent,
    media="text/event-stream",
    also=[410, 422],
)
async def stream(
    gateway: Here,
    who: Who,
    wanted: Wanted,
    since: Annotated[int | None, STRICT, Query(ge=0, le=2**63 - 1, description="resume after this revision")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Server-sent events: ``id`` is the revision, ``event`` the type, ``data`` an EventDocument.

    Starts after Last-Event-ID, else after ``since``, else now. Its last message is ``aware.end`` with the reason and
    the revision to resume after. ``id`` alone is a sign of life: all that is wanted up to there was sent.
    """
    start = _resume(last_event_id) if last_event_id else since
    await gateway.hub.check(start or 0, who.name)
    return EventStream(gateway.hub.follow(start, wanted, lambda: gateway.authority.holds(who), who.name))


@router.websocket("/v1/events/ws")
async def websocket(socket: WebSocket, gateway: Here) -> None:
    """One EventDocument a message. Token by Authorization header, ``?ticket=`` or first message."""
    await serve_events(socket, gateway)


def _resume(header: str) -> int:
    try:
        return whole(header)
    except ValueError:
        raise InvalidInput("Last-Event-ID is not a revision", field="Last-Event-ID") from None
