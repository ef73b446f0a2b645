"""Reads of the queen's gateway, a real agent, beside a bare ASGI application that serves the same bytes in the same run.

Bare and ours take turns, so that other work on the machine meets both. CPU per request hardly depends on such work.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from aware_agent.colony.spec import Spec
from aware_agent.store.embedded import free_ports
from bench.harness import Run
from bench.lab import Lab, LabError
from bench.load import Load, load
from bench.measure import cpu_seconds
from bench.peers.bare_asgi import Bare
from bench.population import populate


class Case(NamedTuple):
    """One row of the table: a path, with how many nodes and connections."""

    path: str
    nodes: int
    connections: int


CASES = (
    Case("/v1/inventory", 100, 50),
    Case("/v1/cluster", 1000, 200),
    Case("/v1/nodes", 1000, 200),
    Case("/v1/inventory", 1000, 200),
)


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--seconds", type=float, default=0, help="of each load (default 4, quick 2)")
    parser.add_argument("--repeat", type=int, default=0, help="loads of each row (default 5, quick 3)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Plain HTTP first, then TLS; a colony of its own for each."""
    seconds = options.seconds or (2 if run.quick else 4)
    repeat = options.repeat or (3 if run.quick else 5)
    for tls in (False, True):
        spec = Spec(colony="lab", size=1)
        async with Lab(nodes=1, tls=tls, spec=spec) as lab:
            run.say(f"colony with {'TLS' if tls else 'plain HTTP'}")
            await lab.form()
            present = 1
            for nodes in sorted({case.nodes for case in CASES}):
                async with lab.etcd_client() as client:
                    await populate(client, lab.keys, nodes - present, first=present)
                present = nodes
                await lab.wait_ready(nodes)
                await _measure_cases(run, lab, [c for c in CASES if c.nodes == nodes], tls, seconds, repeat)


async def _measure_cases(run: Run, lab: Lab, cases: Sequence[Case], tls: bool, seconds: float, repeat: int) -> None:
    queen = lab.agents["lab-1"]
    bodies = {case.path: (await lab.ask("GET", case.path)).body for case in cases}
    bare = Bare(lab, bodies, free_ports(1)[0], tls=tls)
    bare.process.start()
    try:
        await _wait_for(bare)
        client = await lab.admin()
        headers = {"Authorization": f"Bearer {client.token}"}
        for case in cases:
            ours: list[tuple[Load, float]] = []
            floor: list[tuple[Load, float]] = []
            for _ in range(repeat):
                floor.append(await _load(bare.url, bare.process.pid, case, seconds, {}))
                ours.append(await _load(queen.url, queen.pid, case, seconds, headers))
            _record(run, case, tls, len(bodies[case.path]), floor, ours)
    finally:
        bare.process.kill()


async def _wait_for(bare: Bare) -> None:
    host, port = bare.url.rpartition("/")[2].split(":")
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.02)
    raise LabError(f"the bare application does not start: {bare.process.tail()}")


async def _load(url: str, pid: int, case: Case, seconds: float, headers: dict[str, str]) -> tuple[Load, float]:
    """The load and the server's CPU microseconds per request."""
    before = cpu_seconds(pid)
    outcome = await load(url + case.path, connections=case.connections, seconds=seconds, headers=headers)
    if not outcome.requests or outcome.errors:
        raise LabError(f"{url}{case.path}: {outcome.errors} errors in {outcome.requests} requests")
    return outcome, (cpu_seconds(pid) - before) / outcome.requests * 1e6


def _record(
    run: Run,
    case: Case,
    tls: bool,
    size: int,
    floor: list[tuple[Load, float]],
    ours: list[tuple[Load, float]],
) -> None:
    label = f"{case.path}, {case.nodes} nodes, {case.connections} connections, {'TLS' if tls else 'HTTP'}"
    settings = f"{size:,} bytes, {ours[0][0].tool}"
    for unit, pick in (
        ("req/s", lambda pair: pair[0].rate),
        ("ms p50", lambda pair: pair[0].p50),
        ("ms p95", lambda pair: pair[0].p95),
        ("ms p99", lambda pair: pair[0].p99),
        ("CPU us/req", lambda pair: pair[1]),
    ):
        name = f"bare ASGI: {label}"
        run.record(name, [pick(pair) for pair in floor], unit=unit, kind="floor", settings=settings)
        run.record(label, [pick(pair) for pair in ours], unit=unit, kind="aware", settings=settings, against=[name])
