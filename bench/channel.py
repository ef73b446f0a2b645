"""What it costs a council member to hold many channels, beside a bare ``websockets`` echo server that holds as many."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from aware_agent.colony.ids import ulid
from aware_agent.security import pki
from bench.channel_ends import BEAT_S, COUNCIL
from bench.harness import Run
from bench.measure import cpu_seconds, pss_mib

_FLOOR = "bare websockets echo"
_SETTLE_S = 6.0
_PROCESSES = 4


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--channels", type=int, default=1000, help="how many channels (default 1000)")
    parser.add_argument("--seconds", type=float, default=0, help="length of the window (default 30, quick 15)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """First the floor, then ours: each alone on the machine, with the same certificates, pace and clients."""
    seconds = options.seconds or (15 if run.quick else 30)
    with tempfile.TemporaryDirectory(prefix="aware-bench-") as name:
        directory = Path(name)
        ids = [ulid(1.7e9 + number, number.to_bytes(10, "big")) for number in range(options.channels)]
        run.say(f"{len(ids)} certificates")
        await asyncio.to_thread(_make_papers, directory, ids)
        settings = f"{len(ids)} channels, a heartbeat each every {BEAT_S:g} s, {seconds:g} s"
        for what, kind, server, client in (
            (_FLOOR, "floor", "echo", "talkers"),
            ("AWARE channels", "aware", "member", "nodes"),
        ):
            run.say(what)
            cpu, more, whole = await _one(directory, ids, server, client, seconds)
            against = [_FLOOR] if kind == "aware" else []
            run.record(what, [cpu], unit="% of a core", kind=kind, settings=settings, against=against)  # type: ignore[arg-type]
            run.record(what, [more], unit="MiB more", kind=kind, settings=settings, against=against)  # type: ignore[arg-type]
            run.record(what, [whole], unit="MiB PSS", kind=kind, settings=settings, against=against)  # type: ignore[arg-type]


def _make_papers(directory: Path, ids: Sequence[str]) -> None:
    now = time.time()
    authority = pki.create_ca("bench", now)
    (directory / "ca.crt").write_bytes(authority.certificate)
    key = pki.make_key()  # one for all: making keys is not what is measured
    for name in ["member", *ids]:
        sans = [COUNCIL] if name == "member" else []
        pair = pki.issue(authority, key, common_name=name, sans=sans, now=now)
        (directory / f"{name}.crt").write_bytes(pair.certificate)
        (directory / f"{name}.key").write_bytes(pair.key)


async def _one(
    directory: Path, ids: Sequence[str], server: str, client: str, seconds: float
) -> tuple[float, float, float]:
    """Percent of a core, MiB that the channels added, and MiB in all, of the process ``server``."""
    async with contextlib.AsyncExitStack() as stack:
        end = await stack.enter_async_context(_process(server, str(directory)))
        port = (await _line(end)).strip()
        empty = pss_mib(end.pid)
        share = -(-len(ids) // _PROCESSES)
        holders = [
            await stack.enter_async_context(_process(client, str(directory), port, *ids[start : start + share]))
            for start in range(0, len(ids), share)
        ]
        for holder in holders:
            assert await _line(holder) == "open\n"
        await asyncio.sleep(_SETTLE_S)
        before = cpu_seconds(end.pid)
        await asyncio.sleep(seconds)
        spent = cpu_seconds(end.pid) - before
        whole = pss_mib(end.pid)
        assert end.stdin
        end.stdin.close()
        held = (await _line(end)).split()
        assert held == [str(len(ids)), "0"], f"{held[0]} channels were held, {held[1]} of them silent"
    return spent / seconds * 100, whole - empty, whole


@contextlib.asynccontextmanager
async def _process(*argv: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.channel_ends", *argv, stdin=pipe, stdout=pipe
    )
    try:
        yield process
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    async with asyncio.timeout(180):
        return (await process.stdout.readline()).decode()
