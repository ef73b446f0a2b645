"""What a monitoring system reads of a member: how long answers took, and whom it shall scrape."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from aware_agent.colony.seats import CouncilRecord, Seat
from aware_agent.gateway.app import GatewayApp
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext, node_id

DURATION = "aware_gateway_request_duration_seconds"


def _counts(page: str) -> dict[str, float]:
    """How many answers were timed, by route."""
    families = text_string_to_metric_families(page)
    samples = [sample for family in families for sample in family.samples if sample.name == f"{DURATION}_count"]
    return {sample.labels["route"]: sample.value for sample in samples}


async def test_answers_are_timed_by_route_and_never_by_path(app: GatewayApp, admin: httpx.AsyncClient) -> None:
    for path in (
        "/v1/cluster",
        "/v1/cluster",
        "/v1/nodes/demo-1",
        "/v1/nodes/demo-2",
        "/v1/users",
        "/nowhere/1",
        "/nowhere/2",
    ):
        await admin.get(path)
    await admin.put("/v1/nodes/demo-2/config", json={"vars": {}})
    counts = _counts((await admin.get("/metrics")).text)
    assert counts["/v1/cluster"] == 2
    assert counts["/v1/nodes/{node}"] == 2
    assert counts["/v1/users"] == counts["/v1/nodes/{node}/config"] == 1
    assert counts["other"] == 2
    assert not any("demo-" in route for route in counts)


async def test_a_stream_is_not_among_the_answers(app: GatewayApp, admin: httpx.AsyncClient) -> None:
    """It lasts as long as its reader likes: among them it would hide how fast the others are."""
    refused = await admin.get("/v1/events/stream?since=-1")
    assert refused.status_code == 422
    await admin.get("/v1/users")
    counts = _counts((await admin.get("/metrics")).text)
    assert "/v1/events/stream" not in counts
    assert counts["/v1/users"] == 1


async def test_every_node_is_a_target_until_it_left(
    context: MemoryContext, anonymous: httpx.AsyncClient, as_: As
) -> None:
    answer = await anonymous.get("/v1/monitoring/targets", headers=as_(Role.VIEWER))
    assert answer.status_code == 200
    found = {target["labels"]["node"]: target for target in answer.json()}
    assert sorted(found) == [f"demo-{number}" for number in range(1, 6)]
    assert found["demo-2"]["labels"] == {"colony": "demo", "node": "demo-2", "caste": "web"}
    urls = {node.name: node.url for node in context.view().nodes}
    assert [f"https://{host}" for host in found["demo-2"]["targets"]] == [urls["demo-2"]]


async def test_members_of_etcd_are_those_with_a_seat_now(context: MemoryContext, admin: httpx.AsyncClient) -> None:
    seats = (
        Seat(member=1, node=node_id(0), name="demo-1", endpoint="192.0.2.1:2379"),
        Seat(member=2, node=node_id(1), name="demo-2"),
    )
    context.put(context.keys.key("council"), CouncilRecord(seats=seats))
    found = (await admin.get("/v1/monitoring/targets?job=etcd")).json()
    assert found == [{"targets": ["192.0.2.1:2379"], "labels": {"colony": "demo", "node": "demo-1"}}]


async def test_another_job_is_refused_by_name(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/v1/monitoring/targets?job=disks")
    assert answer.status_code == 422
    assert "job" in answer.json()["detail"]
