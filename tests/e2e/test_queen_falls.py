"""A queen falls in each of the ways a process can fall, and another takes the next write. How fast, the bench tells."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bench.council_lab import CouncilLab
from bench.lab import Document, Lab
from tests.patience import UNHURRIED

pytestmark = pytest.mark.e2e

LIMIT_S = 90.0
# The council shall end her reign, not her lease.
PATIENT = {"timing": {"queen_ttl_s": 30, "margin_s": 1.0}}


async def write(lab: Lab, number: int) -> int:
    """Change something through whoever reigns; returns the term it was written under."""
    answer = await lab.ask("PATCH", "/v1/nodes/lab-2", {"labels": {"number": str(number)}}, deadline_s=LIMIT_S)
    assert answer.ok, answer
    term: int = answer.json()["term"]
    return term


async def events_of(lab: Lab, kind: str) -> Sequence[Mapping[str, Any]]:
    answer = await lab.ask("GET", "/v1/events?since=0&limit=500", deadline_s=LIMIT_S)
    return [event for event in answer.json()["events"] if event["type"] == kind]


async def deposed(lab: Lab, queen: Document) -> None:
    """The history says that the council ended her term."""
    (event,) = [e for e in await events_of(lab, "queen.deposed") if e["term"] == queen["term"]]
    assert event["subject"] == queen["id"]
    assert f"{queen['name']} is deposed, term {queen['term']} is over" in event["message"]


async def logged(lab: Lab, name: str, text: str) -> None:
    """Until the agent's log says it."""
    async with asyncio.timeout(LIMIT_S):
        while text not in lab.agent(name).log.read_text():
            await asyncio.sleep(0.05)


async def test_agent_gateway_and_etcd_of_a_queen_are_killed_at_once() -> None:
    async with CouncilLab(3, settings=UNHURRIED) as lab:
        await lab.form()
        await lab.wait_serving()
        queen = await lab.queen()
        before = await write(lab, 1)
        lab.agent(queen["name"]).kill_tree()
        assert await write(lab, 2) > before == queen["term"]
        await deposed(lab, queen)
        successor = await lab.new_queen(queen["term"])
        assert successor["name"] != queen["name"]
        lab.agent(queen["name"]).wait()
        lab.agent(queen["name"]).start()
        await lab.wait_ready(3)
        await lab.wait_whole()
        assert (await lab.ask("GET", "/v1/nodes/lab-2")).json()["labels"]["number"] == "2"
        assert (await lab.queen())["term"] == successor["term"], "who comes back takes nothing away"


async def test_a_queen_whose_gateway_alone_is_killed_hands_over_at_once() -> None:
    async with Lab(3, settings=UNHURRIED) as lab:
        await lab.form()
        await lab.wait_serving()
        queen = await lab.queen()
        agent = lab.agent(queen["name"])
        os.kill(agent.gateway_pid, signal.SIGKILL)
        successor = await lab.new_queen(queen["term"], LIMIT_S)
        assert successor["name"] != queen["name"], "whoever is heir by then: the line moves as gateways answer"
        assert await write(lab, 1) >= successor["term"]
        (event,) = await events_of(lab, "queen.stepped-down")
        assert event["subject"] == queen["id"]
        assert event["message"].endswith("its gateway ended")
        await lab.wait_serving()  # hers is started again, as it is on any member
        assert agent.running
        assert await write(lab, 2) == (await lab.queen())["term"]


async def test_members_whose_gateway_does_not_answer_stand_behind_all_others() -> None:
    """The heir's gateway is stopped for good: another is heir, and she is again when it answers."""
    async with Lab(3, settings=UNHURRIED) as lab:
        await lab.form()
        await lab.wait_serving()
        queen = await lab.queen()
        first = queen["heir"]["name"]
        third = next(name for name in lab.agents if name not in (queen["name"], first))
        stop = asyncio.Event()

        async def keep_down() -> None:
            while not stop.is_set():
                try:
                    os.kill(lab.agent(first).gateway_pid, signal.SIGKILL)
                except (RuntimeError, OSError):
                    await asyncio.sleep(0.02)

        keeping = asyncio.create_task(keep_down())
        try:
            await heir_is(lab, third)
            lab.agent(queen["name"]).kill()
            assert (await lab.new_queen(queen["term"], LIMIT_S))["name"] == third
        finally:
            stop.set()
            await keeping
        await lab.wait_serving()
        await heir_is(lab, first)


async def heir_is(lab: Lab, name: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while ((await lab.queen())["heir"] or {}).get("name") != name:
            await asyncio.sleep(0.05)


async def test_a_stopped_queen_is_deposed_and_wakes_up_to_know_it() -> None:
    async with Lab(3, settings=PATIENT) as lab:
        await lab.form()
        await lab.wait_serving()
        queen = await lab.queen()
        agent = lab.agent(queen["name"])
        agent.freeze()
        try:
            assert await write(lab, 1) > queen["term"]
            await deposed(lab, queen)
        finally:
            agent.thaw()
        await logged(lab, queen["name"], f"I am no longer queen of term {queen['term']}")
        await lab.wait_serving()
        assert await write(lab, 2) == (await lab.queen())["term"] > queen["term"]
