"""How long nobody can write: the queen falls at a random moment, in one of some ways, and a client goes on trying.

The client asks all gateways in turn, follows redirects and pauses 5 ms between rounds. A write counts when the answer
carries a newer term; an inventory counts when its term is newer and its hosts are those of before. A round begins when
all gateways serve again. Where a host is cut off, nobody says that it is gone: the client waits 0.3 s for an answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.agent import Agent
from bench.client import ColonyClient
from bench.council_lab import CouncilLab
from bench.harness import Run, Unavailable
from bench.lab import Lab, LabError
from bench.net_lab import NetLab
from bench.peers import etcd_lease, keepalived, patroni

TTL_S = 3
NODES = 5
LIMIT_S = 30.0
FLOOR = f"etcd lease, TTL {TTL_S} s"
_KEEPALIVED = "keepalived"
_PATRONI = "Patroni"


class _Way(NamedTuple):
    """How the queen falls; ``ends``: her agent does, and has to be started again. ``lab``: where it can be done."""

    what: str
    strike: Callable[[Any, Agent], None]
    ends: bool = True
    lab: type[Lab] = Lab
    timeout_s: float = 1.0  # of the client


def _kill_gateway(_lab: Lab, agent: Agent) -> None:
    os.kill(agent.gateway_pid, signal.SIGKILL)


def _cut(lab: NetLab, agent: Agent) -> None:
    lab.cut(agent.name)


WAYS = {
    "kill": _Way("queen's agent killed (-9)", lambda _, agent: agent.kill_soon()),
    "tree": _Way("queen's agent, gateway and etcd killed (-9)", lambda _, agent: agent.kill_tree(), lab=CouncilLab),
    "gateway": _Way("queen's gateway alone killed (-9)", _kill_gateway, ends=False),
    "stop": _Way("queen stopped (SIGTERM)", lambda _, agent: agent.terminate()),
    "cut": _Way("queen's host cut off from the network", _cut, ends=False, lab=NetLab, timeout_s=0.3),
}


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    ways = (*WAYS, "all")
    parser.add_argument(
        "--how", choices=ways, default="all", help="what falls: the agent, all, the gateway, the host; or a stop"
    )
    parser.add_argument("--n", type=int, default=0, help="how often (default 10, quick 3)")
    parser.add_argument("--patroni-n", type=int, default=0, help="how often for Patroni (default 3, quick 1)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Peers first, so that our rows can name their ratios."""
    count = options.n or (3 if run.quick else 10)
    wanted = list(WAYS) if options.how == "all" else [options.how]
    if wanted != ["stop"]:
        await run.peer(_KEEPALIVED, lambda: keepalived.measure(run, _KEEPALIVED, count))
        patroni_count = options.patroni_n or (1 if run.quick else 3)
        await run.peer(_PATRONI, lambda: patroni.measure(run, _PATRONI, patroni_count))
    async with Lab(nodes=NODES) as lab:
        run.say(f"forming a colony of {NODES}")
        await lab.form()
        await run.peer(FLOOR, lambda: etcd_lease.measure(run, FLOOR, lab, TTL_S, kills=1 if run.quick else 3))
        for how in wanted:
            if WAYS[how].lab is Lab:
                await _measure_ours(run, lab, how, count)
    for how in wanted:
        if WAYS[how].lab is Lab:
            continue
        try:
            async with WAYS[how].lab(nodes=NODES) as lab:
                run.say(f"founding a colony of {NODES} with etcd beside every agent")
                await lab.form()
                await _measure_ours(run, lab, how, count)
        except Unavailable as why:
            run.skip(WAYS[how].what, str(why))


async def _measure_ours(run: Run, lab: Lab, how: str, count: int) -> None:
    samples = []
    await _settled(lab)
    for number in range(1, count + 1):
        sample = await _fail_over(lab, how)
        samples.append(sample)
        run.say(f"{how} {number}/{count}: write {sample.write:.3f} s, inventory {sample.inventory:.3f} s")
    what = WAYS[how].what
    settings = f"{NODES} nodes, queen TTL {TTL_S} s, defaults"
    against = (FLOOR, _KEEPALIVED, _PATRONI) if how != "stop" else ()
    errors = sum(sample.errors for sample in samples)
    for label, values in (
        ("first accepted write", [s.write for s in samples]),
        ("inventory read back, same hosts", [s.inventory for s in samples]),
        ("gap between accepted writes", [s.gap for s in samples]),
    ):
        run.record(
            f"{what} -> {label}" if "gap" not in label else f"{what}: {label}",
            values,
            unit="s",
            kind="aware",
            settings=settings,
            against=against,
            refused_requests=errors,
        )


class _Sample:
    """One fail-over. Seconds from the signal; ``gap`` between the last accepted write before and the first after."""

    def __init__(self) -> None:
        self.write = 0.0
        self.inventory = 0.0
        self.gap = 0.0
        self.errors = 0


async def _settled(lab: Lab) -> None:
    """All are there, and their gateways answer: one that starts is no part of what is measured."""
    await lab.wait_ready(NODES)
    await lab.wait_serving()
    if isinstance(lab, CouncilLab):
        await lab.wait_whole()


async def _fail_over(lab: Lab, how: str) -> _Sample:
    way = WAYS[how]
    queen = await lab.queen()
    victim = lab.agent(queen["name"])
    admin = await lab.admin()
    target = next(name for name in lab.agents if name != queen["name"])
    hosts = set((await lab.ask("GET", "/v1/inventory")).json()["hosts"])
    async with lab.client(admin.token) as writer, lab.client(admin.token) as reader:
        sample, struck = _Sample(), asyncio.Event()
        patience = way.timeout_s
        writing = asyncio.create_task(_write_until(writer, target, queen["term"], sample, struck, patience))
        reading = asyncio.create_task(_read_until(reader, queen["term"], hosts, struck, patience))
        try:
            await asyncio.sleep(1.0 + random.uniform(0, TTL_S / 3))
            start = time.monotonic()
            way.strike(lab, victim)
            struck.set()
            sample.write = await writing - start
            sample.inventory = await reading - start
        finally:
            for task in (writing, reading):
                task.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)
    if isinstance(lab, NetLab):
        lab.heal()
    if way.ends:
        await asyncio.to_thread(victim.wait, LIMIT_S)
        victim.start()
    await _settled(lab)
    return sample


async def _write_until(
    client: ColonyClient, node: str, term: int, sample: _Sample, struck: asyncio.Event, timeout_s: float
) -> float:
    """Write all the time; returns when the first write under a newer term was accepted."""
    end, last, number = time.monotonic() + LIMIT_S, 0.0, 0
    while time.monotonic() < end:
        number += 1
        labels = {"labels": {"bench": str(number)}}
        answer = await client.call("PATCH", f"/v1/nodes/{node}", labels, deadline_s=LIMIT_S, timeout_s=timeout_s)
        now = time.monotonic()
        if not answer.ok:
            sample.errors += 1
            continue
        if answer.json()["term"] > term:
            sample.gap = now - last
            return now
        last = now
        await asyncio.sleep(0.002 if struck.is_set() else 0.02)
    raise LabError(f"no write was accepted for {LIMIT_S:g} s")


async def _read_until(
    client: ColonyClient, term: int, hosts: set[str], struck: asyncio.Event, timeout_s: float
) -> float:
    end = time.monotonic() + LIMIT_S
    await struck.wait()
    while time.monotonic() < end:
        answer = await client.call("GET", "/v1/inventory", deadline_s=LIMIT_S, timeout_s=timeout_s)
        if answer.ok and int(answer.headers["x-aware-term"]) > term:
            found = set(answer.json()["hosts"])
            if found != hosts:
                raise LabError(f"the new queen's inventory differs: {sorted(found ^ hosts)}")
            return time.monotonic()
        await asyncio.sleep(0.002)
    raise LabError(f"no inventory for {LIMIT_S:g} s")
