"""``/v1/audit``: who did what, as the chain has it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query, Response

from aware_agent.colony.audit import AuditLine, Head, Result
from aware_agent.colony.errors import InvalidInput
from aware_agent.gateway import paging
from aware_agent.gateway.documents import AuditDocument
from aware_agent.gateway.numbers import STRICT
from aware_agent.gateway.routing import Here, endpoint, listing
from aware_agent.queen.audit import HEAD, KIND, line_key, read_head, read_line
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue

router = APIRouter(tags=["audit"])
MAX_LIMIT = 1000
MAX_LOOKED_AT = 5000  # lines in one request: whoever filters asks again
_LATEST = 2**53 - 1
Moment = Annotated[int, STRICT, Query(ge=0, le=_LATEST)]
Words = Annotated[str, Query(max_length=120)]


class Narrow(NamedTuple):
    """Which lines are asked for."""

    since: int
    until: int
    who: str
    what: str
    result: Result | None

    def takes(self, line: AuditLine) -> bool:
        """Whether ``line`` is one of them."""
        return (
            self.since * 1000 <= line.time < self.until * 1000
            and self.who in ("", line.actor)
            and line.result is (self.result or line.result)
            and (line.action.startswith(self.what) or line.route.startswith(self.what))
        )


async def _narrow(
    since: Annotated[Moment, Query(description="not before this moment, Unix seconds")] = 0,
    until: Annotated[Moment, Query(description="before this moment, Unix seconds")] = _LATEST,
    who: Annotated[Words, Query(description="only of this user, node or service account")] = "",
    what: Annotated[Words, Query(description="only what starts like this: a command, an event, PUT /v1/spec")] = "",
    result: Annotated[Result | None, Query(description="only what was done, or was refused")] = None,
) -> Narrow:
    return Narrow(since, until, who, what, result)


@endpoint(router, "GET", "/v1/audit", answer=AuditDocument, lists=("lines", AuditLine))
async def read_audit(
    gateway: Here,
    narrow: Annotated[Narrow, Depends(_narrow)],
    *,
    after: Annotated[int, STRICT, Query(ge=0, le=_LATEST, description="only lines after this one")] = 0,
    limit: Annotated[int, STRICT, Query(ge=1, le=MAX_LIMIT, description="at most so many lines")] = 200,
    last: Annotated[int, STRICT, Query(ge=0, le=MAX_LIMIT, description="begin so many lines before the end")] = 0,
    cursor: paging.Cursor = None,
    fields: paging.Fields = None,
) -> Response:
    """Lines in the order of the chain. A page of a narrowed log may have few lines or none, and a next one."""
    question = ("audit", *narrow)
    prefix = gateway.keys.key(KIND, "")
    place = line_key(gateway.keys, after)
    if cursor is not None:
        if after or last:
            raise InvalidInput("after, last or cursor?", field="cursor", hint="the cursor says where to go on")
        place = prefix + paging.after(cursor, str, question).encode("latin-1", "replace")
    stored = list(gateway.context.projection.items(prefix))
    start = bisect_right(stored, place, key=_key)
    start = max(start, len(stored) - last) if last else start
    found, end = _page(gateway.keys, stored, start, limit, narrow)
    more = end < len(stored)
    document = AuditDocument(
        lines=found,
        next=paging.cursor(stored[end - 1].key.removeprefix(prefix).decode("latin-1"), question) if more else None,
        first=_first(stored),
        head=read_head(gateway.context.projection.get(gateway.keys.key(HEAD))) or Head(),
        keys=list(gateway.context.audit_keys),
    )
    return listing(gateway, paging.Page(fields=fields), document, "lines", AuditLine)


def _page(
    keys: Keys, stored: Sequence[KeyValue], start: int, limit: int, narrow: Narrow
) -> tuple[list[AuditLine], int]:
    """Lines from place ``start`` on, and the place where the next page begins."""
    found: list[AuditLine] = []
    end = min(len(stored), start + MAX_LOOKED_AT)
    for place in range(start, end):
        line = read_line(stored[place])
        # What is nothing of ours is passed over: the gap says so, and the page goes on behind it.
        if line is not None and stored[place].key == line_key(keys, line.seq) and narrow.takes(line):
            found.append(line)
            if len(found) == limit:
                return found, place + 1
    return found, end


def _first(stored: Sequence[KeyValue]) -> int:
    return next((line.seq for kv in stored[:MAX_LOOKED_AT] if (line := read_line(kv)) is not None), 0)


def _key(kv: KeyValue) -> bytes:
    return kv.key
