"""``/v1/queen``: who reigns, and handing the reign over."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.gateway import reads
from aware_agent.gateway.documents import HandOver, NodeName, QueenDocument, TransferBody
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, find_node, read
from aware_agent.queen.commands import StepDown, Transfer

router = APIRouter(tags=["queen"])


@endpoint(router, "GET", "/v1/queen", answer=QueenDocument)
async def read_queen(gateway: Here) -> Response:
    """Who reigns since when, and who would follow."""
    return Hot(gateway, "/v1/queen")


@endpoint(router, "POST", "/v1/queen/step-down", answer=HandOver, status=202)
async def step_down(gateway: Here, who: Who) -> Response:
    """Resign; the heir is expected to follow."""
    view = gateway.context.view()
    queen, heir = reads.reigning(view), reads.heir(view)
    await gateway.context.commands.run(StepDown(), actor=who.name)
    document = HandOver(from_=NodeName(id=queen.id, name=queen.name), to=heir, term=queen.term)
    return answer(gateway, document, status=202)


@endpoint(router, "POST", "/v1/queen/transfer", body=TransferBody, answer=HandOver, status=202, also=[404])
async def transfer(request: Request, gateway: Here, who: Who) -> Response:
    """Resign in favour of a named node."""
    body = await read(request, TransferBody)
    node = find_node(gateway, body.node)
    queen = reads.reigning(gateway.context.view())
    await gateway.context.commands.run(Transfer(node=node.id), actor=who.name)
    successor = NodeName(id=node.id, name=node.name)
    document = HandOver(from_=NodeName(id=queen.id, name=queen.name), to=successor, term=queen.term)
    return answer(gateway, document, status=202)
