"""Channels in a whole colony: every node keeps two, the queen orders nodes about, a failover finds them in place."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from bench.lab import Lab

pytestmark = pytest.mark.e2e


async def _channels(lab: Lab) -> dict[str, str]:
    """State of each node's channel to the queen."""
    nodes = (await lab.ask("GET", "/v1/nodes")).json()["nodes"]
    states = {}
    for node in nodes:
        states[node["name"]] = (await lab.ask("GET", f"/v1/nodes/{node['name']}/channel")).json()["state"]
    return states


async def _until_open(lab: Lab, names: set[str]) -> dict[str, str]:
    states: dict[str, str] = {}
    for _ in range(1200):
        states = await _channels(lab)
        if all(states.get(name) == "open" for name in names):
            return states
        await asyncio.sleep(0.1)
    raise AssertionError(f"channels: {states}\n{lab.tails(6)}")


async def _order(lab: Lab, node: str, command: dict[str, Any]) -> Any:
    return await lab.ask("POST", f"/v1/nodes/{node}/commands", {"command": command})


async def _both_open(lab: Lab, node: str) -> dict[str, Any]:
    """Diagnostics of ``node`` once its channels to queen and heir are open."""
    told: dict[str, Any] = {}
    for _ in range(1200):
        told = (await _order(lab, node, {"type": "diagnostics"})).json()["answer"]
        if told["channels"]["open"] == 2:
            return told
        await asyncio.sleep(0.1)
    raise AssertionError(f"channels of {node}: {told['channels']}\n{lab.tails(6)}")


async def test_nodes_are_ordered_through_their_channels_and_a_new_queen_has_them_already() -> None:
    async with Lab(3) as lab:
        await lab.form()
        queen = await lab.queen()
        others = {f"lab-{number}" for number in (1, 2, 3)} - {queen["name"]}
        states = await _until_open(lab, others)
        assert states[queen["name"]] == "self"
        worker = min(others - {queen["heir"]["name"]})
        answer = (await _order(lab, worker, {"type": "log-level", "level": "debug"})).json()
        assert answer["answer"] == {"level": "debug"}
        upgrade = (await _order(lab, worker, {"type": "check-upgrade", "version": "99.0"})).json()["answer"]
        assert upgrade["change"] is True
        told = await _both_open(lab, worker)
        assert told["standing"].startswith("council member under queen ")
        assert "secret" not in str(told).lower().replace("secret-", "")
        refused = await _order(lab, worker, {"type": "dance"})
        assert refused.status == 422
        events = (await lab.ask("GET", "/v1/events?since=0&type=node.ordered")).json()["events"]
        assert len(events) >= 3
        assert {event["subject"] for event in events} == {(await lab.ask("GET", f"/v1/nodes/{worker}")).json()["id"]}

        before = lab.agent(worker).pid
        process = (await lab.ask("GET", f"/v1/nodes/{worker}")).json()["process"]
        assert (await _order(lab, worker, {"type": "restart"})).json()["answer"]["restarting"] is True
        for _ in range(1200):
            node = (await lab.ask("GET", f"/v1/nodes/{worker}")).json()
            if node["process"] != process and node["status"] == "ready":
                break
            await asyncio.sleep(0.1)
        assert node["process"] != process
        assert lab.agent(worker).pid == before
        await _until_open(lab, others)

        heir = (await lab.queen())["heir"]["name"]
        third = next(iter(others - {heir}))
        await _both_open(lab, third)
        killed_at = time.time()
        lab.agent(queen["name"]).kill()
        assert (await lab.new_queen(queen["term"]))["name"] == heir
        channel = (await lab.ask("GET", f"/v1/nodes/{third}/channel")).json()
        assert channel["state"] == "open"  # at once: it was there before she reigned
        assert channel["since"] < killed_at
        assert (await _order(lab, third, {"type": "log-level", "level": "info"})).json()["answer"] == {"level": "info"}


async def test_a_removed_nodes_channel_is_closed() -> None:
    async with Lab(3) as lab:
        await lab.form()
        queen = await lab.queen()
        gone = next(name for name in ("lab-1", "lab-2", "lab-3") if name != queen["name"])
        await _until_open(lab, {gone})
        assert (await lab.ask("DELETE", f"/v1/nodes/{gone}?force=true")).ok
        answer = await lab.ask("POST", f"/v1/nodes/{gone}/commands", {"command": {"type": "diagnostics"}})
        assert answer.status == 404
        # Told so by the end of its channels, it ends: nothing else would tell it.
        for _ in range(1200):
            if not lab.agent(gone).running:
                break
            await asyncio.sleep(0.1)
        assert lab.agent(gone).exit_code == 20, lab.agent(gone).tail(20)
