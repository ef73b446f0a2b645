"""``/v1/council/``: who carries the colony, and moving a seat."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.colony.seats import CouncilRecord
from aware_agent.gateway.documents import CouncilMembersDocument, MoveBody, MovingDocument, NodeName
from aware_agent.gateway.routing import Here, Who, answer, endpoint, find_node, read
from aware_agent.queen.commands import MoveSeat

router = APIRouter(tags=["council"])


@endpoint(router, "GET", "/v1/council/members", answer=CouncilMembersDocument)
async def read_members(gateway: Here) -> Response:
    """The members of etcd as the queen saw them last, and what she is doing about the council."""
    view = gateway.context.view()
    record = gateway.context.reader.one("council", CouncilRecord) or CouncilRecord(seats=())
    document = CouncilMembersDocument(
        wanted=view.spec.council if view.spec else None,
        members=list(record.seats),
        message=record.message,
        trouble=record.trouble,
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
    names = {node.id: node.name for node in gateway.context.view().nodes}
    document = MovingDocument(
        from_=NodeName(id=moving.source, name=names.get(moving.source, moving.source)),
        to=NodeName(id=moving.target, name=names.get(moving.target, moving.target)),
    )
    return answer(gateway, document, status=202)
