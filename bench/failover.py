"""How long nobody can write: the queen falls at a random moment, in one of some ways, and a client goes on trying.

The client asks all gateways in turn, follows redirects and pauses 5 ms between rounds. A write counts when the answer
carries a newer term; an inventory counts when its term is newer and its hosts are those of before. A round begins when
all gateways serve again. Where a host is cut off, nobody says that it is gone: the client waits 0.3 s for an answer.
Where only etcd's leader falls the queen may stay; then a write counts that was begun after it fell.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from typing import Any

from bench.client import ColonyClient
from bench.council_lab import CouncilLab
from bench.failover_ways import WAYS
from bench.harness import Run, Unavailable
from bench.lab import Lab, LabError
from bench.net_lab import NetLab
from bench.peers import etcd_lease, keepalived, patroni, zookeeper

TTL_S = 3
NODES = 5
LIMIT_S = 30.0
FLOOR = f"etcd lease, TTL {TTL_S} s"
_REVOKED = "etcd lease revoked"
_KEEPALIVED = "keepalived"
_KEEPALIVED_FAST = "keepalived, 0.1 s"
_PATRONI = "Patroni"
_ZOOKEEPER = "ZooKeeper"
_PEERS = (FLOOR, _KEEPALIVED, _KEEPALIVED_FAST, _PATRONI, _ZOOKEEPER)


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    ways = (*WAYS, "all")
    parser.add_argument(
        "--how", choices=ways, action="append", help="what falls; repeatable (default all: see docs/benchmarks.md)"
    )
    parser.add_argument("--n", type=int, default=0, help="how often (default 10, quick 3)")
    parser.add_argument("--patroni-n", type=int, default=0, help="how often for Patroni (default 3, quick 1)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Peers first, so that our rows can name their ratios."""
    count = options.n or (3 if run.quick else 10)
    asked = options.how or ["all"]
    wanted = list(WAYS) if "all" in asked else list(dict.fromkeys(asked))
    unasked = any(WAYS[how].unasked for how in wanted)
    if unasked:
        await run.peer(_KEEPALIVED, lambda: keepalived.measure(run, _KEEPALIVED, count))
        await run.peer(_KEEPALIVED_FAST, lambda: keepalived.measure(run, _KEEPALIVED_FAST, count, advert_s=0.1))
        few = options.patroni_n or (1 if run.quick else 3)
        await run.peer(_PATRONI, lambda: patroni.measure(run, _PATRONI, few))
        await run.peer(_ZOOKEEPER, lambda: zookeeper.measure(run, _ZOOKEEPER, few))
    async with Lab(nodes=NODES) as lab:
        run.say(f"forming a colony of {NODES}")
        await lab.form()
        if unasked:
            await run.peer(FLOOR, lambda: etcd_lease.measure(run, FLOOR, lab, TTL_S, kills=max(1, count // 5)))
        if "hand-over" in wanted:
            await run.peer(_REVOKED, lambda: etcd_lease.measure_revoked(run, _REVOKED, lab, count))
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
    changed_before = 0
    while len(samples) < count:
        sample = await _fail_over(lab, how)
        if sample is None:
            changed_before += 1
            if changed_before > count:
                raise LabError(f"{how}: the queen changed before the blow {changed_before} times")
            continue
        samples.append(sample)
        number = len(samples)
        run.say(f"{how} {number}/{count}: write {sample.write:.3f} s, gap {sample.gap:.3f} s")
    what = WAYS[how].what
    settings = f"{NODES} nodes, queen TTL {TTL_S} s, defaults"
    against = _PEERS if WAYS[how].unasked else (_REVOKED,) if how == "hand-over" else ()
    errors = sum(sample.errors for sample in samples)
    rows = [
        ("first accepted write", [s.write for s in samples]),
        ("inventory read back, same hosts", [s.inventory for s in samples]),
        ("gap between accepted writes", [s.gap for s in samples]),
    ]
    for label, values in rows if WAYS[how].falls else [rows[0], rows[2]]:
        run.record(
            f"{what} -> {label}" if "gap" not in label else f"{what}: {label}",
            values,
            unit="s",
            kind="aware",
            settings=settings,
            against=against,
            refused_requests=errors,
            reigns_ended=sum(sample.ended for sample in samples),
            changed_before_the_blow=changed_before,
        )


class _Sample:
    """One fail-over. Seconds from the signal; ``gap`` between the last accepted write before and the first after."""

    def __init__(self) -> None:
        self.write = 0.0
        self.inventory = 0.0
        self.gap = 0.0
        self.errors = 0
        self.ended = False  # whether another reign began


async def _settled(lab: Lab) -> None:
    """All are there, and their gateways answer: one that starts is no part of what is measured."""
    await lab.wait_ready(NODES)
    await lab.wait_serving()
    if isinstance(lab, CouncilLab):
        await lab.wait_whole()


async def _fail_over(lab: Lab, how: str) -> _Sample | None:
    """One round; None when the queen changed by herself before the blow, and nothing was done."""
    way = WAYS[how]
    queen = await lab.queen()
    victim = lab.agent(queen["name"])
    admin = await lab.admin()
    target = next(name for name in lab.agents if name != queen["name"])
    hosts = set((await lab.ask("GET", "/v1/inventory")).json()["hosts"])
    async with lab.client(admin.token) as writer, lab.client(admin.token) as reader:
        sample, struck = _Sample(), asyncio.Event()
        patience = way.timeout_s
        newer = queen["term"] + 1 if way.falls else 0
        writing = asyncio.create_task(_write_until(writer, target, newer, sample, struck, patience))
        reading = asyncio.create_task(_read_until(reader, newer, hosts, struck, patience))
        try:
            blow = await way.aim(lab, victim)
            await asyncio.sleep(1.0 + random.uniform(0, TTL_S / 3))
            if (await lab.queen())["term"] != queen["term"]:
                return None
            start = time.monotonic()
            struck.set()
            await blow()
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
    sample.ended = (await lab.queen())["term"] != queen["term"]
    return sample


async def _write_until(
    client: ColonyClient, node: str, term: int, sample: _Sample, struck: asyncio.Event, timeout_s: float
) -> float:
    """Write all the time; returns when one was accepted that was begun after the blow, under ``term`` at least."""
    end, last, number = time.monotonic() + LIMIT_S, 0.0, 0
    while time.monotonic() < end:
        number += 1
        labels, late = {"labels": {"bench": str(number)}}, struck.is_set()
        answer = await client.call("PATCH", f"/v1/nodes/{node}", labels, deadline_s=LIMIT_S, timeout_s=timeout_s)
        now = time.monotonic()
        if not answer.ok:
            sample.errors += 1
            continue
        if answer.json()["term"] >= term and (late or term):
            sample.gap = max(sample.gap, now - last)
            return now
        if struck.is_set():
            sample.gap = max(sample.gap, now - last)
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
        if answer.ok and int(answer.headers["x-aware-term"]) >= term:
            found = set(answer.json()["hosts"])
            if found != hosts:
                raise LabError(f"the new queen's inventory differs: {sorted(found ^ hosts)}")
            return time.monotonic()
        await asyncio.sleep(0.002)
    raise LabError(f"no inventory for {LIMIT_S:g} s")
