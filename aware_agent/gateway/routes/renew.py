"""``/v1/renew``: a node has its certificate renewed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.gateway.routing import Here, answer, endpoint, read_bytes
from aware_agent.security.joining import JoinAnswer
from aware_agent.security.renewing import RenewalRefused, RenewRequest, parse_renew_request

router = APIRouter(tags=["join"])


@endpoint(router, "POST", "/v1/renew", role=None, body=RenewRequest, answer=JoinAnswer, also=[403, 409, 429])
async def renew(request: Request, gateway: Here) -> Response:
    """Renew a node's certificate. The signature in the body, made with the node's key, is the credential."""
    now = gateway.authority.now()
    source = request.client.host if request.client else ""
    body = parse_renew_request(await read_bytes(request))
    # Per node: those behind one address must not lock each other out of what they need to live.
    key = ("renew", f"{source} {body.node_id}")
    gateway.lockout.check(key, now)
    try:
        signed = await gateway.context.commands.renew(body, source)
    except RenewalRefused:
        gateway.lockout.failed(key, now)
        raise
    return answer(gateway, signed)
