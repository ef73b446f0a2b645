"""Reads of the queen's gateway, a real agent, beside a bare ASGI application that serves the same bytes.

Bare and ours take turns, so that other work on the machine meets both. CPU per request hardly depends on such work.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any, NamedTuple

from aware_agent.colony.spec import Spec
from aware_agent.ports import free_ports
from bench.harness import Run
from bench.lab import ADDRESS, Lab, LabError
from bench.load import Load, load
from bench.measure import cpu_seconds
from bench.peers.bare_asgi import Bare
from bench.plain_gateway import plain_gateway
from bench.population import populate
from bench.processes import Process


class Case(NamedTuple):
    """One row of the table: a path, with how many nodes and connections."""

    path: str
    nodes: int
    connections: int
    gzip: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries beside the token."""
        return {"Accept-Encoding": "gzip"} if self.gzip else {}


CASES = (
    Case("/v1/inventory", 100, 50),
    Case("/v1/cluster", 1000, 200),
    Case("/v1/nodes", 1000, 200, gzip=True),
    Case("/v1/nodes", 1000, 200),
    Case("/v1/inventory", 1000, 200),
)


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--seconds", type=float, default=0, help="of each load (default 4, quick 2)")
    parser.add_argument("--repeat", type=int, default=0, help="loads of each row (default 5, quick 3)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """One colony; its gateway over TLS in the queen, and over plain HTTP in a process of its own."""
    seconds = options.seconds or (2 if run.quick else 4)
    repeat = options.repeat or (3 if run.quick else 5)
    async with Lab(nodes=1, spec=Spec(colony="lab", size=1)) as lab:
        await lab.form()
        present = 1
        for nodes in sorted({case.nodes for case in CASES}):
            run.say(f"{nodes} nodes")
            async with lab.etcd_client() as client:
                await populate(client, lab.keys, nodes - present, first=present)
            present = nodes
            await lab.wait_ready(nodes)
            for case in (case for case in CASES if case.nodes == nodes):
                await _measure_case(run, lab, case, seconds, repeat)


async def _measure_case(run: Run, lab: Lab, case: Case, seconds: float, repeat: int) -> None:
    ports = free_ports(3)
    await lab.queen()
    body = (await (await lab.admin()).call("GET", case.path, headers=case.headers)).body
    bares = {tls: Bare(lab, {case.path: body}, ports[tls], tls=tls) for tls in (False, True)}
    plain = plain_gateway(lab, ports[2])
    helpers = [plain, *(bare.process for bare in bares.values())]
    try:
        for helper, port in zip(helpers, (ports[2], ports[0], ports[1]), strict=True):
            helper.start()
            await _wait_for(port, helper)
        token = (await lab.admin()).token
        for tls, bare in bares.items():
            queen = lab.agents["lab-1"]
            url, pid = (queen.url, queen.gateway_pid) if tls else (f"http://{ADDRESS}:{ports[2]}", plain.pid)
            ours: list[tuple[Load, float]] = []
            floor: list[tuple[Load, float]] = []
            for _ in range(repeat):
                floor.append(await _load(bare.url, bare.process.pid, case, seconds, {}))
                authorized = {"Authorization": f"Bearer {token}", **case.headers}
                ours.append(await _load(url, pid, case, seconds, authorized))
            _record(run, case, tls, len(body), floor, ours)
    finally:
        for helper in helpers:
            helper.kill()


async def _wait_for(port: int, process: Process) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection(ADDRESS, port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.02)
    raise LabError(f"no server on port {port}: {process.tail()}")


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
    scheme = ("TLS" if tls else "HTTP") + (", gzip" if case.gzip else "")
    label = f"{case.path}, {case.nodes} nodes, {case.connections} connections, {scheme}"
    settings = f"{size:,} bytes{' of gzip' if case.gzip else ''}, {ours[0][0].tool}"
    name = f"bare ASGI: {label}"
    for unit in ("req/s", "ms p50", "ms p95", "ms p99", "CPU us/req"):
        run.record(name, _values(floor, unit), unit=unit, kind="floor", settings=settings)
        run.record(label, _values(ours, unit), unit=unit, kind="aware", settings=settings, against=[name])


def _values(loads: list[tuple[Load, float]], unit: str) -> list[float]:
    match unit:
        case "req/s":
            return [outcome.rate for outcome, _ in loads]
        case "ms p50":
            return [outcome.p50 for outcome, _ in loads]
        case "ms p95":
            return [outcome.p95 for outcome, _ in loads]
        case "ms p99":
            return [outcome.p99 for outcome, _ in loads]
    return [cpu for _, cpu in loads]
