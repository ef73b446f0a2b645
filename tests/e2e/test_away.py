"""A node is killed and sent away: the colony is well, its seat is another's, a rotation does not wait for it.

And when its agent runs again it stays away until somebody says that it is back.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bench.client import ColonyClient
from tests.e2e.founders_support import LONG_S, Agent, Founders
from tests.e2e.test_council_move import Context, Council

pytestmark = pytest.mark.e2e
PATIENCE_S = 86400.0  # whoever waited for it would wait longer than this test


async def until(council: Council, path: str, holds: Any) -> Any:
    """What ``path`` answers as soon as ``holds`` is true of it."""
    said: Any = None
    for _ in range(int(LONG_S)):
        status, said = await council.call("GET", path)
        if status == 200 and holds(said):
            return said
        await asyncio.sleep(1.0)
    raise AssertionError(f"{path} is {said}")


async def test_a_colony_does_without_a_node_that_is_away(tmp_path: Path) -> None:
    founders = Founders(tmp_path, 3, 4)
    try:
        for agent in founders.agents:
            agent.start()
        await asyncio.to_thread(
            founders.wait, lambda: all(a.joined and a.ready() for a in founders.agents), "all are in", LONG_S * 2
        )
        founder = next(agent for agent in founders.agents if agent.name in founders.founded())
        ca, password = (founder.state / "ca.crt").read_bytes(), (founder.state / "admin.password").read_text().strip()
        async with ColonyClient([agent.url for agent in founders.agents], ca) as client:
            await client.login("admin", password, LONG_S)
            await does_without(Council(client), founders, Context(tmp_path, client, ca), password)
    finally:
        await asyncio.to_thread(founders.close)


async def does_without(council: Council, founders: Founders, context: Context, password: str) -> None:
    gone = await lost(council, founders)
    said = await context.aware("nodes", "away", gone.name, "--reason", "a new disk")
    assert said.startswith(f"{gone.name} is away, until told: aware nodes back {gone.name}\n")
    cluster = await until(council, "/v1/cluster", lambda it: it["status"] == "healthy")
    assert cluster["reason"] == f"3 nodes are ready, away: {gone.name}"
    assert gone.name not in await council.until_full(without=gone.name)
    inventory = json.loads(await context.aware("inventory", "--json"))
    assert inventory["groups"]["aware_away"] == [gone.name]
    assert gone.name not in inventory["groups"]["aware_alive"]
    _, node = await council.call("GET", f"/v1/nodes/{gone.name}")
    assert (node["away"]["reason"], node["away"]["by"], node["away"]["here"]) == ("a new disk", "admin", False)

    gone.start()
    await asyncio.to_thread(founders.wait, gone.ready, "its agent runs")
    await until(council, f"/v1/nodes/{gone.name}", lambda it: (it["away"] or {}).get("here"))
    _, node = await council.call("GET", f"/v1/nodes/{gone.name}")
    assert node["status"] == "away", "whatever it does itself"
    assert await context.aware("nodes", "back", gone.name) == f"{gone.name} is back\n"
    cluster = await until(council, "/v1/cluster", lambda it: it["status"] == "healthy")
    assert cluster["reason"] == "4 nodes are ready"
    _, history = await council.call("GET", f"/v1/events?limit=1000&subject={node['id']}")
    told = [event["type"] for event in history["events"]]
    assert told.index("node.away") < told.index("node.back")
    await rotated(council, await lost(council, founders), context, password)


async def rotated(council: Council, gone: Agent, context: Context, password: str) -> None:
    """CAs and secret are changed without the node that is away, which is named."""
    await context.aware("nodes", "away", gone.name)
    before = await until(council, "/v1/rotation", lambda it: it["phase"] == "settled")
    await council.client.login("admin", password, LONG_S)
    status, problem = await council.call("POST", "/v1/rotation", {"action": "start", "patience_s": PATIENCE_S})
    assert status in (200, 202), problem

    for _ in range(int(LONG_S)):
        status, state = await council.call("GET", "/v1/rotation")
        if status == 401:  # what was signed with the old secret is over
            await council.client.login("admin", password, LONG_S)
        elif status == 200:
            council.client.believe(state["ca"].encode())
            if state["phase"] == "settled" and state["generation"] > before["generation"]:
                break
        await asyncio.sleep(1.0)
    else:
        raise AssertionError(f"it is not over: {state}")
    standing = {node["name"]: node["standing"] for node in state["nodes"]}
    assert standing.pop(gone.name) == "left-behind"
    assert set(standing.values()) == {"ready"}


async def lost(council: Council, founders: Founders) -> Agent:
    """One with a seat that does not reign is killed; returns it as soon as the colony is ill for that."""
    sitting = await council.until_full()
    _, queen = await council.call("GET", "/v1/queen")
    gone = next(agent for agent in founders.agents if agent.name in sitting - {queen["name"]})
    await asyncio.to_thread(gone.kill)
    await until(council, "/v1/cluster", lambda it: it["status"] == "degraded" and gone.name in it["reason"])
    return gone
