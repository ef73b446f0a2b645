"""``/v1/join``: a newcomer shows its join token and gets its certificate."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.channel.limits import source_of
from aware_agent.gateway.asgi import is_balanced
from aware_agent.gateway.asking import asking
from aware_agent.gateway.routing import Here, answer, endpoint, read_bytes
from aware_agent.queen.commands import Join
from aware_agent.security.joining import JoinAnswer, JoinRequest, ThroughBalancer, parse_join_request
from aware_agent.security.token import TokenRefused

router = APIRouter(tags=["join"])


@endpoint(router, "POST", "/v1/join", body=JoinRequest, answer=JoinAnswer, also=[403, 409, 429])
async def join(request: Request, gateway: Here) -> Response:
    """Sign a newcomer in. The token in the body is the credential; wrong ones lock their source out for a while."""
    now = gateway.authority.now()
    if is_balanced(request.scope):
        raise ThroughBalancer  # the certificate would name an address that nobody saw
    source = request.client.host if request.client else ""
    key = (source_of(source),)
    gateway.joins.check(key, now)
    body = parse_join_request(await read_bytes(request))
    asking().subject = body.node_id
    try:
        async with gateway.join_queue.turn(source):
            signed = await gateway.context.commands.run(Join(request=body), actor=body.node_id, source=source)
    except TokenRefused:
        gateway.joins.failed(key, now)
        raise
    return answer(gateway, signed)
