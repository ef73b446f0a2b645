"""Nodes with last heartbeat and load, the cluster with its sums, metrics by caste; and what is not known."""

from __future__ import annotations

import httpx
import pytest

from aware_agent.colony.load import Load, Row
from aware_agent.gateway import mirror
from tests.gateway.conftest import eventually
from tests.gateway.memory import MemoryContext, node_id

HALF = Load(cpu=500, load=150, memory_used_mib=1024, memory_mib=2048, disk_used_mib=5, disk_mib=20)
HOT = ("/v1/cluster", "/v1/nodes", "/v1/nodes/demo-2", "/v1/inventory", "/v1/spec", "/v1/queen")


def learn(context: MemoryContext, *numbers: int, load: Load = HALF) -> None:
    """The queen knows the load of these nodes, and when she heard node 4."""
    context.learn([*(Row(node_id(n), 0.5, 2.0, load) for n in numbers), Row(node_id(4), 30.0)])


async def test_before_anybody_told_it_is_unknown_and_not_zero(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    node = (await admin.get("/v1/nodes/demo-2")).json()
    assert (node["last_heartbeat"], node["load"]) == (None, None)
    told = (await admin.get("/v1/cluster")).json()["metrics"]
    assert (told["nodes"], told["ready"], told["reporting"], told["vcpus"]) == (5, 5, 0, 10)
    assert (told["cpu"], told["ram_used_mib"], told["oldest"]) == (None, None, None)
    page = (await anonymous.get("/metrics")).text
    assert 'aware_caste_nodes_reporting{caste="web"} 0' in page
    assert "aware_caste_vcpus_used{" not in page


async def test_nodes_have_a_last_heartbeat_and_a_load(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    learn(context, 1)
    node = (await admin.get("/v1/nodes/demo-2")).json()
    load = node["load"]
    assert (load["cpu"], load["load1"], load["memory_used_mib"], load["memory_mib"]) == (0.5, 1.5, 1024, 2048)
    assert node["last_heartbeat"] - load["at"] == pytest.approx(1.5, abs=0.2)
    listed = {one["name"]: one for one in (await admin.get("/v1/nodes")).json()["nodes"]}
    assert listed["demo-2"] == node
    assert listed["demo-5"]["load"] is None
    assert load["at"] - listed["demo-5"]["last_heartbeat"] == pytest.approx(28.0, abs=0.2)
    assert listed["demo-3"]["last_heartbeat"] is None
    fields = (await admin.get("/v1/nodes?fields=name,load&caste=web")).json()["nodes"]
    assert fields == [{"name": "demo-2", "load": load}, {"name": "demo-3", "load": None}]
    changed = (await admin.patch("/v1/nodes/demo-2", json={"labels": {"a": "1"}})).json()["node"]
    assert changed["load"] == load


async def test_the_cluster_has_its_sums_by_caste(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, context: MemoryContext
) -> None:
    learn(context, 1, 2)
    told = (await admin.get("/v1/cluster")).json()["metrics"]
    assert (told["reporting"], told["vcpus"], told["vcpus_used"], told["cpu"]) == (2, 10, 2.0, 0.5)
    castes = {caste["name"]: caste for caste in told["castes"]}
    assert (castes["web"]["cpu"], castes["web"]["ram_used_mib"], castes["web"]["load1"]) == (0.5, 2048, 1.5)
    assert castes["store"]["cpu"] is None
    page = (await anonymous.get("/metrics")).text
    assert 'aware_caste_vcpus_used{caste="web"} 2' in page
    assert f'aware_caste_memory_used_bytes{{caste="web"}} {2048 * 2**20}' in page
    assert 'aware_caste_cpu_ratio{caste="store"}' not in page
    assert "demo-2" not in "".join(line for line in page.splitlines() if line.startswith("aware_caste"))


async def test_loads_are_news_to_what_shows_them_alone(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    async def tags() -> dict[str, str]:
        return {path: (await admin.get(path)).headers["etag"] for path in HOT}

    learn(context, 1)
    before = await tags()
    assert await tags() == before
    learn(context, 1, load=Load(900, 1, 1, 2, 1, 2))
    after = await tags()
    assert {path for path in HOT if before[path] != after[path]} == {"/v1/cluster", "/v1/nodes", "/v1/nodes/demo-2"}
    assert [tag.partition("-")[0] for tag in after.values()] == [tag.partition("-")[0] for tag in before.values()]
    # A tag from before the load moved is still good for a write: that compares the record alone.
    kept = before["/v1/nodes/demo-2"]
    answer = await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers={"if-match": kept})
    assert answer.status_code == 200


async def test_an_agent_that_falls_silent_leaves_nothing_to_know(
    admin: httpx.AsyncClient, context: MemoryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "FORGET_S", 0.05)
    learn(context, 1)
    assert (await admin.get("/v1/nodes/demo-2")).json()["load"] is not None
    await eventually(lambda: not context.loads)
    node = (await admin.get("/v1/nodes/demo-2")).json()
    assert (node["last_heartbeat"], node["load"]) == (None, None)


async def test_the_inventory_says_nothing_of_loads(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    learn(context, 1)
    variables = (await admin.get("/v1/inventory")).json()["hosts"]["demo-2"]
    assert not {"aware_load", "aware_last_heartbeat"} & variables.keys()


async def test_a_node_over_a_limit_is_shown_and_counted(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, context: MemoryContext
) -> None:
    assert (await admin.get("/v1/nodes/demo-5")).json()["over"] == []
    context.add_node(0, record={"cordoned": True})
    context.add_node(4, record={"over": ("cpu", "disk")})
    assert (await admin.get("/v1/nodes/demo-5")).json()["over"] == ["cpu", "disk"]
    page = (await anonymous.get("/metrics")).text
    assert 'aware_nodes_over_limit{limit="cpu"} 1' in page
    assert 'aware_nodes_over_limit{limit="memory"} 0' in page
    spec = {"colony": "demo", "size": 6, "castes": {"web": {"count": 5}, "store": {"count": 1}}}
    spec["policies"] = {"limits": {"cpu": 0.9, "for_s": 60}}
    assert (await admin.put("/v1/spec", json=spec)).status_code == 200
    assert "1 over the limit of cpu" in (await admin.get("/v1/castes/web")).json()["reason"]
    assert (await admin.get("/v1/spec")).json()["spec"]["policies"]["limits"] == {"cpu": 0.9, "for_s": 60.0}
    wrong = {**spec, "policies": {"limits": {"cpu": 2}}}
    refused = await admin.put("/v1/spec", json=wrong)
    assert (refused.status_code, refused.json()["field"]) == (422, "policies.limits.cpu")
