"""An admin moves a seat between real agents: etcd goes where it was sent, and what cannot be is refused."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.client import ColonyClient
from tests.e2e.founders_support import LONG_S, Founders

pytestmark = pytest.mark.e2e


class Council:
    """A logged in admin."""

    def __init__(self, client: ColonyClient) -> None:
        self.client = client

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        answer = await self.client.call(method, path, body, deadline_s=LONG_S, timeout_s=5.0)
        return answer.status, answer.json()

    async def members(self) -> dict[str, dict[str, Any]]:
        """By name."""
        _, document = await self.call("GET", "/v1/council/members")
        return {member["name"]: member for member in document["members"]}

    async def until_full(self, without: str = "") -> set[str]:
        """The names of three voters that are well, none of them ``without``."""
        for _ in range(int(LONG_S * 2)):
            members = await self.members()
            well = [one for one in members.values() if one["healthy"] and not one["learner"]]
            if len(well) == len(members) == 3 and without not in members:
                return set(members)
            await asyncio.sleep(0.5)
        raise AssertionError(f"never full: {await self.call('GET', '/v1/council/members')}")

    async def move(self, source: str, target: str = "") -> tuple[int, Any]:
        return await self.call("POST", "/v1/council/move", {"from": source, "to": target})

    async def moved(self, sentence: str) -> None:
        """As soon as the history says so."""
        for _ in range(int(LONG_S)):
            _, document = await self.call("GET", "/v1/events?limit=1000&type=council.move_ended")
            if sentence in [event["message"] for event in document["events"]]:
                return
            await asyncio.sleep(1.0)
        raise AssertionError(f"never {sentence!r}")


class Context:
    """What ``aware`` needs to be admin as ``client`` is."""

    def __init__(self, directory: Path, client: ColonyClient, ca: bytes) -> None:
        (directory / "ca.crt").write_bytes(ca)
        (directory / "token").write_text(client.token)
        (directory / "token").chmod(0o600)
        self.file = directory / "context.json"
        document = {"colony": "found", "endpoints": client.endpoints, "ca_file": "ca.crt", "token_file": "token"}
        self.file.write_text(json.dumps(document))

    async def aware(self, *arguments: str) -> str:
        """What it says."""
        command = [sys.executable, "-m", "aware_agent.cli", *arguments, "--context", str(self.file)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=LONG_S * 2)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout


async def drained(council: Council, context: Context, free: str) -> None:
    """The queen's host is to be worked on: another reigns, ``free`` takes the seat, and nobody gives her work."""
    _, before = await council.call("GET", "/v1/queen")
    said = await context.aware("nodes", "drain", before["name"], "--wait", f"{LONG_S:.0f}s")
    assert said.splitlines()[-1] == f"{before['name']} is drained: its host may be worked on"
    _, after = await council.call("GET", "/v1/queen")
    assert after["name"] != before["name"]
    assert after["term"] > before["term"]
    assert free in await council.until_full(without=before["name"])
    assert "drained" in await context.aware("nodes", "list")
    await context.aware("nodes", "uncordon", before["name"])
    assert "drained" not in await context.aware("nodes", "list")


async def test_a_seat_moves_to_the_fourth_node_and_its_old_host_is_a_worker(tmp_path: Path) -> None:
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
            source = await play(Council(client), founders)
            assert all(agent.ready() for agent in founders.agents)
            assert (await client.call("PATCH", f"/v1/nodes/{source}", {"labels": {"moved": "yes"}})).status == 200
            await drained(Council(client), Context(tmp_path, client, ca), source)
            assert all(agent.ready() for agent in founders.agents)
    finally:
        await asyncio.to_thread(founders.close)


async def play(council: Council, founders: Founders) -> str:
    """What cannot be is refused, and a seat moves; returns whose."""
    sitting = await council.until_full()
    (spare,) = {agent.name for agent in founders.agents} - sitting
    _, queen = await council.call("GET", "/v1/queen")
    source, other = sorted(sitting - {queen["name"]})
    for wrong, said in (
        ((spare, ""), "has no seat"),
        ((queen["name"], spare), "the queen keeps her seat"),
        ((source, other), "has a seat already"),
    ):
        status, problem = await council.move(*wrong)
        assert status == 409, problem
        assert said in problem["detail"]
    assert (await council.move("nobody"))[0] == 404

    status, moving = await council.move(source)
    assert (status, moving["from"]["name"], moving["to"]["name"]) == (202, source, spare), moving
    status, problem = await council.move(other, spare)
    assert status == 409, problem
    assert await council.until_full(without=source) == sitting - {source} | {spare}
    await council.moved(f"the seat of {source} has moved to {spare}")
    agents = {agent.name: agent for agent in founders.agents}
    await asyncio.to_thread(
        founders.wait, lambda: not (agents[source].state / "etcd" / "plan.json").exists(), "its etcd is gone"
    )
    assert (agents[spare].state / "etcd" / "plan.json").exists()
    return source
