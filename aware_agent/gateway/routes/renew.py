"""``/v1/renew``: a node has its certificate renewed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.channel.limits import source_of
from aware_agent.gateway.asgi import is_balanced
from aware_agent.gateway.asking import asking
from aware_agent.gateway.routing import Here, answer, endpoint, read_bytes
from aware_agent.queen.commands import Renew
from aware_agent.security.joining import JoinAnswer, ThroughBalancer
from aware_agent.security.refusals import RenewalRefused
from aware_agent.security.renewing import RenewRequest, parse_renew_request

router = APIRouter(tags=["join"])


@endpoint(router, "POST", "/v1/renew", body=RenewRequest, answer=JoinAnswer, also=[403, 409, 429])
async def renew(request: Request, gateway: Here) -> Response:
    """Renew a node's certificate. The signature in the body, made with the node's key, is the credential."""
    now = gateway.authority.now()
    if is_balanced(request.scope):
        raise ThroughBalancer  # the certificate would name an address that nobody saw
    source = request.client.host if request.client else ""
    body = parse_renew_request(await read_bytes(request))
    # Per node: those behind one address must not lock each other out of what they need to live.
    key = (source_of(source), body.node_id)
    gateway.renewals.check(key, now)
    asking().subject = body.node_id
    try:
        async with gateway.join_queue.turn(source):
            signed = await gateway.context.commands.run(Renew(request=body), actor=body.node_id, source=source)
    except RenewalRefused:
        gateway.renewals.failed(key, now)
        raise
    return answer(gateway, signed)
