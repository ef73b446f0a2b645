"""Castes that scale, beside Kubernetes' and Heat's rules, on the same load curves.

Nothing runs but decisions: ours is the one that a queen takes (:mod:`aware_agent.colony.scaling`), the peers' are their
published rules (:mod:`bench.peers.hpa`, :mod:`bench.peers.heat_scaling`). A server works ``--boot`` seconds after it
was wanted, one that is not wanted any more is gone at once, ours after its ``drain_s``. A node carries 100 requests a
second at the target, which is 60 % of its processors; what is beyond all of its processors is lost.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from aware_agent.colony.load import Load
from aware_agent.colony.scale import Bounds, DemandTarget, Scale
from aware_agent.colony.scaling import Inputs, Posted, Serving, begun, decide, needs
from bench.curves import Curve, curves, recorded
from bench.harness import Run
from bench.peers import heat_scaling, hpa

STEP_S = 5.0
AT_TARGET = 100.0  # requests a second
TARGET = 0.6  # of a node's processors
LEAST, MOST, FIRST = 2, 60, 4
POST_S = 15.0  # how often a demand is posted
TURN_S = 900.0  # a change back within so long is flapping


class Seen(NamedTuple):
    """What a policy is told of one moment."""

    now: float
    demand: float
    ready: int
    wanted: int

    @property
    def use(self) -> float:
        """Of the processors of nodes that work, 0 to 1."""
        return min(1.0, self.demand * TARGET / AT_TARGET / max(1, self.ready))


class Result(NamedTuple):
    """Node-minutes below and above what was needed, share of requests lost, changes, and those that went back soon."""

    under: float
    over: float
    lost: float
    changes: int
    turns: int
    series: list[tuple[float, int, int]]  # minute, nodes that are paid for, nodes needed


Policy = Callable[[Seen], int]


def add_arguments(parser: Any) -> None:
    """Options of this command."""
    parser.add_argument("--boot", type=float, default=90.0, help="seconds from want to work of a server (default: 90)")
    parser.add_argument("--seed", type=int, default=1, help="of the noise (default: 1)")
    parser.add_argument("--curve", type=Path, action="append", default=[], help="a recorded curve too; repeatable")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Every curve with every policy."""
    known = list(curves(options.seed).values())
    for curve in (known[1:3] if run.quick else known) + [recorded(file) for file in options.curve]:
        for name, kind, policy, drain_s in policies():
            result = simulated(curve, policy, boot_s=options.boot, drain_s=drain_s)
            _record(run, f"{name}: {curve.name}", kind, curve, result)


def policies() -> Iterable[tuple[str, Any, Policy, float]]:
    """Name, kind, decision and how long a node goes on working once it is not wanted."""
    by_demand = Scale(min=LEAST, max=MOST, demand=DemandTarget(per_node=AT_TARGET))
    by_use = Scale(min=LEAST, max=MOST, cpu=TARGET)
    yield "Kubernetes HPA, demand", "peer", _hpa(AT_TARGET, by_use=False), 0.0
    yield "Kubernetes HPA, CPU", "peer", _hpa(TARGET, by_use=True), 0.0
    yield "Heat and Aodh, CPU", "peer", _heat(), 0.0
    yield "AWARE, demand", "aware", _aware(by_demand), by_demand.in_.drain_s
    yield "AWARE, CPU", "aware", _aware(by_use), by_use.in_.drain_s


def simulated(curve: Curve, policy: Policy, *, boot_s: float, drain_s: float) -> Result:
    """One policy on one curve."""
    ready, wanted = FIRST, FIRST
    booting: list[float] = []  # when each works
    going: list[float] = []  # when each is gone
    under = over = lost = asked = 0.0
    changed: list[tuple[float, bool]] = []
    series = []
    for step in range(round(curve.seconds / STEP_S)):
        now = step * STEP_S
        working = sum(at <= now for at in booting)
        ready, booting = ready + working, [at for at in booting if at > now]
        going = [at for at in going if at > now]
        demand = curve.demand(now)
        needed = max(LEAST, math.ceil(demand / AT_TARGET - 1e-9))
        after = policy(Seen(now, demand, ready + len(going), wanted))
        if after != wanted:
            changed.append((now, after > wanted))
        for _ in range(after - wanted):
            booting.append(now + boot_s)
        for _ in range(wanted - after):
            if booting:
                booting.pop()
            else:
                ready -= 1
                going.append(now + drain_s)
        wanted = after
        serving, paid = ready + len(going), wanted + len(going)
        under += max(0, needed - serving) * STEP_S / 60
        over += max(0, paid - needed) * STEP_S / 60
        lost += max(0.0, demand - serving * AT_TARGET / TARGET) * STEP_S
        asked += demand * STEP_S
        if step % 12 == 0:
            series.append((now / 60, paid, needed))
    pairs = pairwise(changed)
    turns = sum(up != back and later - at <= TURN_S for (at, up), (later, back) in pairs)
    return Result(under, over, lost / asked if asked else 0.0, len(changed), turns, series)


def _aware(rule: Scale) -> Policy:
    state = begun(FIRST, 0.0)
    posted = Posted(value=0.0, at=0.0, by="bench")

    def decided(seen: Seen) -> int:
        nonlocal state, posted
        if seen.now % POST_S == 0:
            posted = Posted(value=seen.demand, at=seen.now, by="bench")
        load = Load(round(1000 * seen.use), 0, 0, 0, 0, 0)
        found = needs(rule, [Serving(1, load)] * seen.ready, posted, seen.now)
        state, _ = decide(state, Inputs(rule, Bounds(rule.min, rule.max), found), seen.now)
        return state.elastic.wanted

    return decided


def _hpa(target: float, *, by_use: bool) -> Policy:
    scaler = hpa.Autoscaler(LEAST, MOST, target)

    def decided(seen: Seen) -> int:
        if seen.now % hpa.LOOK_S:
            return seen.wanted
        ready = min(seen.ready, seen.wanted)
        told = (
            hpa.Seen(ready, seen.wanted, use=seen.use) if by_use else hpa.Seen(ready, seen.wanted, demand=seen.demand)
        )
        return scaler.look(told, seen.now)

    return decided


def _heat() -> Policy:
    group = heat_scaling.Group(LEAST, MOST)

    def decided(seen: Seen) -> int:
        group.sample(seen.use, seen.now)
        return seen.wanted if seen.now % heat_scaling.LOOK_S else group.look(seen.wanted, seen.now)

    return decided


def _record(run: Run, what: str, kind: Any, curve: Curve, result: Result) -> None:
    """What it cost, and for drawings every minute of it. Of the values recorded the median says nothing."""
    run.record(
        what,
        [result.under + result.over],
        unit="node-minutes off",
        kind=kind,
        settings=curve.told,
        under=round(result.under),
        over=round(result.over),
        lost_percent=round(100 * result.lost, 2),
        changes=result.changes,
        turns=result.turns,
        nodes=" ".join(str(paid) for _, paid, _ in result.series),
        needed=" ".join(str(needed) for _, _, needed in result.series),
    )
