"""What a crowd of strangers costs those who are known: p99 of a write while connections load the public pages.

The crowd is in a process of its own and comes from several addresses, so that no one source's limit keeps it out. Both
figures are of one run; each counts the changes of queen as well, which have to be none.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.harness import Run, percentile
from bench.lab import ROOT, Lab, LabError
from bench.processes import Process, clean_environment

CONNECTIONS = 1000
EACH = 200  # of one source: below what the settings allow
WRITES = 200
PAGES = ("/metrics", "/openapi.json")


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Options of this benchmark."""
    group.add_argument("--connections", type=int, default=CONNECTIONS, help="how large the crowd is")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Idle, then with the crowd, then again idle."""
    writes = 40 if run.quick else WRITES
    connections = min(options.connections, 300) if run.quick else options.connections
    async with Lab(3) as lab:
        await lab.form()
        term = (await lab.queen())["term"]
        idle = await _writes(lab, writes)
        sources = [f"127.0.0.{2 + number}" for number in range(-(-connections // EACH))]
        crowd = await gather_crowd(lab, [(await lab.queen())["url"]], connections, sources)
        try:
            loaded = await _writes(lab, writes)
        finally:
            crowd.kill()
        changes = int((await lab.queen())["term"] != term)
    name, label = "a write, nobody else there", f"a write, {connections} strangers at the public pages"
    settings = f"3 nodes, {writes} writes one after the other, {connections} connections in a closed loop, TLS"
    for part, unit in ((50, "ms p50"), (99, "ms p99")):
        run.record(name, [percentile(idle, part)], unit=unit, kind="floor", settings=settings)
        run.record(label, [percentile(loaded, part)], unit=unit, kind="aware", settings=settings, against=[name])
    run.record("changes of queen under the crowd", [changes], unit="changes", kind="aware", settings=settings)


async def _writes(lab: Lab, count: int) -> list[float]:
    """Milliseconds of ``count`` accepted writes."""
    taken = []
    for number in range(count):
        began = time.perf_counter()
        answer = await lab.ask("PUT", "/v1/nodes/lab-2/config", {"config": {"vars": {"n": number}}}, deadline_s=60)
        if not answer.ok:
            raise LabError(f"a write was answered {answer.status}: {answer.body[:200]!r}")
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.01)
    return taken


async def gather_crowd(
    lab: Lab, urls: Sequence[str], connections: int, sources: Sequence[str], timeout_s: float = 120.0
) -> Process:
    """The crowd, when all of it is inside: at all ``urls``, from all ``sources``, back whenever it was cut off."""
    ca = next(iter(lab.agents.values())).state_dir / "ca.crt"
    argv = [sys.executable, "-m", "bench.crowd", str(ca), str(connections), ",".join(sources), *urls]
    log = lab.directory / "crowd.log"
    log.unlink(missing_ok=True)
    crowd = Process(argv, log, cwd=ROOT, env=clean_environment())
    crowd.start()
    try:
        async with asyncio.timeout(timeout_s):
            while "all are in" not in crowd.tail(1):
                if not crowd.running:
                    raise LabError(f"the crowd went: {crowd.tail()}")
                await asyncio.sleep(0.1)
    except BaseException:
        crowd.kill()
        raise
    return crowd


async def _crowd(urls: Sequence[str], ca: Path, connections: int, sources: Sequence[str]) -> None:
    tls = ssl.create_default_context(cafile=str(ca))
    inside: set[int] = set()
    entering = asyncio.Semaphore(16)

    async def stay(number: int) -> None:
        host, port = urls[number % len(urls)].removeprefix("https://").rsplit(":", 1)
        local = (sources[number % len(sources)], 0)
        request = f"GET {PAGES[number // len(urls) % len(PAGES)]} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        async with entering:
            reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, local_addr=local)
        inside.add(number)
        try:
            while True:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        finally:
            writer.transport.abort()

    async def come_again(number: int) -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, IndexError, ValueError):
                await stay(number)
            await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(come_again(number)) for number in range(connections)]
    while len(inside) < connections:
        await asyncio.sleep(0.05)
    print("all are in", flush=True)
    await asyncio.gather(*tasks)


def _main() -> None:
    import uvloop

    ca, connections, sources, *urls = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_crowd(urls, Path(ca), int(connections), sources.split(",")))


if __name__ == "__main__":
    _main()
