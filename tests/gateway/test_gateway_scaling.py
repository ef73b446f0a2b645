"""Castes that scale, over the interface: demands are posted, and what became of them is shown."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from aware_agent.colony.elastic import ElasticRecord
from aware_agent.colony.scaling import Elastic, Posted
from tests.gateway.memory import MemoryContext
from tests.gateway.service_accounts import bearer
from tests.gateway.test_gateway_service_accounts import _made
from tests.memory_colony import node_id

SCALE = {"min": 1, "max": 20, "demand": {"per_node": 100.0}, "zone": "Europe/Berlin"}
SPEC: dict[str, Any] = {
    "colony": "demo",
    "size": 5,
    "castes": {"web": {"count": 2, "scale": SCALE}, "store": {"count": 1}},
}
DEMAND = "/v1/castes/web/demand"


@pytest.fixture
async def scaling(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    """An admin of a colony whose caste web scales by a demand."""
    answer = await admin.put("/v1/spec", json=SPEC)
    assert answer.status_code == 200, answer.text
    return admin


async def test_a_demand_is_kept_and_shown_and_tells_no_history(
    scaling: httpx.AsyncClient, context: MemoryContext
) -> None:
    before = len(context.history)
    answer = await scaling.put(DEMAND, json={"value": 950})
    assert (answer.status_code, answer.json()["changed"]) == (200, True)
    again = await scaling.put(DEMAND, json={"value": 950})
    assert again.json()["revision"] > answer.json()["revision"], (
        "the same number is news: it is as new as its last post"
    )
    assert len(context.history) == before
    scale = (await scaling.get("/v1/castes/web")).json()["scale"]
    demand = scale["demand"]
    assert (demand["value"], demand["by"], demand["known"], demand["per_node"]) == (950.0, "ada", True, 100.0)
    assert (scale["min"], scale["max"], scale["window"], scale["why"], scale["changed_at"]) == (1, 20, "", "", None)
    assert (await scaling.get("/v1/castes/store")).json()["scale"] is None


async def test_what_the_queen_chose_is_shown_and_says_how_many_servers_are_missing(
    scaling: httpx.AsyncClient, context: MemoryContext
) -> None:
    web = Elastic(wanted=9, changed_at=1.8e9, why="a demand needs 9", leaving={})
    context.put(context.keys.key("elastic"), ElasticRecord(castes={"web": web}))
    document = (await scaling.get("/v1/castes")).json()
    (one,) = (caste for caste in document["castes"] if caste["name"] == "web")
    assert (one["wanted"], one["count"], one["missing"]) == (9, 2, 7)
    assert (one["scale"]["why"], one["scale"]["changed_at"]) == ("a demand needs 9", 1.8e9)
    there = len([node for node in context.view().nodes if node.status in {"ready", "suspect"}])
    assert (document["wanted_size"], document["missing_servers"]) == (10, 10 - there)
    size = (await scaling.get("/v1/cluster")).json()["size"]
    assert (size["wanted"], size["servers"], size["missing"]) == (5, 10, 10 - there)
    assert (await scaling.get("/v1/spec")).json()["spec"]["size"] == 5, "the spec stays as it was written"
    metrics = (await scaling.get("/metrics")).text
    assert f"aware_nodes_missing {10 - there}" in metrics


async def test_who_is_on_the_way_out_is_a_group_of_the_inventory(
    scaling: httpx.AsyncClient, context: MemoryContext
) -> None:
    going = Elastic(wanted=1, leaving={node_id(1): 1.9e9})
    context.put(context.keys.key("elastic"), ElasticRecord(castes={"web": going}))
    scale = (await scaling.get("/v1/castes/web")).json()["scale"]
    assert scale["leaving"] == [{"id": node_id(1), "name": "demo-2", "at": 1.9e9}]
    inventory = (await scaling.get("/v1/inventory")).json()
    assert inventory["groups"]["aware_leaving"] == ["demo-2"]
    assert "demo-2" in inventory["groups"]["web"], "it serves until it is gone"
    assert (await scaling.get("/v1/nodes/demo-2")).json()["leaving"] == 1.9e9


async def test_an_old_demand_is_shown_as_unknown(scaling: httpx.AsyncClient, context: MemoryContext) -> None:
    context.put(context.keys.key("demand", "web"), Posted(value=5.0, at=1.0, by="ci"))
    demand = (await scaling.get("/v1/castes/web")).json()["scale"]["demand"]
    assert (demand["value"], demand["known"]) == (5.0, False)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        (DEMAND, {"value": -1}, 422, "value"),
        (DEMAND, {"value": 1e13}, 422, "value"),
        (DEMAND, {"value": "many"}, 422, "value"),
        (DEMAND, {}, 422, "value"),
        (DEMAND, {"value": 1, "node": "x"}, 422, "node"),
        ("/v1/castes/store/demand", {"value": 1}, 409, "caste store is not scaled by a demand"),
        ("/v1/castes/nobody/demand", {"value": 1}, 404, "there is no caste 'nobody'"),
    ],
)
async def test_one_clear_error(scaling: httpx.AsyncClient, path: str, body: Any, status: int, says: str) -> None:
    answer = await scaling.put(path, json=body)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    "raw", [b'{"value": NaN}', b'{"value": Infinity}', b'{"value": 1e999}', b'{"value": 1' + b"0" * 400 + b"}"]
)
async def test_a_number_that_is_none_is_refused(scaling: httpx.AsyncClient, raw: bytes) -> None:
    answer = await scaling.put(DEMAND, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert (await scaling.get("/v1/castes/web")).json()["scale"]["demand"]["value"] is None


async def test_a_dry_run_says_what_would_be_and_keeps_nothing(scaling: httpx.AsyncClient) -> None:
    told = (await scaling.put(f"{DEMAND}?dry_run=true", json={"value": 950})).json()
    assert (told["dry_run"], told["would"]) == (True, ["the demand of caste web is 950"])
    refused = await scaling.put("/v1/castes/store/demand?dry_run=true", json={"value": 1})
    assert refused.status_code == 409
    assert (await scaling.get("/v1/castes/web")).json()["scale"]["demand"]["value"] is None


async def test_a_program_may_post_for_its_caste_and_for_no_other(
    scaling: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    made = await _made(scaling, "queue", "operator", "castes:demand@caste=web")
    headers = bearer(made["token"])
    assert (await anonymous.put(DEMAND, json={"value": 1}, headers=headers)).status_code == 200
    other = await anonymous.put("/v1/castes/store/demand", json={"value": 1}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (403, "forbidden")
    spec = await anonymous.put("/v1/spec", json=SPEC, headers=headers)
    assert spec.status_code == 403
    assert (await scaling.get("/v1/castes/web")).json()["scale"]["demand"]["by"] == "sa:queue"


async def test_posting_often_does_not_use_up_what_people_change_by(scaling: httpx.AsyncClient) -> None:
    """Four posts a minute for each of a hundred castes are within what one party may."""
    for value in range(400):
        assert (await scaling.put(DEMAND, json={"value": value})).status_code == 200
    assert (await scaling.patch("/v1/nodes/demo-2", json={"cordoned": True})).status_code == 200


async def test_the_same_spec_again_changes_nothing_that_was_chosen(
    scaling: httpx.AsyncClient, context: MemoryContext
) -> None:
    record = ElasticRecord(castes={"web": Elastic(wanted=9)})
    context.put(context.keys.key("elastic"), record)
    again = (await scaling.put("/v1/spec", json=SPEC)).json()
    assert (again["changed"], again["changes"]) == (False, [])
    stored = context.projection.get(context.keys.key("elastic"))
    assert stored is not None
    assert msgspec.json.decode(stored.value, type=ElasticRecord) == record
    assert again["missing_nodes"] == 10 - len([n for n in context.view().nodes if n.status in {"ready", "suspect"}])
