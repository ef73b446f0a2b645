"""``/v1/join``: a newcomer shows its join token and gets its certificate."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aware_agent.gateway.routing import Here, answer, endpoint, read_bytes
from aware_agent.security.joining import JoinAnswer, JoinRequest, parse_join_request
from aware_agent.security.token import TokenRefused

router = APIRouter(tags=["join"])


@endpoint(router, "POST", "/v1/join", role=None, body=JoinRequest, answer=JoinAnswer, also=[403, 409, 429])
async def join(request: Request, gateway: Here) -> Response:
    """Sign a newcomer in. The token in the body is the credential; wrong ones lock their source out for a while."""
    now = gateway.authority.now()
    source = request.client.host if request.client else ""
    key = ("join", source)
    gateway.lockout.check(key, now)
    body = parse_join_request(await read_bytes(request))
    try:
        signed = await gateway.context.commands.join(body, source)
    except TokenRefused:
        gateway.lockout.failed(key, now)
        raise
    return answer(gateway, signed)
