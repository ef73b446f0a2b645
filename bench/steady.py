"""A colony in bad weather for a long time: packets are lost, processors are scarce, strangers load every gateway.

Nothing falls and nobody is cut off, so no reign has to end. Each one that does is told with what the members' journals
say of it. Five nodes, three of them in the council, each a host of one network; three clients write all the time, and
what they saw is judged as in ``bench chaos``. What is lost, and where, is told by the settings of the report: what
agents send each other (channels, gateways, beacons) and what members of etcd send each other are lost separately,
because etcd keeps no leader where three of ten of its packets are lost. Clients and strangers lose nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aware_agent.store import rpc
from bench.chaos import CLIENTS, NODES, SEATS, judge, why_ended
from bench.chaos_clients import Clients
from bench.chaos_faults import WHOLE_S
from bench.chaos_report import Change, Report, Tally, load
from bench.control_groups import processor_share
from bench.crowd import gather_crowd
from bench.harness import Run
from bench.lab import LabError
from bench.measure import descendants
from bench.net_lab import NetLab
from bench.played import played, raise_for_violations
from bench.processes import Process

LOOK_S = 10.0
SUSPECTED = "I suspect the queen"
_TELLING = re.compile(r"suspect|depose|lease|there is no queen|is queen of|hand term|behind myself|etcd (is|has)")
_WORDS = 14  # lines of the journals that explain one change


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--minutes", type=float, default=0, help="how long (default 10, quick 1)")
    parser.add_argument("--loss", type=int, default=30, help="of a hundred packets between agents, so many are lost")
    parser.add_argument("--etcd-loss", type=int, default=10, help="and of those between members of etcd")
    parser.add_argument("--starve", action="store_true", help="every host has a share of one core")
    parser.add_argument("--share", type=float, default=0.4, help="how large that share is")
    parser.add_argument("--strangers", type=int, default=300, help="who load all gateways; 0: nobody")
    parser.add_argument("--seed", type=int, default=1, help="what the clients do")
    parser.add_argument("--report", type=Path, help="write the outcome to this file as JSON, every minute")
    parser.add_argument("--keep", type=Path, help="leave the colony's files in this directory")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Play it. Raises :class:`LabError` for a violation."""
    minutes = options.minutes or (1 if run.quick else 10)
    starved = f"{options.share:g} of a core for each host" if options.starve else "no limit of processors"
    settings = (
        f"{NODES} nodes, council of {SEATS}; lost: {options.loss} % of the packets between agents (channels, gateways, "
        f"beacons), {options.etcd_loss} % between members of etcd; {starved}; {options.strangers} strangers "
        "at all gateways"
    )
    report = Report(bench="steady", settings=settings, started=time.time(), seed=options.seed)
    lab = NetLab(NODES, seats=SEATS)

    seconds = 60 * minutes
    if not await played(run, report, lab, options, lambda tally: _Weather(run, lab, tally, options).through(seconds)):
        return
    run.record("reigns that ended", [len(report.false_failovers)], unit="reigns", kind="aware", settings=settings)
    run.say(f"{report.suspicions} times a member suspected the queen, {report.etcd_elections} elections of etcd")
    raise_for_violations(report)


class _Weather:
    """One run."""

    def __init__(self, run: Run, lab: NetLab, tally: Tally, options: argparse.Namespace) -> None:
        self._run, self._lab, self._tally, self._options = run, lab, tally, options
        self._clients = Clients(lab, CLIENTS, options.seed)
        self._read: dict[Path, int] = {}  # how far each journal was read
        self._elections = self._raft_term = 0

    async def through(self, seconds: float) -> None:
        """Begin the weather, look every ten seconds, and see the colony whole at the end."""
        lab = self._lab
        self._run.say(f"founding a colony of {NODES}, with a council of {SEATS}")
        await lab.form()
        await lab.wait_ready(NODES, WHOLE_S)
        await lab.wait_serving()
        await self._clients.start()
        with ExitStack() as stack:
            crowd = await self._begin(stack)
            term = (await lab.queen())["term"]
            self._tally.began = time.monotonic()
            self._journals()
            await self._elections_of_etcd()
            try:
                while self._tally.now() < seconds:
                    await asyncio.sleep(LOOK_S)
                    if crowd is not None and not crowd.running:
                        raise LabError(f"the strangers went: {crowd.tail()}")
                    term = await self._look(term)
            finally:
                lab.heal()
                await self._clients.stop()
        await lab.wait_ready(NODES, WHOLE_S)
        await lab.wait_whole(WHOLE_S)

    async def _begin(self, stack: ExitStack) -> Process | None:
        lab, options = self._lab, self._options
        crowd = None
        if options.strangers:
            urls = [agent.url for agent in lab.running()]
            crowd = await gather_crowd(lab, urls, options.strangers, lab.strangers(), WHOLE_S)
            stack.callback(crowd.kill)
        if options.starve:
            for name, agent in lab.agents.items():
                stack.enter_context(processor_share(name, [agent.pid, *descendants(agent.pid)], options.share))
        agents = [a.settings[part]["port"] for a in lab.agents.values() for part in ("channel", "gateway")]
        etcd = [a.settings["council"][port] for a in lab.agents.values() for port in ("client_port", "peer_port")]
        lost = {
            **_of("tcp", agents, options.loss),
            **_of("udp", [lab.discovery_port], options.loss),
            **_of("tcp", etcd, options.etcd_loss),
        }
        lab.lose_of(lab.agents, lost)
        return crowd

    async def _look(self, term: int) -> int:
        """Judge, and explain a change of reign. Returns who reigns now, as a term."""
        lab, tally = self._lab, self._tally
        report = tally.report
        self._clients.workload.check()
        window = await self._clients.workload.cut()
        tally.wrote(one.at for one in window.accepted)
        await judge(self._run, report, f"second {tally.now():.0f}", window)
        report.lost_writes = list(self._clients.kept.lost)
        report.load.append(load())
        now = int((await lab.queen(WHOLE_S))["term"])
        said = self._journals()
        report.suspicions += sum(SUSPECTED in line for line in said)
        elections, self._elections = self._elections, await self._elections_of_etcd()
        report.etcd_elections = self._elections
        if now != term:
            why = [*await why_ended(lab, term), *said[-_WORDS:]]
            if self._elections > elections:
                why.append(f"etcd elected a leader {self._elections - elections} times in these {LOOK_S:g} s")
            report.false_failovers.append(Change(at=tally.now(), term=term, new_term=now, why=why))
            self._run.say(f"{tally.now():.0f} s: term {term} -> {now}\n    " + "\n    ".join(why))
        if len(report.load) % 6 == 0:
            self._run.say(
                f"{tally.now() / 60:.0f} min: {report.accepted} writes, {len(report.false_failovers)} reigns ended, "
                f"{report.suspicions} suspicions, {self._elections} elections of etcd, load {report.load[-1]}"
            )
            if self._options.report:
                tally.finish().write(self._options.report)
        return now

    def _journals(self) -> list[str]:
        """What all agents wrote since the last look that may explain something, in order."""
        found = []
        for name, agent in self._lab.agents.items():
            with agent.log.open(encoding="utf-8", errors="replace") as journal:
                journal.seek(self._read.get(agent.log, 0))
                found += [f"{line.strip()} [{name}]" for line in journal if _TELLING.search(line)]
                self._read[agent.log] = journal.tell()
        return sorted(found)

    async def _elections_of_etcd(self) -> int:
        """How often its members voted since the start, whether for a leader or in vain: their term counts it."""
        seats = sorted(seat["name"] for seat in await self._lab.members(WHOLE_S))
        async with self._lab.member_client(seats[0], seats) as etcd:
            term = int((await etcd.call(rpc.STATUS, rpc.pb.StatusRequest())).raftTerm)
        self._raft_term = self._raft_term or term
        return term - self._raft_term


def _of(protocol: str, ports: list[int], percent: int) -> dict[str, int]:
    """Packets to these ports and from them."""
    numbers = ", ".join(str(port) for port in ports)
    return {f"{protocol} {end} {{ {numbers} }}": percent for end in ("dport", "sport")} if percent else {}
