"""``/v1/council/``: who carries the colony, and moving a seat."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.colony.seats import CouncilRecord, SeatMove
from aware_agent.gateway.documents import CouncilMembersDocument, MoveBody, MovingDocument, NodeName
from aware_agent.gateway.routing import Here, Who, answer, endpoint, find_node, read
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import MoveSeat

router = APIRouter(tags=["council"])


@endpoint(router, "GET", "/v1/council/members", answer=CouncilMembersDocument)
async def read_members(gateway: Here) -> Response:
    """The members of etcd as the queen saw them last, and what she is doing about the council."""
    view = gateway.context.view()
    record = gateway.context.reader.one("council", CouncilRecord) or CouncilRecord(seats=())
    moving = gateway.context.reader.one("council-move", SeatMove)
    document = CouncilMembersDocument(
        wanted=view.spec.council if view.spec else None,
        members=list(record.seats),
        message=record.message,
        trouble=record.trouble,
        moving=_moving(gateway, moving.source, moving.target) if moving else None,
    )
    return answer(gateway, document)


@endpoint(router, "POST", "/v1/council/move", body=MoveBody, answer=MovingDocument, status=202, also=[404])
async def move_seat(request: Request, gateway: Here, who: Who) -> Response:
    """Let a node give its seat to another one. The queen makes it so step by step; the members tell how far it is."""
    body = await read(request, MoveBody)
    source = find_node(gateway, body.from_)
    target = find_node(gateway, body.to) if body.to else None
    command = MoveSeat(source=source.id, target=target.id if target else "")
    moving = await gateway.context.commands.run(command, actor=who.name)
    return answer(gateway, _moving(gateway, moving.source, moving.target), status=202)


def _moving(gateway: Gateway, source: str, target: str) -> MovingDocument:
    names = {node.id: node.name for node in gateway.context.view().nodes}
    return MovingDocument(
        from_=NodeName(id=source, name=names.get(source, source)),
        to=NodeName(id=target, name=names.get(target, target)),
    )
