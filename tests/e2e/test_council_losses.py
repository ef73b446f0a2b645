"""A council of five that loses members, agent and etcd alike, is full again by itself, whoever was lost.

AWARE_COUNCIL_LOSSES says how many losses, of one member or of two at once (make test-council plays all 15).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from pathlib import Path
from typing import Any

import pytest

from bench.client import Answer, ColonyClient
from tests.e2e.founders_support import LONG_S, Agent, Founders

pytestmark = pytest.mark.e2e

LOSSES = int(os.environ.get("AWARE_COUNCIL_LOSSES", "1"))
SIZE, NODES = 5, 7
REPLACE_AFTER_S = 5.0


class Colony:
    """Founders, and a client of theirs that writes."""

    def __init__(self, founders: Founders) -> None:
        self.founders = founders
        founder = next(agent for agent in founders.agents if agent.name in founders.founded())
        self._password = (founder.state / "admin.password").read_text().strip()
        self.client = ColonyClient([a.url for a in founders.agents], (founder.state / "ca.crt").read_bytes())
        self.written: list[str] = []

    async def login(self) -> None:
        await self.client.login("admin", self._password, LONG_S)

    async def call(self, method: str, path: str, body: object = None) -> Any:
        answer: Answer = await self.client.call(method, path, body, deadline_s=LONG_S, timeout_s=5.0)
        assert answer.ok, (method, path, answer.status, answer.body)
        return answer.json()

    async def wish(self) -> None:
        """Members that are lost are replaced within seconds, as no operator would want it."""
        spec = await self.call("GET", "/v1/spec")
        council = {"size": SIZE, "replace_after_s": REPLACE_AFTER_S}
        await self.call("PUT", "/v1/spec", {**spec["spec"], "council": council})

    async def write(self) -> None:
        """One more label, which no loss may take away."""
        self.written.append(f"loss-{len(self.written)}")
        patch = {"labels": dict.fromkeys(self.written, "yes")}
        await self.call("PATCH", f"/v1/nodes/{self.founders.agents[0].name}", patch)

    async def kept(self) -> None:
        node = await self.call("GET", f"/v1/nodes/{self.founders.agents[0].name}")
        assert set(self.written) <= set(node["labels"]), node["labels"]

    async def seats(self) -> dict[str, dict[str, Any]]:
        """Members by name."""
        return {seat["name"]: seat for seat in (await self.call("GET", "/v1/council/members"))["members"]}

    async def until_full(self, without: set[str]) -> None:
        """All seats are taken by voters that live."""
        for _ in range(int(LONG_S * 2)):
            seats = await self.seats()
            voters = {name for name, seat in seats.items() if seat["healthy"] and not seat["learner"]}
            if len(voters) == len(seats) == SIZE and not voters & without:
                return
            await asyncio.sleep(0.5)
        logs = [agent.log.read_text()[-3000:] for agent in self.founders.agents]
        raise AssertionError((await self.call("GET", "/v1/council/members"), *logs))


def minorities(names: list[str], dice: random.Random) -> list[tuple[int, ...]]:
    """Every way to lose one or two of five seats, in any order; the queen's seat is number 0."""
    every = [*itertools.combinations(range(len(names)), 1), *itertools.combinations(range(len(names)), 2)]
    dice.shuffle(every)
    # the worst comes first: two at once, the queen being one of them
    return sorted(every[:LOSSES], key=lambda lost: (len(lost) < 2, 0 not in lost)) if LOSSES > 1 else [(0, 3)]


@pytest.mark.deep
async def test_any_minority_of_five_is_lost_and_the_council_is_full_again(tmp_path: Path) -> None:
    founders = Founders(tmp_path, SIZE, NODES)
    try:
        for agent in founders.agents:
            agent.start()
        await asyncio.to_thread(
            founders.wait, lambda: all(a.joined and a.ready() for a in founders.agents), "all are in", LONG_S * 2
        )
        colony = Colony(founders)
        await colony.login()
        await colony.wish()
        await colony.until_full(set())
        for lost in minorities([agent.name for agent in founders.agents[:SIZE]], random.Random(5)):
            await lose(colony, lost)
        colony.client.close()
    finally:
        await asyncio.to_thread(founders.close)


async def lose(colony: Colony, numbers: tuple[int, ...]) -> None:
    """Kill these seats' nodes with their etcd, see them replaced, and see them come back without a seat."""
    queen = (await colony.call("GET", "/v1/queen"))["name"]
    order = sorted(await colony.seats(), key=lambda name: (name != queen, name))
    lost: list[Agent] = [a for a in colony.founders.agents if a.name in {order[number] for number in numbers}]
    for agent in lost:
        await asyncio.to_thread(agent.kill)
    await colony.write()
    await colony.until_full({agent.name for agent in lost})
    await colony.kept()
    for agent in lost:
        agent.start()
    await asyncio.to_thread(
        colony.founders.wait, lambda: all(a.ready() for a in colony.founders.agents), "the lost are back"
    )
    for agent in lost:
        assert not (agent.state / "etcd" / "plan.json").exists(), f"{agent.name} runs etcd without a seat"
    await colony.kept()
