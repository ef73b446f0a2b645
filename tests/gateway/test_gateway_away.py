"""``/v1/nodes/{node}/away``: who is away, and how the colony, its inventory and its metrics show that."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.gateway.memory import MemoryContext

AWAY = "/v1/nodes/demo-2/away"


async def test_a_node_goes_and_comes_back(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    until = time.time() + 3600
    answer = await admin.put(AWAY, json={"reason": "a new disk", "until": until})
    assert answer.status_code == 200
    node = answer.json()["node"]
    assert node["status"] == "away"
    assert (node["away"]["reason"], node["away"]["until"], node["away"]["by"]) == ("a new disk", until, "ada")
    assert node["away"]["here"] is True
    size = (await admin.get("/v1/cluster")).json()["size"]
    assert (size["ready"], size["away"], size["dead"]) == (4, 1, 0)
    listed = (await admin.get("/v1/nodes", params={"status": "away"})).json()["nodes"]
    assert [one["name"] for one in listed] == ["demo-2"]
    groups = (await admin.get("/v1/inventory")).json()["groups"]
    assert groups["aware_away"] == ["demo-2"]
    assert "demo-2" not in groups["aware_alive"]
    metrics = (await admin.get("/metrics")).text
    assert 'aware_nodes{colony="demo",status="away"} 1' in metrics or 'aware_nodes{status="away"} 1' in metrics
    assert 'name="demo-2"' not in metrics
    targets = (await admin.get("/v1/monitoring/targets")).json()
    assert "127.0.0.1:20102" not in str(targets)
    back = await admin.delete(AWAY)
    assert (back.status_code, back.json()["node"]["status"], back.json()["node"]["away"]) == (200, "ready", None)
    assert (await admin.delete(AWAY)).json()["changed"] is False
    assert [call[0] for call in context.commands.calls] == ["SendAway", "BringBack", "BringBack"]


async def test_trying_it_changes_nothing(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    before = context.memory.etcd.revision
    tried = await admin.put(AWAY, params={"dry_run": "true"}, json={"reason": "a new disk"})
    assert tried.status_code == 200
    assert context.memory.etcd.revision == before


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"until": 1.0}, 422, "until"),
        ({"until": time.time() + 1e9}, 422, "until"),
        ({"reason": "a\nb"}, 422, "reason"),
        ({"reason": "x" * 201}, 422, "reason"),
        ({"why": "a new disk"}, 422, None),
        ({"until": "tomorrow"}, 422, None),
    ],
)
async def test_what_cannot_be_is_refused(
    admin: httpx.AsyncClient, context: MemoryContext, body: dict[str, object], status: int, field: str | None
) -> None:
    before = context.memory.etcd.revision
    refused = await admin.put(AWAY, json=body)
    assert refused.status_code == status
    if field:
        assert refused.json()["field"] == field
    assert context.memory.etcd.revision == before


async def test_nobody_is_sent_away_that_is_not_there(admin: httpx.AsyncClient) -> None:
    assert (await admin.put("/v1/nodes/nobody/away", json={})).status_code == 404
    assert (await admin.delete("/v1/nodes/nobody/away")).status_code == 404
