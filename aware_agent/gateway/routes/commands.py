"""``/v1/nodes/{node}/commands`` and ``/channel``: what the queen has a node do, and how she reaches it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.agent.channel_state import ChannelState
from aware_agent.channel.frames import CollectDiagnostics, RestartAgent
from aware_agent.gateway.documents import CommandAnswer, CommandBody, NodeName
from aware_agent.gateway.routing import Here, Who, answer, endpoint, find_node, read, target_of
from aware_agent.queen.commands import OrderNode, ReadChannel
from aware_agent.security.judging import permit

router = APIRouter(tags=["nodes"])
# They interrupt a node, or tell more of it than operators need; all others are harmless.
_PERMISSIONS = {RestartAgent: "nodes:restart", CollectDiagnostics: "nodes:diagnose"}


@endpoint(
    router,
    "POST",
    "/v1/nodes/{node}/commands",
    body=CommandBody,
    answer=CommandAnswer,
    also=[409, 504],
)
async def command_node(request: Request, gateway: Here, who: Who, node: str) -> Response:
    """Have a node do something and return its own answer. Restart and diagnostics need role admin."""
    body = await read(request, CommandBody)
    found = find_node(gateway, node)
    permit(who, _PERMISSIONS.get(type(body.command), "nodes:command"), target_of(gateway, found))
    done = await gateway.context.commands.run(OrderNode(node=found.id, order=body.command), actor=who.name)
    document = CommandAnswer(
        revision=done.revision, term=done.term, node=NodeName(id=found.id, name=found.name), answer=dict(done.answer)
    )
    return answer(gateway, document)


@endpoint(router, "GET", "/v1/nodes/{node}/channel", answer=ChannelState)
async def read_channel(gateway: Here, who: Who, node: str) -> Response:
    """The node's channel to the queen as it is now; only she knows it."""
    found = find_node(gateway, node)
    return answer(gateway, await gateway.context.commands.run(ReadChannel(node=found.id), actor=who.name))
