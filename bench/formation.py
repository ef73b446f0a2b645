"""Many agents start on one machine: how long until all see all.

Ours see all when the store revision each of them shows in ``/metrics`` is at least that of the last member's presence:
their picture of the colony then holds everybody. Serf's see all when each has logged a join of every other.
``join``: newcomers with nothing but the colony's name and a join token. ``restart``: members of before, all at once.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec

from aware_agent.colony.node import Report
from aware_agent.store.keys import prefix_end
from aware_agent.store.model import ChangeKind
from aware_agent.store.watch import watch
from bench.client import ColonyClient, Unreachable
from bench.harness import Run
from bench.lab import Agent, Lab, LabError, default_spec
from bench.measure import cpu_seconds
from bench.peers.serf import Serf

_LIMIT_S = 240.0


class _Times(NamedTuple):
    """Monotonic moments, and CPU seconds of all agents until the end."""

    first: float
    last: float
    present: float
    ready: float
    all_see_all: float
    cpu: float


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument(
        "--nodes", type=int, action="append", help="how many; repeatable (default 5, 20, 100; quick 5, 20)"
    )
    parser.add_argument("--repeat", type=int, default=0, help="runs of each row (default 3, quick 1)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Serf first, for each number of nodes."""
    repeat = options.repeat or (1 if run.quick else 3)
    for nodes in options.nodes or ([5, 20] if run.quick else [5, 20, 100]):
        await run.peer(f"Serf: {nodes} agents", lambda nodes=nodes: _serf(run, nodes, repeat))  # type: ignore[misc]
        joins: list[_Times] = []
        restarts: list[_Times] = []
        for number in range(repeat):
            run.say(f"{nodes} agents, {number + 1}/{repeat}")
            async with Lab(nodes=nodes, spec=default_spec("lab", nodes)) as lab:
                joins.append(await _join(lab))
                restarts.append(await _restart(lab))
        _record(run, "join by token", nodes, joins)
        _record(run, "restart of members", nodes, restarts)


async def _serf(run: Run, nodes: int, repeat: int) -> None:
    since_first, since_last, version = [], [], ""
    for _ in range(repeat):
        with Serf(nodes) as serf:
            version = serf.version
            first, last = await asyncio.to_thread(serf.start)
            complete = await asyncio.to_thread(serf.wait_complete, _LIMIT_S)
            since_first.append(complete - first)
            since_last.append(complete - last)
    name = f"Serf: {nodes} agents"
    run.record(name, since_last, unit="s from last start", kind="peer", settings=f"{version}, profile lan")
    run.record(name, since_first, unit="s from first start", kind="peer", settings=f"{version}, profile lan")


async def _join(lab: Lab) -> _Times:
    """The founder reigns already; then everybody else at once."""
    agents = list(lab.agents.values())
    agents[0].start()
    await lab.new_queen(0, strict=True)
    await lab.wait_ready(1, healthy=False)
    return await _start_and_wait(lab, agents[1:])


async def _restart(lab: Lab) -> _Times:
    """Everybody says good-bye, then everybody starts."""
    agents = list(lab.agents.values())
    for agent in agents:
        agent.terminate()
    for agent in agents:
        await asyncio.to_thread(agent.stop, 30.0)
    return await _start_and_wait(lab, agents)


async def _start_and_wait(lab: Lab, starting: list[Agent]) -> _Times:
    async with lab.etcd_client() as client:
        prefix = lab.keys.key("presence/")
        revision = (await client.range(prefix, prefix_end(prefix), limit=1)).revision
        waiting = asyncio.create_task(_all_present(client, prefix, revision, {agent.name for agent in starting}))
        try:
            first = time.monotonic()
            for agent in starting:
                agent.start()
            last = time.monotonic()
            ready = asyncio.create_task(_all_ready(lab))
            last_revision, present = await asyncio.wait_for(waiting, _LIMIT_S)
            all_see_all = await _all_see(lab, last_revision)
            ready_at = await ready
        except TimeoutError:
            raise LabError(f"not all agents showed presence in {_LIMIT_S:g} s: {lab.tails(2)}") from None
        finally:
            waiting.cancel()
    cpu = sum(cpu_seconds(agent.pid) for agent in starting)
    return _Times(first, last, present, ready_at, all_see_all, cpu)


async def _all_present(client: Any, prefix: bytes, revision: int, names: set[str]) -> tuple[int, float]:
    """Revision and moment of the last missing presence; one from before the start does not count."""
    missing = set(names)
    async with aclosing(watch(client, prefix, prefix_end(prefix), revision + 1)) as batches:
        async for batch in batches:
            for change in batch.events:
                if change.kind is ChangeKind.PUT:
                    missing.discard(msgspec.json.decode(change.kv.value, type=Report).name)
                    if not missing:
                        return change.kv.mod_revision, time.monotonic()
    raise LabError("the watch of presence ended")


async def _all_ready(lab: Lab) -> float:
    await lab.wait_ready(len(lab.agents), _LIMIT_S)
    return time.monotonic()


async def _all_see(lab: Lab, revision: int) -> float:
    """The moment the last agent showed a store revision of at least ``revision``."""
    end = time.monotonic() + _LIMIT_S
    missing = list(lab.agents.values())
    async with lab.client() as client:
        while missing:
            seen = await asyncio.gather(*(_revision_of(client, agent) for agent in missing))
            missing = [agent for agent, its in zip(missing, seen, strict=True) if its < revision]
            if missing and time.monotonic() > end:
                raise LabError(f"{len(missing)} agents do not see all: {lab.tails(2)}")
            await asyncio.sleep(0.02)
    return time.monotonic()


async def _revision_of(client: ColonyClient, agent: Agent) -> int:
    try:
        answer = await client.once(agent.url, "GET", "/metrics")
    except Unreachable:
        return 0
    match = re.search(rb"^aware_store_revision (\d+)", answer.body, re.MULTILINE)
    return int(match[1]) if match else 0


def _record(run: Run, how: str, nodes: int, times: list[_Times]) -> None:
    peer = f"Serf: {nodes} agents"
    name = f"AWARE: {nodes} agents, {how}"
    cpu = sum(t.cpu for t in times) / len(times) / nodes
    run.record(
        name,
        [t.all_see_all - t.last for t in times],
        unit="s from last start",
        kind="aware",
        settings="all see all",
        against=[peer],
        cpu_s_per_agent=cpu,
    )
    settings = "all see all"
    run.record(
        name,
        [t.all_see_all - t.first for t in times],
        unit="s from first start",
        kind="aware",
        settings=settings,
        against=[peer],
    )
    settings = "queen says all are ready, castes are filled"
    run.record(
        name,
        [t.ready - t.last for t in times],
        unit="s from last start",
        kind="aware",
        settings=settings,
        against=[peer],
    )
