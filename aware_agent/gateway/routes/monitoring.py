"""``/v1/monitoring``: whom a Prometheus scrapes, so that its configuration follows the colony by itself."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Response

from aware_agent.colony.node import Status
from aware_agent.colony.seats import CouncilRecord
from aware_agent.gateway.documents import TargetsDocument
from aware_agent.gateway.routing import Here, answer, endpoint
from aware_agent.gateway.state import Gateway

router = APIRouter(tags=["monitoring"])
Job = Annotated[Literal["aware", "etcd"], Query(description="gateways of all nodes, or the members of etcd")]


@endpoint(router, "GET", "/v1/monitoring/targets", answer=TargetsDocument, many=True, also=[422])
async def read_targets(gateway: Here, job: Job = "aware") -> Response:
    """What a Prometheus with ``http_sd_configs`` scrapes: https://prometheus.io/docs/prometheus/latest/http_sd/.

    A node that is suspect or dead stays among them: that it is silent is what the alerts go by. One that left does not.
    """
    return answer(gateway, _etcd(gateway) if job == "etcd" else _nodes(gateway))


def _nodes(gateway: Gateway) -> list[TargetsDocument]:
    view = gateway.context.view()
    return [
        TargetsDocument(
            targets=[urlsplit(node.url).netloc],
            labels={"colony": view.colony, "node": node.name, "caste": node.caste},
        )
        for node in view.nodes
        if node.url and node.status not in (Status.LEFT, Status.AWAY)
    ]


def _etcd(gateway: Gateway) -> list[TargetsDocument]:
    """Who has a seat now. A member that never started has no address yet."""
    record = gateway.context.reader.one("council", CouncilRecord) or CouncilRecord(seats=())
    colony = gateway.context.colony
    return [
        TargetsDocument(targets=[seat.endpoint], labels={"colony": colony, "node": seat.name})
        for seat in record.seats
        if seat.endpoint
    ]
