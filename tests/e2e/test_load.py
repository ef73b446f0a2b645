"""A node's load on its way: from the kernel over the channel to every member's gateway, and through a failover."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bench.client import ColonyClient
from bench.lab import Lab

pytestmark = pytest.mark.e2e

LIMIT_S = 90.0
SPIN_S = 120.0
MIB = 1024
Node = dict[str, Any]


def _burn(mib: int, until: float) -> None:
    """Use a processor and ``mib`` of memory, without being in anybody's way."""
    os.nice(15)
    held = bytearray(mib * 2**20)
    for place in range(0, len(held), 4096):
        held[place] = 1
    while time.monotonic() < until:
        pass


@contextmanager
def burning() -> Iterator[None]:
    """Processes that use all processors of this machine and some of its memory, for :data:`SPIN_S` at most."""
    end, count = time.monotonic() + SPIN_S, os.cpu_count() or 1
    make = multiprocessing.get_context("spawn").Process
    burners = [make(target=_burn, args=(MIB // count, end), daemon=True) for _ in range(count)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


async def _until(lab: Lab, member: str, name: str, fits: Callable[[Node], bool]) -> Node:
    """The node as the gateway of ``member`` shows it, when it is as wanted."""
    admin = await lab.admin()
    node: Node = {}
    end = time.monotonic() + LIMIT_S
    async with ColonyClient([lab.agent(member).url], lab.material.ca.certificate, admin.token) as client:
        while time.monotonic() < end:
            answer = await client.call("GET", f"/v1/nodes/{name}", deadline_s=30.0, timeout_s=5.0)
            node = answer.json() if answer.ok else {}
            if node and fits(node):
                return node
            await asyncio.sleep(0.2)
    raise AssertionError(f"{name} at {member}: {node}\n{lab.tails(8)}")


def _known(node: Node) -> bool:
    return node["load"] is not None and node["last_heartbeat"] is not None


async def test_every_member_shows_how_busy_each_node_is_also_after_a_failover() -> None:
    async with Lab(3) as lab:
        await lab.form()
        members = list(lab.agents)
        token = await lab.make_token(uses=1)
        lab.add_agent("drone-1", token_file=str(token)).start()
        quiet = {(member, name): await _until(lab, member, name, _known) for member in members for name in lab.agents}
        before = min(node["load"]["memory_used_mib"] for node in quiet.values())
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
        assert {node["load"]["memory_mib"] for node in quiet.values()} == {int(size)}

        with burning():
            for member in members:
                for name in lab.agents:
                    await _until(
                        lab,
                        member,
                        name,
                        lambda node: (
                            _known(node)
                            and node["load"]["cpu"] > 0.9
                            and node["load"]["memory_used_mib"] > before + MIB // 2
                        ),
                    )
            cluster = (await lab.ask("GET", "/v1/cluster")).json()["metrics"]
            assert (cluster["ready"], cluster["reporting"]) == (4, 4)
            assert cluster["cpu"] > 0.5

        queen = await lab.queen()
        lab.agent(queen["name"]).kill()
        killed_at = time.time()
        await lab.new_queen(queen["term"])
        left = [member for member in members if member != queen["name"]]
        for member in left:
            for name in (*left, "drone-1"):
                await _until(lab, member, name, lambda node: _known(node) and node["load"]["at"] > killed_at)
            gone = await _until(lab, member, queen["name"], lambda node: node["status"] == "dead")
            assert gone["last_heartbeat"] is None or gone["last_heartbeat"] < killed_at + 1


async def test_a_node_that_is_fuller_than_the_spec_allows_gets_no_new_work() -> None:
    """Every machine uses a twentieth of its memory, so every node is over such a limit as soon as patience ends."""
    async with Lab(1) as lab:
        await lab.form()
        limits = {"memory": 0.05, "for_s": 30.0}
        spec = {"colony": lab.colony, "size": 1, "castes": {}, "policies": {"limits": limits}}
        assert (await lab.ask("PUT", "/v1/spec", spec)).ok
        await _until(lab, "lab-1", "lab-1", lambda node: node["over"] == ["memory"] and node["caste"] == "spare")
        spec["castes"] = {"late": {"count": 1}}
        assert (await lab.ask("PUT", "/v1/spec", spec)).ok
        late = (await lab.ask("GET", "/v1/castes/late")).json()
        assert late["members"] == []
        assert "1 over the limit of memory" in late["reason"]
        spec["policies"] = {}
        assert (await lab.ask("PUT", "/v1/spec", spec)).ok
        await _until(lab, "lab-1", "lab-1", lambda node: node["over"] == [] and node["caste"] == "late")
