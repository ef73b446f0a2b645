"""Faults in a row on a colony of real processes, each node a host of one network, while clients write to it.

Five nodes, three of them in the council. Every fault is chosen by the seed, lasts a moment, and is mended; then the
colony has to be whole again by itself. After each one the clients rest for a moment, and what they saw since the last
one has to be linearizable; so a run may be as long as you like. Told at the end: the longest time without an accepted
write for each kind of fault, violations, lost writes, and reigns that ended while nothing was wrong. A violation, or a
colony that does not become whole, is an error.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aware_agent.check.workload import Window
from aware_agent.colony.linear import violation
from aware_agent.colony.violating import smallest
from bench import chaos_council, chaos_faults
from bench.chaos_clients import Clients
from bench.chaos_faults import WHOLE_S, Fault, Scene
from bench.chaos_report import Change, Mark, Report, Tally, load
from bench.harness import Run, Unavailable
from bench.net_lab import NetLab
from bench.played import played, raise_for_violations

NODES, SEATS = 5, 3
CLIENTS = 3
QUIET_S = 1.0
FAULTS: dict[str, Fault] = {**chaos_faults.FAULTS, **chaos_council.FAULTS}


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--faults", type=int, default=0, help="how many (default 40, quick 6)")
    parser.add_argument("--seed", type=int, default=1, help="which faults, and when")
    parser.add_argument("--only", choices=sorted(FAULTS), action="append", help="these faults; repeatable", metavar="F")
    parser.add_argument("--report", type=Path, help="write the outcome to this file as JSON, after every fault")
    parser.add_argument("--keep", type=Path, help="leave the colony's files, but etcd's data, in this directory")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Play them. Raises :class:`LabError` for a violation, and for a colony that does not become whole."""
    count = options.faults or (6 if run.quick else 40)
    settings = f"{NODES} nodes, council of {SEATS}, {CLIENTS} clients"
    report = Report(bench="chaos", settings=settings, started=time.time(), seed=options.seed)
    lab = NetLab(NODES, seats=SEATS, quota_mib=chaos_council.QUOTA_MIB)
    if not await played(run, report, lab, options, lambda tally: _Play(run, lab, tally, options).through(count)):
        return
    raise_for_violations(report)
    run.say("linearizable: no accepted write is lost, and none was accepted against its precondition")


def shuffled(wanted: list[str], dice: random.Random) -> Iterator[str]:
    """Without end; each comes as often as the others, in an order that changes."""
    while True:
        dice.shuffle(wanted)
        yield from wanted


class _Play:
    """One run."""

    def __init__(self, run: Run, lab: NetLab, tally: Tally, options: argparse.Namespace) -> None:
        self._run, self._lab, self._tally, self._options = run, lab, tally, options
        self._dice = random.Random(options.seed)
        self._clients = Clients(lab, CLIENTS, options.seed)
        self._term = 0

    async def through(self, count: int) -> None:
        """All faults."""
        self._run.say(f"founding a colony of {NODES}, with a council of {SEATS}")
        await self._lab.form()
        await self._lab.wait_ready(NODES, WHOLE_S)
        await self._lab.wait_serving()
        await chaos_council.wish(self._lab)
        await self._clients.start()
        self._tally.began = time.monotonic()
        names = shuffled(sorted(self._options.only or FAULTS), self._dice)
        left_out: set[str] = set()
        try:
            self._term = (await self._lab.queen())["term"]
            for number in range(1, count + 1):
                name = next(name for name in names if name not in left_out)
                try:
                    await self._one(f"{number}/{count}", name)
                except Unavailable as why:
                    left_out.add(name)
                    self._run.skip(name, str(why))
                if self._options.report and number % 5 == 0:
                    self._tally.finish().write(self._options.report)
        finally:
            await self._clients.stop()

    async def _one(self, number: str, name: str) -> None:
        lab, tally = self._lab, self._tally
        await asyncio.sleep(QUIET_S)
        scene = await self._scene()
        began = tally.now()
        async with FAULTS[name](scene):
            pass
        until = tally.now()
        await lab.wait_ready(NODES, WHOLE_S)
        await lab.wait_whole(WHOLE_S)
        await lab.wait_serving(WHOLE_S)
        self._clients.workload.check()
        lost = len(self._clients.kept.lost)
        window = await self._clients.workload.cut()  # somebody who reigns read for it
        term, self._term = self._term, (await lab.queen(WHOLE_S))["term"]
        ended = tally.now()
        tally.wrote(one.at for one in window.accepted)
        mark = Mark(
            kind=name,
            at=began,
            until=until,
            gap=tally.longest_gap(began, ended),
            whole_s=ended - until,
            term=term,
            new_term=self._term,
            load=load(),
            queen=scene.queen,
            struck=scene.struck,
            violation=await judge(self._run, tally.report, f"fault {number}", window),
            lost_writes=len(self._clients.kept.lost) - lost,
        )
        tally.report.lost_writes = list(self._clients.kept.lost)
        tally.report.marks.append(mark)
        tally.report.load.append(mark.load)
        whom = f" ({', '.join(mark.struck)})" if mark.struck else ""
        after = f"term {term} -> {self._term}, whole {mark.whole_s:.1f} s after it, load {mark.load}"
        self._run.say(f"{number} {name}{whom}: {mark.gap:.2f} s without a write, {after}")

    async def _scene(self) -> Scene:
        """Whoever reigns has to be who reigned when the last fault was over."""
        lab, tally = self._lab, self._tally
        queen = await lab.queen()
        if queen["term"] != self._term:
            change = Change(
                at=tally.now(), term=self._term, new_term=queen["term"], why=await why_ended(lab, self._term)
            )
            tally.report.false_failovers.append(change)
            self._run.say(f"term {self._term} ended while nothing was wrong: {'; '.join(change.why)}")
            self._term = queen["term"]
        seats = await lab.members()
        leader = next((seat["name"] for seat in seats if seat["leads"]), queen["name"])
        return Scene(lab, queen["name"], sorted(seat["name"] for seat in seats), leader, self._dice, [])


async def judge(run: Run, report: Report, when: str, window: Window) -> bool:
    """Count what the clients saw, and say whether it has no order."""
    report.operations += len(window.history)
    report.accepted += len(window.accepted)
    report.refused += sum(one.outcome == "refused" for one in window.history)
    report.unknown += sum(one.outcome == "unknown" for one in window.history)
    if not await asyncio.to_thread(violation, window.history, window.first):
        return False
    least = list(smallest(window.history, window.first))[:20]
    report.violations.append(f"{when}: not linearizable: {least}")
    run.say(report.violations[-1])
    return True


async def why_ended(lab: NetLab, term: int) -> list[str]:
    """What the colony's history says of the end of ``term`` and of what came then."""
    answer = await lab.ask("GET", "/v1/events?limit=200&type=queen.*", deadline_s=WHOLE_S)
    events = answer.json()["events"] if answer.ok else []
    return [f"{e['type']}: {e['message']}" for e in events if e["term"] >= term and e["type"].startswith("queen.")]
