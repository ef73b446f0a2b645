"""``/v1/election``: the part of the member that answers, told by the agent beside it; a queen is not needed."""

from __future__ import annotations

from fastapi import APIRouter, Response

from aware_agent.agent.explanation import Explanation
from aware_agent.gateway.routing import Here, answer, endpoint

router = APIRouter(tags=["council"])


@endpoint(router, "GET", "/v1/election", answer=Explanation)
async def read_election(gateway: Here) -> Response:
    """What this member is doing about the reign, whom it suspects, what it decided last and why, and the same as lines
    to replay. Every member answers for itself, also while nobody reigns.
    """
    return answer(gateway, await gateway.context.explanation())
