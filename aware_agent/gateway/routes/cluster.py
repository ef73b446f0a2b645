"""``/v1/cluster``: the colony at a glance."""

from __future__ import annotations

from fastapi import APIRouter, Response

from aware_agent.gateway.documents import ClusterDocument
from aware_agent.gateway.routing import Here, Hot, endpoint

router = APIRouter(tags=["cluster"])


@endpoint(router, "GET", "/v1/cluster", answer=ClusterDocument)
async def read_cluster(gateway: Here) -> Response:
    """Who reigns, how the colony is, who serves where and what is missing."""
    return Hot(gateway, "/v1/cluster")
