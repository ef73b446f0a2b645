"""Faults in a row on a colony of real processes, each node a host of one network, while clients write to it.

Every fault is chosen by the seed, lasts a moment, and is mended; then the colony has to be whole again by itself. At
the end the history of the clients has to be linearizable, and the longest time without an accepted write is told for
each kind of fault. A violation, or a colony that does not become whole, ends it with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from aware_agent.colony.linear import violation
from aware_agent.colony.violating import smallest
from bench.agent import Agent
from bench.chaos_clients import Clients
from bench.harness import Run, Unavailable
from bench.lab import LabError
from bench.measure import descendants
from bench.net_lab import NetLab

NODES = 3
CLIENTS = 3
WHOLE_S = 180.0
QUIET_S = 1.0


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--faults", type=int, default=0, help="how many (default 40, quick 6)")
    parser.add_argument("--seed", type=int, default=1, help="which faults, and when")
    parser.add_argument("--only", choices=sorted(FAULTS), action="append", help="these faults; repeatable")


class _Scene(NamedTuple):
    lab: NetLab
    queen: str
    dice: random.Random

    def somebody(self) -> Agent:
        """The queen mostly: there is more to lose."""
        name = self.queen if self.dice.random() < 0.6 else self.dice.choice(sorted(self.lab.agents))
        return self.lab.agent(name)

    async def while_it_lasts(self, longest: float = 4.0) -> None:
        await asyncio.sleep(self.dice.uniform(0.3, longest))


Fault = Callable[[_Scene], AbstractAsyncContextManager[None]]


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Play them; record the gaps. Raises :class:`LabError` for a violation."""
    count = options.faults or (6 if run.quick else 40)
    dice = random.Random(options.seed)
    wanted = sorted(options.only or FAULTS)
    try:
        async with NetLab(NODES) as lab:
            run.say(f"founding a colony of {NODES}")
            await lab.form()
            await lab.wait_serving()
            clients = Clients(lab, CLIENTS, options.seed)
            await clients.start()
            try:
                gaps, restless = await _play(run, lab, clients, [dice.choice(wanted) for _ in range(count)], dice)
            finally:
                await clients.stop()
    except Unavailable as why:
        run.skip("chaos", str(why))
        return
    _judge(run, clients, gaps, restless)


async def _play(
    run: Run, lab: NetLab, clients: Clients, faults: list[str], dice: random.Random
) -> tuple[dict[str, list[float]], int]:
    """The longest gaps by fault, and how many reigns ended while nothing was wrong."""
    gaps: dict[str, list[float]] = {}
    restless = 0
    term = (await lab.queen())["term"]
    for number, name in enumerate(faults, 1):
        await asyncio.sleep(QUIET_S)
        queen = await lab.queen()
        restless += queen["term"] != term
        began = time.monotonic()
        async with FAULTS[name](_Scene(lab, queen["name"], dice)):
            pass
        await lab.wait_ready(NODES, WHOLE_S)
        await lab.wait_whole(WHOLE_S)
        await lab.wait_serving(WHOLE_S)
        clients.workload.check()
        term = (await lab.queen(WHOLE_S))["term"]
        gap = _longest_gap([one.at for one in clients.workload.accepted], began, time.monotonic())
        gaps.setdefault(name, []).append(gap)
        run.say(f"{number}/{len(faults)} {name}: {gap:.2f} s without a write, term {queen['term']} -> {term}")
    return gaps, restless


def _judge(run: Run, clients: Clients, gaps: dict[str, list[float]], restless: int) -> None:
    for name, values in sorted(gaps.items()):
        run.record(f"{name}: longest time without a write", values, unit="s", kind="aware")
    history = clients.workload.history
    unknown = sum(operation.outcome == "unknown" for operation in history)
    run.say(
        f"{sum(map(len, gaps.values()))} faults, {len(history)} operations of {CLIENTS} clients, "
        f"{len(clients.workload.accepted)} writes accepted, {unknown} without an answer, "
        f"{restless} reigns ended while nothing was wrong"
    )
    if violation(history):
        raise LabError(f"not linearizable: {list(smallest(history))[:20]}")
    run.say("linearizable: no accepted write is lost, and none was accepted against its precondition")


def _longest_gap(times: list[float], began: float, ended: float) -> float:
    """Between two accepted writes, or the last one and the end."""
    before = max((at for at in times if at <= began), default=began)
    inside = [at for at in times if began < at <= ended]
    points = [before, *inside, ended]
    return max(later - earlier for earlier, later in itertools.pairwise(points))


# Faults ---------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _killed(scene: _Scene, kill: Callable[[Agent], None]) -> AsyncIterator[None]:
    agent = scene.somebody()
    kill(agent)
    await asyncio.to_thread(agent.wait, 30.0)
    await scene.while_it_lasts()
    yield
    agent.start()


@asynccontextmanager
async def _paused(scene: _Scene, find: Callable[[Agent], list[int]]) -> AsyncIterator[None]:
    pids = find(scene.somebody())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await scene.while_it_lasts(6.0)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def _network(scene: _Scene, break_it: Callable[[NetLab, str], None], longest: float = 6.0) -> AsyncIterator[None]:
    break_it(scene.lab, scene.somebody().name)
    try:
        await scene.while_it_lasts(longest)
        yield
    finally:
        scene.lab.heal()


@asynccontextmanager
async def _gateway_killed(scene: _Scene) -> AsyncIterator[None]:
    os.kill(scene.somebody().gateway_pid, signal.SIGKILL)
    await scene.while_it_lasts(2.0)
    yield


@asynccontextmanager
async def _handed_over(scene: _Scene) -> AsyncIterator[None]:
    await scene.lab.ask("POST", "/v1/queen/step-down", deadline_s=WHOLE_S)
    await scene.while_it_lasts(2.0)
    yield


FAULTS: dict[str, Fault] = {
    "agent killed": lambda scene: _killed(scene, Agent.kill_soon),
    "agent, gateway and etcd killed": lambda scene: _killed(scene, Agent.kill_tree),
    "agent stopped (SIGTERM)": lambda scene: _killed(scene, Agent.terminate),
    "gateway killed": _gateway_killed,
    "handed over": _handed_over,
    "agent paused": lambda scene: _paused(scene, lambda agent: [agent.pid]),
    "etcd paused": lambda scene: _paused(scene, lambda agent: [agent.etcd_pid]),
    "host paused": lambda scene: _paused(scene, lambda agent: [agent.pid, *descendants(agent.pid)]),
    "host cut off": lambda scene: _network(scene, lambda lab, name: lab.cut(name)),
    "one side of two": lambda scene: _network(scene, lambda lab, name: lab.split([name])),
    "hears nobody": lambda scene: _network(scene, lambda lab, name: lab.deafen(name, lab.others(name))),
    "nobody hears it": lambda scene: _network(scene, lambda lab, name: lab.mute(name)),
    "etcd out of its reach": lambda scene: _network(scene, lambda lab, name: lab.block_etcd(name)),
    "a tenth of all packets lost": lambda scene: _network(scene, lambda lab, _: lab.lose(10), 10.0),
}
