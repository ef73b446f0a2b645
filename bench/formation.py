"""Many agents start on one machine: how long until all see all, and what each costs.

All but the first :data:`~bench.formation_workers.MEMBERS` of ours are workers, and seen when the queen hears them. With
``--eligible`` all may reign, and see all when the store revision each of them shows in ``/metrics`` is at least that of
the last member's presence: their picture of the colony then holds everybody. Serf's see all when each has logged a join
of every other.

``join``: newcomers with nothing but the colony's name and a join token. ``restart``: members of before, all at once.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from contextlib import aclosing
from typing import Any, NamedTuple, TypeVar

import msgspec

from aware_agent.colony.node import Report
from aware_agent.store.keys import prefix_end
from aware_agent.store.model import ChangeKind
from aware_agent.store.watch import watch
from bench.client import ColonyClient, Unreachable
from bench.formation_workers import MEMBERS, Cost, floor, workers
from bench.harness import Run
from bench.lab import Agent, Lab, LabError, default_spec
from bench.measure import cpu_seconds
from bench.peers.serf import Serf

_LIMIT_S = 180.0
_MANY = 50  # from here on agents are started a few at a time
_AT_ONCE = 10
_EACH = "CPU s of one agent"
T = TypeVar("T")


class _Times(NamedTuple):
    """Monotonic moments, and CPU seconds of all agents until the end."""

    first: float
    last: float
    ready: float
    all_see_all: float
    cpu: float


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument(
        "--nodes", type=int, action="append", help="how many; repeatable (default 5, 20, 100; quick 5, 20)"
    )
    parser.add_argument("--repeat", type=int, default=0, help="runs of each row (default 3, quick 1)")
    parser.add_argument(
        "--eligible", action="store_true", help="all may reign: each mirrors the colony and has a gateway"
    )
    text = f"how many may be starting at a time; 0: all (default 0; {_AT_ONCE} for {_MANY} and more)"
    parser.add_argument("--at-once", type=int, default=None, help=text)


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Serf first, for each number of nodes."""
    repeat = options.repeat or (1 if run.quick else 3)
    for nodes in options.nodes or ([5, 20] if run.quick else [5, 20, 100]):
        await run.peer(f"Serf: {nodes} agents", lambda nodes=nodes: _serf(run, nodes, repeat))  # type: ignore[misc]
        at_once = options.at_once if options.at_once is not None else (_AT_ONCE if nodes >= _MANY else 0)
        if not options.eligible and nodes > MEMBERS:
            await _workers(run, nodes, repeat, at_once)
            continue
        joins: list[_Times] = []
        restarts: list[_Times] = []
        try:
            for number in range(repeat):
                run.say(f"{nodes} agents, {number + 1}/{repeat}")
                async with Lab(nodes=nodes, spec=default_spec("lab", nodes)) as lab:
                    joins.append(await _join(lab, at_once))
                    restarts.append(await _restart(lab, at_once))
        except LabError as error:
            run.skip(f"AWARE: {nodes} agents", f"failed, {len(restarts)} runs before succeeded: {error}")
        if joins:
            _record(run, "join by token", nodes, at_once, joins)
        if restarts:
            _record(run, "restart of members", nodes, at_once, restarts)


async def _workers(run: Run, nodes: int, repeat: int, at_once: int) -> None:
    """All but a few of ``nodes`` are workers."""
    costs: list[tuple[Cost, Cost]] = []
    alone: list[float] = []
    try:
        for number in range(repeat):
            alone.append(await asyncio.to_thread(floor, at_once or nodes - MEMBERS))
            run.say(f"{nodes} agents, {number + 1}/{repeat}")
            costs.append(await workers(nodes, at_once))
    except LabError as error:
        run.skip(f"AWARE: {nodes} agents", f"failed, {len(costs)} runs before succeeded: {error}")
    peer, ground = f"Serf: {nodes} agents", f"libraries alone: {at_once or nodes - MEMBERS} at once"
    run.record(ground, alone, unit=_EACH, kind="floor", settings="a process that imports them and ends")
    start = (
        f"{nodes - MEMBERS} workers, {at_once} starting at a time" if at_once else f"{nodes - MEMBERS} workers at once"
    )
    for how, times in zip(("join by token", "restart of workers"), zip(*costs, strict=True), strict=False):
        rows = (
            ("s from last start", [t.ready - t.last for t in times]),
            ("s from first start", [t.ready - t.first for t in times]),
            (_EACH, [t.each for t in times]),
            ("CPU s of the queen for it", [t.queen for t in times]),
            ("CPU s of her gateway for it", [t.gateway for t in times]),
        )
        for unit, values in rows:
            against = [peer] if unit.startswith("s ") else [ground] if unit == _EACH else []
            run.record(
                f"AWARE: {nodes} agents, {how}", values, unit=unit, kind="aware", settings=start, against=against
            )


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


async def _join(lab: Lab, at_once: int) -> _Times:
    """The founder reigns already; then everybody else."""
    agents = list(lab.agents.values())
    agents[0].start()
    await lab.new_queen(0, strict=True)
    await lab.wait_ready(1, healthy=False)
    return await _start_and_wait(lab, agents[1:], at_once)


async def _restart(lab: Lab, at_once: int) -> _Times:
    """Everybody says good-bye, then everybody starts."""
    agents = list(lab.agents.values())
    for agent in agents:
        agent.terminate()
    for agent in agents:
        await asyncio.to_thread(agent.stop, 30.0)
    return await _start_and_wait(lab, agents, at_once)


async def _start_and_wait(lab: Lab, starting: list[Agent], at_once: int) -> _Times:
    async with lab.etcd_client() as client:
        prefix = lab.keys.key("presence/")
        revision = (await client.range(prefix, prefix_end(prefix), limit=1)).revision
        missing = {agent.name for agent in starting}
        presence = asyncio.create_task(_all_present(client, prefix, revision, missing))
        readiness = asyncio.create_task(_all_ready(lab))
        try:
            first = time.monotonic()
            last = await _start(starting, missing, at_once)
            last_revision, present = await _unless_one_dies(presence, starting)
            all_see_all = await _all_see(lab, last_revision)
            ready_at = await _unless_one_dies(readiness, starting)
        finally:
            for task in (presence, readiness):
                task.cancel()
            await asyncio.gather(presence, readiness, return_exceptions=True)
    cpu = sum(cpu_seconds(agent.pid) for agent in starting)
    return _Times(first, last, max(ready_at, present), all_see_all, cpu)


async def _start(agents: list[Agent], missing: set[str], at_once: int) -> float:
    """Start all, with no more than ``at_once`` not yet present; returns the moment of the last start."""
    started: set[str] = set()
    end = time.monotonic() + _LIMIT_S
    for agent in agents:
        while at_once and len(started & missing) >= at_once:
            _check([a for a in agents if a.name in started])
            if time.monotonic() > end:
                raise LabError(f"after {_LIMIT_S:g} s {len(missing)} agents are missing")
            await asyncio.sleep(0.01)
        agent.start()
        started.add(agent.name)
    return time.monotonic()


async def _unless_one_dies(task: asyncio.Task[T], agents: list[Agent]) -> T:
    end = time.monotonic() + _LIMIT_S
    while not task.done():
        _check(agents)
        if time.monotonic() > end:
            raise LabError(f"not complete after {_LIMIT_S:g} s")
        await asyncio.wait([task], timeout=0.2)
    return task.result()


def _check(agents: list[Agent]) -> None:
    """Agents do not end by themselves."""
    dead = [agent for agent in agents if agent.exit_code is not None]
    if dead:
        raise LabError(f"{dead[0].name} ended with {dead[0].exit_code}: {dead[0].tail(1)}")


async def _all_present(client: Any, prefix: bytes, revision: int, missing: set[str]) -> tuple[int, float]:
    """Revision and moment of the last missing presence; those from before do not count. Empties ``missing``."""
    async with aclosing(watch(client, prefix, prefix_end(prefix), revision + 1)) as batches:
        async for batch in batches:
            for change in batch.events:
                if change.kind is ChangeKind.PUT:
                    missing.discard(msgspec.json.decode(change.kv.value, type=Report).name)
                    if not missing:
                        return change.kv.mod_revision, time.monotonic()
    raise LabError("the watch of presence ended")


async def _all_ready(lab: Lab) -> float:
    """The moment the queen says so. In a restart the old picture may say so too, until somebody reigns again."""
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


def _record(run: Run, how: str, nodes: int, at_once: int, times: list[_Times]) -> None:
    peer = f"Serf: {nodes} agents"
    name = f"AWARE: {nodes} agents, {how}"
    cpu = sum(t.cpu for t in times) / len(times) / nodes
    start = f"{at_once} starting at a time" if at_once else "started at once"
    rows = (
        ("s from last start", f"all see all, {start}", [t.all_see_all - t.last for t in times]),
        ("s from first start", f"all see all, {start}", [t.all_see_all - t.first for t in times]),
        ("s from last start", f"queen says all are ready, {start}", [t.ready - t.last for t in times]),
    )
    for unit, settings, values in rows:
        run.record(
            name, values, unit=unit, kind="aware", settings=settings, against=[peer], cpu_s_per_agent=round(cpu, 3)
        )
