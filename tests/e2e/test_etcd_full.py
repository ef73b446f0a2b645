"""Agents whose etcd is full: everybody says so, and the colony takes writes again without anybody's help."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aware_agent.agent.member.etcd_access import etcd_credentials
from aware_agent.agent.state import StateDir
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from bench.client import ColonyClient
from tests.e2e.founders_support import LONG_S, Founders

pytestmark = pytest.mark.e2e
BIG = b"x" * 500_000


async def full(client: ColonyClient) -> Any:
    """The colony at a glance, as soon as it says that etcd is full."""
    for _ in range(int(LONG_S * 5)):
        answer = await client.call("GET", "/v1/cluster", deadline_s=LONG_S, timeout_s=5.0)
        if b"NOSPACE" in answer.body:
            return answer.json()
        await asyncio.sleep(0.2)
    raise AssertionError("nobody says that etcd is full")


async def cured(client: ColonyClient) -> str:
    """What the history says of it, as soon as it does."""
    for _ in range(int(LONG_S)):
        answer = await client.call("GET", "/v1/events?limit=1000", deadline_s=LONG_S, timeout_s=5.0)
        found = [event["message"] for event in answer.json()["events"] if event["type"] == "etcd.cured"]
        if found:
            return str(found[-1])
        await asyncio.sleep(1.0)
    raise AssertionError("etcd is never cured")


async def overwrite(etcd: EtcdClient) -> None:
    """The same key over and over, so that the history is large and what lives is not."""
    for _ in range(200):
        await etcd.put(b"/aware/found/fill", BIG)


@contextlib.asynccontextmanager
async def a_full_colony(tmp_path: Path) -> AsyncIterator[tuple[Founders, ColonyClient, str]]:
    """Three founders with a council of three whose etcd has just become full; an admin, and who reigned before."""
    founders = Founders(tmp_path, 3, 3, council="quota_mib = 16")
    try:
        for agent in founders.agents:
            agent.start()
        await asyncio.to_thread(
            founders.wait, lambda: all(a.ready() and len(a.etcd) == 3 for a in founders.agents), "all sit", LONG_S * 2
        )
        founder = next(agent for agent in founders.agents if agent.name in founders.founded())
        state = StateDir(founder.state).load()
        assert state is not None
        ca, password = (founder.state / "ca.crt").read_bytes(), (founder.state / "admin.password").read_text().strip()
        async with ColonyClient([agent.url for agent in founders.agents], ca) as client:
            await client.login("admin", password, LONG_S)
            queen = (await client.call("GET", "/v1/queen", deadline_s=LONG_S, timeout_s=5.0)).json()["name"]
            async with EtcdClient(founder.etcd, etcd_credentials(state), deadline_s=LONG_S) as etcd:
                with pytest.raises(StoreError, match="full"):
                    await overwrite(etcd)
            yield founders, client, queen
    finally:
        await asyncio.to_thread(founders.close)


async def writes(founders: Founders, client: ColonyClient) -> None:
    """A change is taken."""
    path, body = f"/v1/nodes/{founders.agents[0].name}", {"labels": {"after": "yes"}}
    answer = await client.call("PATCH", path, body, deadline_s=LONG_S, timeout_s=5.0)
    assert answer.ok, (answer.status, answer.body, *(agent.log.read_text()[-2000:] for agent in founders.agents))


async def test_a_full_council_takes_writes_again_by_itself(tmp_path: Path) -> None:
    async with a_full_colony(tmp_path) as (founders, client, _):
        document = await full(client)
        assert document["status"] == "degraded"
        assert "the queen gives back room" in document["reason"]
        assert (await cured(client)).startswith("etcd was full for ")
        await writes(founders, client)


@pytest.mark.deep
async def test_a_full_council_without_a_queen_takes_writes_again_and_elects_one(tmp_path: Path) -> None:
    """A full etcd grants no lease: the members have to make room before anybody can be elected."""
    async with a_full_colony(tmp_path) as (founders, client, queen):
        reigned = next(agent for agent in founders.agents if agent.name == queen)
        await asyncio.to_thread(reigned.kill)
        await writes(founders, client)
        now = (await client.call("GET", "/v1/queen", deadline_s=LONG_S, timeout_s=5.0)).json()["name"]
        assert now != queen
        others = [agent.log.read_text() for agent in founders.agents if agent is not reigned]
        assert any("etcd's room: etcd is full" in log for log in others), "somebody saw to it who did not reign"
