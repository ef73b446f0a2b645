"""What every node serves to everybody: health, readiness, metrics and the CA.

Reads of these are answered before they reach FastAPI (:mod:`aware_agent.gateway.public`); here they are described.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from aware_agent.colony.council_document import CouncilDocument
from aware_agent.gateway.documents import Health, Readiness
from aware_agent.gateway.routing import Here, endpoint
from aware_agent.gateway.worker import Whole

router = APIRouter(tags=["node"])


@endpoint(router, "GET", "/healthz", answer=Health)
async def healthz(gateway: Here) -> Response:
    """The process answers."""
    return _whole(await gateway.public.healthz())


@endpoint(router, "GET", "/readyz", answer=Readiness)
async def readyz(gateway: Here) -> Response:
    """Whether this node does its work; 503 with the same document when it does not."""
    return _whole(await gateway.public.readyz())


@endpoint(router, "GET", "/readyz/queen", answer=Readiness)
async def queen_readyz(gateway: Here) -> Response:
    """For load balancers: 200 from the queen while she does her work, 503 from every other node."""
    return _whole(await gateway.public.queen_readyz())


@endpoint(router, "GET", "/metrics", answer=None, media="text/plain")
async def metrics(gateway: Here) -> Response:
    """Prometheus text format."""
    return _whole(await gateway.public.metrics())


@endpoint(router, "GET", "/v1/ca", answer=None, media="application/x-pem-file")
async def ca(gateway: Here) -> Response:
    """The colony's CA certificates; a newcomer compares their pin with its token's."""
    return _whole(await gateway.public.ca())


@endpoint(router, "GET", "/v1/council", answer=CouncilDocument)
async def council(gateway: Here) -> Response:
    """Who may reign: base URLs. Clients show credentials to those alone that TLS proves to be the council's."""
    return _whole(await gateway.public.council())


def _whole(whole: Whole) -> Response:
    status, content_type, body = whole
    headers = {"content-type": content_type.decode(), "cache-control": "no-store"}
    return Response(body, status_code=status, headers=headers)
