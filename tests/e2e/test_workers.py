"""Workers: no secret, no etcd, everything over channels; and a failover that does not disturb them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aware_agent.agent.state import StateDir
from bench.lab import Lab

pytestmark = pytest.mark.e2e

WORKERS = ("drone-1", "drone-2")


async def _with_workers(lab: Lab) -> None:
    """Three members and two workers, all ready."""
    await lab.form()
    token = await lab.make_token(uses=len(WORKERS))
    for name in WORKERS:
        lab.add_agent(name, token_file=str(token)).start()
    for name in WORKERS:
        await _until(lab, name, lambda node: node["status"] == "ready")


async def _until(lab: Lab, name: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for _ in range(1200):
        answer = await lab.ask("GET", f"/v1/nodes/{name}")
        node = answer.json() if answer.ok else {}
        if node and fits(node):
            return node
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name}: {node}\n{lab.tails(8)}")


async def _events(lab: Lab, node: str) -> list[str]:
    events = (await lab.ask("GET", "/v1/events?since=0&limit=1000")).json()["events"]
    return [event["type"] for event in events if event["subject"] == node]


async def test_workers_live_without_etcd_and_their_status_lasts_through_failovers() -> None:
    async with Lab(3) as lab:
        await _with_workers(lab)
        worker = await _until(lab, "drone-1", lambda node: node["status"] == "ready")
        assert (worker["eligible"], worker["candidate"], worker["rank"]) == (False, False, None)
        state = StateDir(lab.agent("drone-1").state_dir).load()
        assert state is not None
        assert state.membership.etcd == ()
        assert state.membership.secret != lab.material.secret
        loaded = Path(f"/proc/{lab.agent('drone-1').pid}/maps").read_text()
        assert "msgspec" in loaded
        assert not any(name in loaded for name in ("grpc", "protobuf", "aetcd"))
        async with lab.etcd_client() as etcd:
            presence = await etcd.range(*lab.keys.below("presence"))
        assert worker["id"].encode() not in b" ".join(kv.key for kv in presence.kvs)

        answer = await lab.ask("PUT", "/v1/nodes/drone-1/config", {"config": {"agent": {"log_level": "debug"}}})
        assert answer.ok
        await _until(lab, "drone-1", lambda node: node["config_applied"] and node["config_version"] == 1)

        for _ in range(2):
            queen = await lab.queen()
            lab.agent(queen["name"]).kill()
            await lab.new_queen(queen["term"])
            for name in WORKERS:
                node = await _until(lab, name, lambda node: node["status"] == "ready")
                assert (await lab.ask("GET", f"/v1/nodes/{name}/channel")).json()["state"] in ("open", "closed")
                kinds = await _events(lab, node["id"])
                assert kinds.count("node.ready") == 1, kinds
                assert "node.suspect" not in kinds
            lab.agent(queen["name"]).start()
            await _until(lab, queen["name"], lambda node: node["status"] == "ready")


async def test_a_killed_worker_is_known_and_one_that_stops_has_left() -> None:
    async with Lab(1) as lab:
        await _with_workers(lab)
        lab.agent("drone-1").kill()
        await _until(lab, "drone-1", lambda node: node["status"] in ("suspect", "dead"))
        assert lab.agent("drone-2").stop() == 0
        await _until(lab, "drone-2", lambda node: node["status"] == "left")
        for name in WORKERS:
            lab.agent(name).start()
            await _until(lab, name, lambda node: node["status"] == "ready")


async def test_a_removed_worker_ends_with_one_sentence() -> None:
    async with Lab(1) as lab:
        await _with_workers(lab)
        gone = lab.agent("drone-1")
        assert (await lab.ask("DELETE", "/v1/nodes/drone-1?force=true")).ok
        for _ in range(600):
            if not gone.running:
                break
            await asyncio.sleep(0.05)
        assert gone.exit_code == 20, gone.tail(20)
        assert "drone-1 was removed from colony lab" in gone.tail(3)
        assert lab.agent("drone-2").running
