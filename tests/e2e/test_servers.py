"""Servers in the queen's hand, with real agents: made, made anew, and exactly the wanted ones whoever falls when."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aware_agent.colony.node import Status
from bench.lab import Lab
from bench.lab_servers import LabServers

pytestmark = pytest.mark.e2e


def spec(size: int) -> dict[str, Any]:
    return {
        "colony": "lab",
        "size": size,
        "policies": {
            "dead_after_s": 3.0,
            "servers": {"provider": "socket", "after_s": 5.0, "join_s": 300.0},
        },
    }


async def nodes(lab: Lab) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}


async def told(lab: Lab, kind: str) -> int:
    """How often the history tells it."""
    found = (await lab.ask("GET", "/v1/events?since=0&type=server.*")).json()["events"]
    return [one["type"] for one in found].count(kind)


async def test_the_queen_makes_servers_and_makes_anew_what_is_lost_and_who_reigns_does_not_matter(
    tmp_path: Path,
) -> None:
    socket = tmp_path / "servers.sock"
    async with Lab(3, settings={"servers": {"socket": str(socket)}}) as lab, LabServers(lab, socket) as cloud:
        await lab.form()
        assert (await lab.ask("PUT", "/v1/spec", spec(4))).ok
        await lab.wait_ready(4)
        assert cloud.asked == ["create lab-4"]
        async with asyncio.timeout(120):  # before that a server that is lost is made again by the same intent
            while not await told(lab, "server.joined"):
                await asyncio.sleep(0.2)

        before = (await nodes(lab))["lab-4"]["id"]
        cloud.lose("lab-4")
        async with asyncio.timeout(120):
            while (after := (await nodes(lab)).get("lab-4")) is None or after["id"] == before:
                await asyncio.sleep(0.2)
        await lab.wait_ready(4)
        assert cloud.asked == ["create lab-4", "create lab-4"]

        queen = await lab.queen()

        def fall(what: str) -> None:
            cloud.before = lambda _: None
            lab.agent(queen["name"]).kill()

        cloud.before = fall
        assert (await lab.ask("PUT", "/v1/spec", spec(7))).ok
        await lab.new_queen(queen["term"])
        lab.agent(queen["name"]).start()
        await lab.wait_ready(7)
        found = await nodes(lab)
        assert sorted(found) == [f"lab-{number}" for number in range(1, 8)]
        assert all(one["status"] == Status.READY for one in found.values())
        assert sorted(server.name for server in cloud.there.values()) == [f"lab-{number}" for number in range(4, 8)]
        assert sorted(cloud.asked[2:]) == ["create lab-5", "create lab-6", "create lab-7"]
        assert await told(lab, "server.replaced") == 1
        async with asyncio.timeout(120):  # she notes it at her next look
            while await told(lab, "server.joined") < 5:
                await asyncio.sleep(0.2)
