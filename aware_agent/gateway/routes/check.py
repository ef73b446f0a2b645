"""``/v1/check``: a register that ``aware check election`` writes and reads, and nobody else needs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from aware_agent.colony.check import check_run
from aware_agent.gateway.documents import Body, Change, Document
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read, write
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import BeginCheck, EndCheck, ReadCheck, WriteCheck, Written

router = APIRouter(tags=["queen"])


class CheckBody(Body, frozen=True, kw_only=True):
    """Which check: 32 hexadecimal digits that the client drew."""

    run: str


class CheckPut(Body, frozen=True, kw_only=True):
    """What the register shall hold; a check writes every number once."""

    value: int


class CheckChange(Change, frozen=True, kw_only=True):
    """Outcome of a write. ``queen``: who answered, where it was written under her term, else empty."""

    queen: str


class CheckDocument(Document, frozen=True, kw_only=True):
    """What the register held, as the queen read it from etcd under her term."""

    value: int
    revision: int
    term: int


@endpoint(router, "POST", "/v1/check", body=CheckBody, answer=CheckChange, status=201)
async def begin_check(request: Request, gateway: Here, who: Who) -> Response:
    """Begin a check: the register holds 0. One is refused while another one writes; of one that ended it takes over."""
    body = await read(request, CheckBody)
    written = await gateway.context.commands.run(BeginCheck(run=body.run), actor=who.name)
    return answer(gateway, _change(gateway, written), status=201)


@endpoint(router, "GET", "/v1/check/{run}", answer=CheckDocument)
async def read_check(gateway: Here, who: Who, run: str) -> Response:
    """Read the register. The queen asks etcd, in a transaction that compares her term as her writes do."""
    found = await gateway.context.commands.run(ReadCheck(run=run), actor=who.name)
    return answer(gateway, CheckDocument(value=found.value, revision=found.revision, term=found.term))


@endpoint(router, "PUT", "/v1/check/{run}", body=CheckPut, answer=CheckChange, also=[412])
async def write_check(
    request: Request,
    gateway: Here,
    who: Who,
    run: str,
    if_match: Annotated[str | None, Header(description="revision that a write or read told")] = None,
) -> Response:
    """Write the register."""
    check_run(run)
    body = await read(request, CheckPut)
    written = await write(
        gateway,
        if_match,
        gateway.keys.key("check"),
        lambda at: WriteCheck(run=run, value=body.value, if_revision=at),
        who,
    )
    return answer(gateway, _change(gateway, written))


@endpoint(router, "DELETE", "/v1/check/{run}", answer=CheckChange)
async def end_check(gateway: Here, who: Who, run: str) -> Response:
    """End a check and remove what it wrote; unchanged when it is not there any more."""
    written = await gateway.context.commands.run(EndCheck(run=run), actor=who.name)
    return answer(gateway, _change(gateway, written))


def _change(gateway: Gateway, written: Written) -> CheckChange:
    view = gateway.context.view()
    same = view.queen is not None and view.term == written.term
    return CheckChange(
        changed=written.changed,
        revision=written.revision,
        term=written.term,
        queen=view.queen.name if view.queen is not None and same else "",
    )
