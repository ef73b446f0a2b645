"""Somebody else writes the very keys a request is about to write, between the queen's read and her write.

Who stated no precondition is never told of it; who did gets 412; nothing is lost. Real commands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aware_agent.queen.writer import TRIES
from aware_agent.store.model import TxnResult
from tests.gateway.real_queen import CONFIG, NO_WRITES, NODE, WRITES, Queen, Raced

pytestmark = pytest.mark.etcd


@pytest.fixture
async def queen(tmp_path: Path) -> AsyncIterator[Queen]:
    async with Raced() as client:
        queen = await Queen(client, tmp_path).begin()
        yield queen
        await queen.end()


async def test_every_route_that_writes_is_tried(queen: Queen) -> None:
    async with queen.http() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {route for route in routes if not route.startswith("GET ")} == WRITES.keys() | NO_WRITES


@pytest.mark.parametrize("route", WRITES)
async def test_a_write_without_a_precondition_is_not_refused_for_a_race(queen: Queen, route: str) -> None:
    async with queen.http() as http:
        request = await queen.request(http, route)
        queen.client.races = 2
        answer = await http.request(**request)
    assert answer.is_success, answer.text
    assert queen.client.races < 2, "nothing was written"


@pytest.mark.parametrize(
    "route", ["PATCH /v1/nodes/{node}", "PUT /v1/nodes/{node}/config", "PUT /v1/spec", "POST /v1/join"]
)
async def test_the_race_took_place(queen: Queen, route: str) -> None:
    """Against the table above passing because nothing competes."""
    async with queen.http() as http:
        request = await queen.request(http, route)
        queen.client.races = 2
        await http.request(**request)
    assert queen.client.raced >= 2


@pytest.mark.parametrize("route", ["PATCH /v1/nodes/{node}", "PUT /v1/nodes/{node}/config", "PUT /v1/spec"])
@pytest.mark.parametrize("early", [False, True])
async def test_a_stated_precondition_is_kept(queen: Queen, route: str, early: bool) -> None:
    """Whether the other write is seen before the request or only in its transaction."""
    async with queen.http() as http:
        request = await queen.request(http, route)
        before = (await http.get(request["url"])).headers["etag"]
        if early:
            await http.request(**request, headers={"if-match": before})
            request["json"] = {**request["json"], **({"size": 5} if "spec" in route else {})}
        queen.client.races = 1
        answer = await http.request(**request, headers={"if-match": before})
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")


async def test_what_the_other_one_wrote_is_not_lost(queen: Queen) -> None:
    key = queen.keys.key("nodes", NODE)
    record = queen.reader.records()[NODE]
    other = msgspec.structs.replace(record, labels={"tier": "gold"})
    async with queen.http() as http:
        queen.client.races, queen.client.instead = 1, {key: msgspec.json.encode(other)}
        answer = await http.patch(f"/v1/nodes/{NODE}", json={"labels": {"rack": "r2"}})
    assert answer.json()["node"]["labels"] == {"tier": "gold", "rack": "r2"}


async def test_the_repeated_request_still_obeys_its_rules(queen: Queen) -> None:
    """What the other one wrote may make the request impossible; then that is the answer, not the race."""
    token = queen.material.token
    stored = queen.projection.get(queen.keys.key("tokens", token.id))
    assert stored is not None
    spent = {**msgspec.json.decode(stored.value), "uses_left": 0}
    async with queen.http() as http:
        queen.client.races, queen.client.instead = 1, {stored.key: msgspec.json.encode(spent)}
        answer = await http.post("/v1/join", json=queen.join_request())
    assert answer.status_code == 403, answer.text
    assert [record.name for record in queen.reader.records().values() if record.name == "demo-3"] == []


async def test_one_who_always_writes_first_ends_in_a_plain_answer(queen: Queen) -> None:
    async with queen.http() as http:
        queen.client.races = 10 * TRIES
        answer = await http.patch(f"/v1/nodes/{NODE}", json={"labels": {"rack": "r2"}})
    assert (answer.status_code, answer.json()["code"]) == (503, "contended")
    assert answer.headers["retry-after"] == "1"
    assert queen.client.raced == TRIES
    assert NODE in queen.reader.records()
    assert queen.reader.records()[NODE].labels == {}


async def test_a_key_that_is_made_or_deleted_meanwhile(queen: Queen) -> None:
    """Made: the repeated write replaces it. Deleted: it is seen that the node is gone."""
    config = queen.keys.key("config", queen.material.founder_id)
    async with queen.http() as http:
        queen.client.races, queen.client.instead = 1, {config: b'{"vars":{"a":7}}'}
        made = await http.put(f"/v1/nodes/{queen.material.founder_id}/config", json=CONFIG)
        assert made.status_code == 200, made.text
        plain = queen.client.txn

        async def deleted_first(*args: Any) -> TxnResult:
            await queen.client.delete(queen.keys.key("nodes", NODE))
            return await plain(*args)

        queen.client.txn = deleted_first  # type: ignore[method-assign]
        gone = await http.patch(f"/v1/nodes/{NODE}", json={"labels": {"rack": "r2"}})
    assert gone.status_code == 404, gone.text
