"""What a quiet agent costs: memory (PSS, so that shared pages count once) and CPU time, beside Serf's agent."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.harness import Run
from bench.lab import Lab
from bench.measure import cpu_seconds, pss_mib
from bench.peers.serf import Serf

NODES = 5
WORKERS = 2
_SETTLE_S = 8.0  # fast beacons after the start and the queen's first work are over by then
_SERF = "Serf agent"
_FORMER = "member that was heir before"
_GATEWAY = "gateway"
_WORKER = "worker"


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--seconds", type=float, default=0, help="length of the quiet window (default 60, quick 20)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Both run at the same time, so that they meet the same machine."""
    seconds = options.seconds or (20 if run.quick else 60)
    with contextlib.ExitStack() as stack:
        peers: list[int] = []

        async def start_serf() -> None:
            serf = stack.enter_context(Serf(NODES))
            serf.start()
            await asyncio.to_thread(serf.wait_complete, 60)
            peers.extend(agent.process.pid for agent in serf.agents)
            run.say(f"Serf {serf.version} runs")

        await run.peer(_SERF, start_serf)
        async with Lab(nodes=NODES - WORKERS) as lab:
            await lab.form()
            await _add_workers(lab)
            queen = await lab.queen()
            roles = {queen["name"]: "queen", queen["heir"]["name"]: "heir"}
            ours = {agent.pid: roles.get(name, "member") for name, agent in lab.agents.items()}
            ours |= {agent.pid: _WORKER for name, agent in lab.agents.items() if name.startswith(_WORKER)}
            ours |= {a.gateway_pid: _GATEWAY for name, a in lab.agents.items() if not name.startswith(_WORKER)}
            run.say(f"quiet for {_SETTLE_S:g} + {seconds:g} s")
            await asyncio.sleep(_SETTLE_S)
            before = {pid: cpu_seconds(pid) for pid in [*peers, *ours]}
            await asyncio.sleep(seconds)
            spent = {pid: (cpu_seconds(pid) - start) * 60 / seconds for pid, start in before.items()}
            memory = {pid: pss_mib(pid) for pid in before}
            ours = {pid: _former_heir(pid) if role == "member" else role for pid, role in ours.items()}
            assert (await lab.queen())["term"] == queen["term"], "the queen changed; the window was not quiet"
    _record(run, peers, ours, spent, memory, f"{NODES} nodes, {seconds:g} s")


async def _add_workers(lab: Lab) -> None:
    token = await lab.make_token(uses=WORKERS)
    for number in range(1, WORKERS + 1):
        lab.add_agent(f"{_WORKER}-{number}", token_file=str(token)).start()
    await lab.wait_ready(NODES)


def _former_heir(pid: int) -> str:
    """Tell members apart: one that was heir for a while, as the colony formed, has loaded what signs and seals."""
    return _FORMER if "cryptography" in Path(f"/proc/{pid}/maps").read_text() else "member"


def _record(
    run: Run,
    peers: list[int],
    ours: Mapping[int, str],
    spent: dict[int, float],
    memory: dict[int, float],
    settings: str,
) -> None:
    for unit, values in (("MiB PSS", memory), ("CPU s/min", spent)):
        if peers:
            run.record(_SERF, [values[pid] for pid in peers], unit=unit, kind="peer", settings=settings)
        for role in (_WORKER, "member", _FORMER, "heir", "queen", _GATEWAY):
            found = [values[pid] for pid, its in ours.items() if its == role]
            if not found:
                continue
            run.record(f"AWARE {role}", found, unit=unit, kind="aware", settings=settings, against=[_SERF])
