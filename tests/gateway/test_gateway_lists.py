"""Lists: in pages that lose nothing and tell nothing twice, filtered, with chosen fields; and castes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aware_agent.colony.backup import Backup, BackupLog
from aware_agent.colony.jobs import Job, JobState
from aware_agent.colony.node import Capabilities, Status
from aware_agent.colony.spec import CasteSpec, Requirements
from aware_agent.colony.webhook import DeliveryResult, WebhookState
from aware_agent.security.records import DeniedRecord
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext, node_id
from tests.gateway.service_accounts import put_account

# path, member of the document that is the list, a field that tells items apart
LISTS = [
    ("/v1/nodes", "nodes", "id"),
    ("/v1/events", "events", "id"),
    ("/v1/users", "users", "name"),
    ("/v1/service-accounts", "accounts", "name"),
    ("/v1/tokens", "tokens", "id"),
    ("/v1/sessions", "sessions", "id"),
    ("/v1/jobs", "jobs", "id"),
    ("/v1/backups", "backups", "name"),
    ("/v1/castes", "castes", "name"),
    ("/v1/denied-keys", "keys", "key"),
    ("/v1/audit", "lines", "seq"),
    ("/v1/spec/history", "versions", "revision"),
    ("/v1/nodes/demo-2/config/history", "versions", "revision"),
    ("/v1/webhooks", "webhooks", "id"),
    (f"/v1/webhooks/{0:026d}/deliveries", "deliveries", "event"),
    (f"/v1/webhooks/{0:026d}/dead", "dead", "attempts"),
]


@pytest.fixture
async def full(context: MemoryContext, admin: httpx.AsyncClient, as_: As) -> MemoryContext:
    """A colony in which every list has some items."""
    for number in range(5, 9):
        context.add_node(number)
    for number in range(5):
        await admin.post("/v1/tokens", json={})
        put_account(context, f"program-{number}", Role.VIEWER)
        job = Job(
            id=f"{number:026d}", operation="verify", parameters={}, state=JobState.SUCCEEDED, term=1, actor="ada",
            created_at=1.0, changed_at=1.0,
        )  # fmt: skip
        context.put(context.keys.key("jobs", job.id), job)
        denied = DeniedRecord(
            key_pin=f"pin{number}", node_id=node_id(20 + number), name="gone", removed_at=1.0 + number // 2,
            removed_by="ada",
        )  # fmt: skip
        context.put(context.keys.key("denied", denied.key_pin), denied)
        await admin.put("/v1/spec", json={"colony": "demo", "size": 5 + number, "castes": _castes()})
        await admin.put("/v1/nodes/demo-2/config", json={"config": {"vars": {"n": number}}})
        as_(Role.VIEWER)
    made = tuple(
        Backup(name=f"b{number}", created_at=1.0 + number, revision=number, term=1, bytes=1, sha256="", target="t",
               node="n", actor="ada")
        for number in range(5)
    )  # fmt: skip
    context.put(context.keys.key("backups"), BackupLog(made=made))
    _put_webhooks(context)
    return context


def _put_webhooks(context: MemoryContext) -> None:
    """Three, of which the first delivered some and has some dead letters."""
    ids = [f"{number:026d}" for number in range(3)]
    for webhook in ids:
        context.add_webhook(webhook, letters=ids)
    ended = tuple(
        DeliveryResult(event=f"{number:026d}", type="x", revision=7, at=1.0 + number // 2, delivered=True, attempts=1)
        for number in range(4)
    )
    context.put(context.keys.key("webhook-states", ids[0]), WebhookState(results=ended))


def _castes() -> dict[str, Any]:
    return {name: {"count": 0} for name in ("one", "two", "three", "web")}


async def _pages(client: httpx.AsyncClient, path: str, member: str, limit: int) -> list[list[Any]]:
    pages, cursor = [], None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = await client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()[member])
        cursor = answer.json().get("next")
        if cursor is None:
            return pages


async def test_pages_are_the_whole_list(full: MemoryContext, admin: httpx.AsyncClient) -> None:
    for path, member, field in LISTS:
        whole = [one[field] for one in (await admin.get(path)).json()[member]]
        assert len(whole) >= 3, path
        for limit in (1, 2, 1000):
            pages = await _pages(admin, path, member, limit)
            told = [one[field] for page in pages for one in page]
            assert sorted(told) == sorted(whole), path
            assert len(told) == len(set(told)), path
            if path != "/v1/events":  # which does not cut what was written at once
                assert all(len(page) <= limit for page in pages), path
            if limit == 1000:
                assert len(pages) == 1, path


async def test_what_comes_and_goes_between_pages_moves_nothing(full: MemoryContext, admin: httpx.AsyncClient) -> None:
    first = (await admin.get("/v1/nodes?limit=4")).json()
    told = [node["id"] for node in first["nodes"]]
    renamed = full.reader.records()[node_id(6)]
    full.add_node(6, name="aaa", record={"name": "aaa"})  # would be the first by name now
    assert renamed.name != "aaa"
    full.delete(full.keys.key("nodes", told[-1]))  # the one the cursor speaks of
    full.add_node(11)
    rest = (await admin.get("/v1/nodes", params={"cursor": first["next"]})).json()["nodes"]
    assert told + [node["id"] for node in rest] == [node_id(n) for n in (*range(9), 11)]


async def test_only_the_fields_that_are_wanted(full: MemoryContext, admin: httpx.AsyncClient) -> None:
    for path, member, field in LISTS:
        whole = (await admin.get(path)).json()
        some = (await admin.get(path, params={"fields": field})).json()
        assert some[member] == [{field: one[field]} for one in whole[member]], path
        assert set(some) == set(whole), path
        refused = await admin.get(path, params={"fields": f"{field},nonsense"})
        assert refused.status_code == 422, path
        assert refused.json()["field"] == "fields"
        assert field in refused.json()["hint"]


WRONG = ["limit=0", "limit=1001", "limit=x", "limit=1_0", "cursor=x", "cursor=e30", "limt=1", "limit=1&limit=2"]


async def test_what_is_asked_wrongly_is_one_clear_error(full: MemoryContext, admin: httpx.AsyncClient) -> None:
    for path, _, _ in LISTS:
        for query in WRONG:
            refused = await admin.get(f"{path}?{query}")
            assert refused.status_code == 422, (path, query)
            assert refused.headers["content-type"] == "application/problem+json"
            assert query.partition("=")[0] in refused.json()["detail"], (path, query)


async def test_a_cursor_belongs_to_its_question(full: MemoryContext, admin: httpx.AsyncClient) -> None:
    cursor = (await admin.get("/v1/nodes?limit=1&status=ready")).json()["next"]
    assert (await admin.get(f"/v1/nodes?limit=1&status=ready&cursor={cursor}")).status_code == 200
    for other in ("/v1/nodes?status=dead", "/v1/nodes?limit=1", "/v1/jobs?limit=1", "/v1/events?limit=1"):
        refused = await admin.get(f"{other}&cursor={cursor}")
        assert refused.status_code == 422
        assert refused.json()["field"] == "cursor"


CHOSEN: list[tuple[str, set[str]]] = [
    ("status=dead", {"demo-12"}),
    ("status=dead&status=ready&zone=b", {"demo-11", "demo-12"}),
    ("caste=store", {"demo-4"}),
    ("caste=nobody", set()),
    ("zone=b", {"demo-11", "demo-12"}),
    ("label=disk%3Dssd", {"demo-11", "demo-12"}),
    ("label=disk=ssd&label=rack=1", {"demo-11"}),
    ("label=disk=ssd&caste=spare&status=ready&zone=b", {"demo-11"}),
]


async def test_nodes_by_what_they_are(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    there = Capabilities(vcpus=2, zone="b")
    context.add_node(10, capabilities=there, labels={"disk": "ssd", "rack": "1"})
    context.add_node(11, capabilities=there, labels={"disk": "ssd"}, record={"status": Status.DEAD})
    for query, expected in CHOSEN:
        answer = await admin.get(f"/v1/nodes?{query}")
        assert answer.status_code == 200, query
        assert {node["name"] for node in answer.json()["nodes"]} == expected, query


async def test_filters_that_say_nothing_are_refused(admin: httpx.AsyncClient) -> None:
    for query in ("status=deaf", "label=disk", "label=%3Dx", "label=", "zone=a&zone=b"):
        refused = await admin.get(f"/v1/nodes?{query}")
        assert refused.status_code == 422, query
        assert query.partition("=")[0] in refused.json()["detail"]


async def test_castes_say_who_serves_who_could_and_what_is_in_the_way(
    admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    big = CasteSpec(count=2, requires=Requirements(vcpus=64))
    context.memory.put_spec(size=5, castes={"web": CasteSpec(count=2), "store": CasteSpec(count=1), "big": big})
    context.add_node(4, record={"cordoned": True})
    listed = (await admin.get("/v1/castes")).json()["castes"]
    assert [caste["name"] for caste in listed] == ["big", "store", "web"]
    short, _, web = listed
    assert [node["name"] for node in web["members"]] == ["demo-2", "demo-3"]
    assert (web["missing"], web["reason"]) == (0, "")
    assert [node["name"] for node in web["could"]] == ["demo-1"]
    assert (short["wanted"], short["missing"], short["could"]) == (2, 2, [])
    assert short["reason"] == "2 of 2 are missing: of the other nodes 4 with too few processors, 1 cordoned"
    assert (await admin.get("/v1/castes/big")).json() == short
    nobody = await admin.get("/v1/castes/nobody")
    assert nobody.status_code == 404
