"""Between two queens: a write waits a moment for the next one, and no longer; what a first request loads is loaded."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI

from aware_agent.gateway import mirror
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.mirror import STALE_S
from aware_agent.gateway.warm import warm_up
from aware_agent.store.health import StoreState, Trouble
from tests.gateway.memory import MemoryContext

LONG_S = 60.0
LABELS = {"labels": {"a": "1"}}


def write(client: httpx.AsyncClient) -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(client.patch("/v1/nodes/demo-2", json=LABELS))


async def waiting(context: MemoryContext, count: int) -> None:
    async with asyncio.timeout(LONG_S):
        while context._waiting != count:
            await asyncio.sleep(0)


async def write_into_a_vacancy(context: MemoryContext, client: httpx.AsyncClient) -> asyncio.Task[httpx.Response]:
    """A write that waits for the next queen."""
    context.patience_s = LONG_S
    context.delete(context.keys.queen)
    asked = write(client)
    await waiting(context, 1)
    return asked


async def test_a_write_while_nobody_reigns_is_done_by_the_next_queen(
    context: MemoryContext, admin: httpx.AsyncClient
) -> None:
    asked = await write_into_a_vacancy(context, admin)
    assert not asked.done()
    term = context.memory.begin_reign(0)
    answer = await asked
    assert (answer.status_code, answer.json()["term"]) == (200, term)
    assert context._waiting == 0


async def test_a_write_that_waited_at_a_member_is_sent_to_the_next_queen(
    context: MemoryContext, admin: httpx.AsyncClient
) -> None:
    asked = await write_into_a_vacancy(context, admin)
    context.memory.begin_reign(1)
    answer = await asked
    assert answer.status_code == 307
    assert answer.headers["location"] == "https://127.0.0.1:20102/v1/nodes/demo-2"


async def test_nobody_waits_longer_than_an_election_takes(context: MemoryContext, admin: httpx.AsyncClient) -> None:
    context.patience_s = 0.01
    context.delete(context.keys.queen)
    answer = await write(admin)
    assert (answer.status_code, answer.json()["code"]) == (503, "no-queen")
    assert context._waiting == 0


async def test_nobody_waits_where_nobody_can_be_elected(context: MemoryContext, admin: httpx.AsyncClient) -> None:
    context.patience_s = LONG_S
    context.delete(context.keys.queen)
    context.store_state = StoreState(looked=True, reachable=True, quorum=False, trouble=Trouble.NO_QUORUM)
    async with asyncio.timeout(LONG_S / 2):  # it would wait for longer
        answer = await write(admin)
    assert (answer.status_code, answer.json()["code"]) == (503, "no-queen")


async def test_no_more_wait_than_there_is_room_for(
    context: MemoryContext, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MAX_WAITING", 2)
    context.patience_s = LONG_S
    context.delete(context.keys.queen)
    first = [write(admin) for _ in range(2)]
    await waiting(context, 2)
    assert (await write(admin)).status_code == 503
    context.memory.begin_reign(0)
    assert [answer.status_code for answer in await asyncio.gather(*first)] == [200, 200]


async def test_reads_do_not_wait(context: MemoryContext, admin: httpx.AsyncClient) -> None:
    context.patience_s = LONG_S
    context.delete(context.keys.queen)
    assert (await admin.get("/v1/nodes")).status_code == 200


async def test_warming_up_goes_all_the_way_and_changes_nothing(context: MemoryContext, app: GatewayApp) -> None:
    before = context.memory.etcd.revision
    inner = app._inner._inner
    assert isinstance(inner, FastAPI)
    assert inner.middleware_stack is None
    assert inner.openapi_schema is None
    await app.warm_up()
    assert inner.middleware_stack is not None, "built before anybody asks"
    assert inner.openapi_schema is not None, "so is what parameters are looked up in"
    assert await warm_up(app._inner, app.gateway.authority) == 401, "nobody has the name of its token"
    assert context.commands.ran == []
    assert context.memory.etcd.revision == before


async def test_who_heard_nothing_of_etcd_for_long_does_not_know_who_reigns(
    admin: httpx.AsyncClient, context: MemoryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it read last may be over: it tells the colony as it was, and no queen."""
    assert (await admin.get("/v1/cluster")).json()["queen"]["name"] == "demo-1"
    long_ago = time.monotonic() - STALE_S - 1
    monkeypatch.setattr(type(context.projection), "stale_since", property(lambda _: long_ago))
    context.store_state = StoreState(looked=True, reachable=True, quorum=False, trouble=Trouble.NO_QUORUM, detail="why")
    refused = await admin.get("/v1/queen")
    assert (refused.status_code, refused.json()["code"]) == (503, "no-queen")
    assert "why" in refused.json()["detail"]
    cluster = (await admin.get("/v1/cluster")).json()
    assert (cluster["queen"], cluster["status"]) == (None, "degraded")
    nodes = await admin.get("/v1/nodes")
    assert (nodes.status_code, nodes.headers["x-aware-role"]) == (200, "member")
    assert len(nodes.json()["nodes"]) == 5
    assert {node["role"] for node in nodes.json()["nodes"]} == {"heir", "member"}
    assert (await admin.get("/v1/nodes/demo-1")).json()["role"] == "member"
    inventory = (await admin.get("/v1/inventory")).json()
    assert (inventory["queen"], inventory["groups"]["aware_queen"]) == (None, [])
    assert "demo-1" in inventory["groups"]["aware_council"]
