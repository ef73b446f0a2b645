"""What befalls a network, and what the colony does then (docs/faults.md): each node is a host of its own.

Whatever was acknowledged stays: each test writes through all of it, and reads it again at its end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.client import Answer
from bench.harness import Unavailable
from bench.lab import Document
from bench.net_lab import NetLab
from tests.e2e.one_node import Wanted, ask_one

pytestmark = [pytest.mark.e2e, pytest.mark.netns]

LIMIT_S = 120.0


class Scene:
    """A council that is written to."""

    def __init__(self, lab: NetLab) -> None:
        self.lab = lab
        self.written = 0
        self.terms: list[int] = []

    async def write(self) -> int:
        """One more label by whoever reigns; returns the term it was written under."""
        answer = await self.lab.ask(
            "PATCH", "/v1/nodes/lab-1", {"labels": {f"n{self.written}": "yes"}}, deadline_s=LIMIT_S
        )
        assert answer.ok, answer
        self.written += 1
        self.terms.append(int(answer.json()["term"]))
        return self.terms[-1]

    async def until_written_after(self, term: int) -> int:
        """Write until a newer term takes it: an older one is not over at once."""
        async with asyncio.timeout(LIMIT_S):
            while (now := await self.write()) <= term:
                await asyncio.sleep(0.1)
        return now

    async def whole(self) -> None:
        """Everything is mended: all are ready and sit, nothing is lost, and no term came back."""
        await self.lab.wait_ready(len(self.lab.agents), LIMIT_S)
        await self.lab.wait_whole(LIMIT_S)
        labels = (await self.lab.ask("GET", "/v1/nodes/lab-1", deadline_s=LIMIT_S)).json()["labels"]
        assert labels == {f"n{number}": "yes" for number in range(self.written)}
        assert self.terms == sorted(self.terms)

    async def at(self, name: str, path: str, wanted: Wanted, method: str = "GET") -> Answer:
        """What the gateway of that node alone answers, as soon as it is ``wanted``."""
        return await ask_one(self.lab, self.lab.agent(name), path, wanted, method)


@asynccontextmanager
async def council(**settings: object) -> AsyncIterator[Scene]:
    try:
        lab = await NetLab(3, settings=settings).__aenter__()
    except Unavailable as why:
        pytest.skip(str(why))
    try:
        await lab.form()
        await lab.wait_serving()
        yield Scene(lab)
    finally:
        await lab.__aexit__(None, None, None)


def says_no_queen(answer: Answer) -> bool:
    return answer.status == 503 and answer.json()["code"] == "no-queen"


async def deposed(scene: Scene, queen: Document) -> None:
    """Her term ended because the council said so, and the history tells."""
    answer = await scene.lab.ask("GET", "/v1/events?since=0&limit=500", deadline_s=LIMIT_S)
    subjects = {(e["subject"], e["term"]) for e in answer.json()["events"] if e["type"] == "queen.deposed"}
    assert (queen["id"], queen["term"]) in subjects


async def test_a_queen_who_hears_nobody_and_one_whom_nobody_hears() -> None:
    async with council() as scene:
        lab = scene.lab
        # Cut off from the others, not from the caller: her side is the minority.
        queen = await lab.queen()
        lab.split([queen["name"]])
        later = await scene.until_written_after(queen["term"])
        await scene.at(queen["name"], "/v1/queen", says_no_queen)
        ready = await scene.at(queen["name"], "/readyz", lambda a: b"majority" in a.body and a.status == 503)
        assert ready.json()["store"]["trouble"] == "no-quorum"
        refused = await scene.at(queen["name"], "/v1/queen/step-down", says_no_queen, "POST")
        assert "majority" in str(refused.json()), "it says why there is none"
        read = await scene.at(queen["name"], "/v1/nodes", lambda a: a.ok)
        assert read.headers["x-aware-role"] != "queen"
        lab.heal()
        await scene.at(queen["name"], "/v1/queen", lambda a: a.ok and a.json()["term"] >= later)
        await scene.whole()

        # She sends and is heard, but hears nobody: no answer of etcd comes back either.
        queen = await lab.queen()
        lab.deafen(queen["name"], lab.others(queen["name"]))
        await scene.until_written_after(queen["term"])
        lab.heal()
        await scene.whole()

        # She hears everybody, and nobody hears her.
        queen = await lab.queen()
        lab.mute(queen["name"])
        await scene.until_written_after(queen["term"])
        lab.heal()
        await scene.whole()


async def test_her_host_is_gone_from_the_network_and_comes_back() -> None:
    # The council shall end her reign, not her lease, however busy this machine is.
    async with council(timing={"queen_ttl_s": 30, "margin_s": 1.0}) as scene:
        lab = scene.lab
        queen = await lab.queen()
        lab.cut(queen["name"])
        await scene.until_written_after(queen["term"])
        await deposed(scene, queen)
        async with asyncio.timeout(LIMIT_S):
            while (await lab.ask("GET", f"/v1/nodes/{queen['name']}")).json()["status"] not in ("suspect", "dead"):
                await asyncio.sleep(0.1)
        lab.heal()
        await scene.whole()


@pytest.mark.deep
async def test_everybody_is_cut_off_from_everybody() -> None:
    """Nobody can reign, and when they are together again, somebody does."""
    async with council() as scene:
        lab = scene.lab
        term = (await lab.queen())["term"]
        for name in lab.agents:
            lab.deafen(name, lab.others(name))
        for name in lab.agents:
            await scene.at(name, "/v1/queen", says_no_queen)
        lab.heal()
        await scene.until_written_after(term)
        await scene.whole()


@pytest.mark.deep
async def test_etcd_is_out_of_reach_for_the_queen_alone() -> None:
    async with council() as scene:
        lab = scene.lab
        queen = await lab.queen()
        lab.block_etcd(queen["name"])
        await scene.until_written_after(queen["term"])
        await scene.at(
            queen["name"], "/readyz", lambda a: a.status == 503 and b"etcd is unreachable from here" in a.body
        )
        await scene.at(queen["name"], "/readyz", lambda a: bool(a.json()["store"]["trouble"]))
        lab.heal()
        await scene.whole()

        # Two others lose sight of each other; whoever hears both reigns on, or one of the two is elected and stays.
        queen = await lab.queen()
        one, other = lab.others(queen["name"])
        lab.deafen(one, [other])
        for _ in range(20):
            await scene.write()
            await asyncio.sleep(0.1)
        lab.heal()
        await scene.whole()


@pytest.mark.deep
async def test_etcds_leader_is_frozen_and_wakes_up() -> None:
    async with council() as scene:
        lab = scene.lab
        for seconds in (1.5, 3.0, 6.0):
            members = (await lab.ask("GET", "/v1/council/members", deadline_s=LIMIT_S)).json()["members"]
            (leader,) = [member["name"] for member in members if member["leads"]]
            pid = lab.agent(leader).etcd_pid
            os.kill(pid, signal.SIGSTOP)
            try:
                writing = asyncio.create_task(scene.write())
                await asyncio.sleep(seconds)
            finally:
                os.kill(pid, signal.SIGCONT)
            await writing
            await scene.whole()


@pytest.mark.deep
async def test_one_of_ten_packets_is_lost() -> None:
    async with council() as scene:
        scene.lab.lose(10)
        for _ in range(30):
            await scene.write()
            await asyncio.sleep(0.1)
        scene.lab.heal()
        await scene.whole()
