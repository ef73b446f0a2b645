"""ZooKeeper as Debian packages it, one server, and two candidates of kazoo's election recipe.

Settings are defaults: tickTime 2 s, sessions of 10 s (kazoo's). The holder is killed (-9); measured until the other one
leads. It is optional: ``apt install zookeeper`` and ``pip install kazoo``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aware_agent.ports import free_port
from bench.harness import Unavailable
from bench.peers.tools import program
from bench.processes import Process, clean_environment

if TYPE_CHECKING:
    from bench.harness import Run

_JARS = "/usr/share/java/zookeeper.jar:/etc/zookeeper/conf:/usr/share/zookeeper/lib/*"
_SERVER = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
_LIMIT_S = 60.0


async def measure(run: Run, what: str, count: int) -> None:
    """Record the seconds from the kill of the holder until the other one leads."""
    if importlib.util.find_spec("kazoo") is None:
        raise Unavailable("kazoo is not installed (PyPI package kazoo)")
    java = program("java", "default-jre-headless")
    if not Path("/usr/share/java/zookeeper.jar").exists():
        raise Unavailable("ZooKeeper is not installed (Debian package zookeeper)")
    values = await asyncio.to_thread(_measure, run, what, java, count)
    run.record(what, values, unit="s", kind="peer", settings="kazoo's election, session 10 s, tickTime 2 s (defaults)")


def _measure(run: Run, what: str, java: str, count: int) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="aware-bench-zk-") as name:
        directory = Path(name)
        port = free_port()
        config = directory / "zoo.cfg"
        address = f"clientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
        config.write_text(f"tickTime=2000\ndataDir={directory / 'data'}\n{address}")
        argv = [java, "-Xmx256m", "-cp", _JARS, _SERVER, str(config)]
        server = Process(argv, directory / "server.log", env=clean_environment())
        candidates = [_candidate(directory, port, number) for number in (0, 1)]
        server.start()
        try:
            return [_kill_once(run, what, candidates, number, count) for number in range(count)]
        finally:
            for process in (*candidates, server):
                process.kill()


def _kill_once(run: Run, what: str, candidates: list[Process], number: int, count: int) -> float:
    for candidate in candidates:
        candidate.log.write_text("")
        candidate.start()
        _until(lambda candidate=candidate: "candidate" in candidate.tail(9), candidates)  # type: ignore[misc]
    _until(lambda: any("leads" in candidate.tail(9) for candidate in candidates), candidates)
    holder = next(candidate for candidate in candidates if "leads" in candidate.tail(9))
    other = next(candidate for candidate in candidates if candidate is not holder)
    time.sleep(2 + random.uniform(0, 5))
    start = time.monotonic()
    holder.kill()
    _until(lambda: "leads" in other.tail(9), candidates)
    seconds = float(other.tail(1).split()[1]) - start
    other.kill()
    run.say(f"{what} {number + 1}/{count}: {seconds:.2f} s")
    return seconds


def _candidate(directory: Path, port: int, number: int) -> Process:
    from bench.lab import ROOT

    argv = [sys.executable, "-m", "bench.peers.zookeeper", f"127.0.0.1:{port}", str(number)]
    return Process(argv, directory / f"candidate{number}.log", cwd=ROOT, env=clean_environment())


def _until(condition: Callable[[], bool], candidates: list[Process]) -> None:
    end = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("nobody leads: " + " | ".join(candidate.tail(3) for candidate in candidates))
        time.sleep(0.02)


def _run(hosts: str, name: str) -> None:
    from kazoo.client import KazooClient  # type: ignore[import-not-found, import-untyped, unused-ignore]

    client = KazooClient(hosts=hosts)
    client.start(timeout=_LIMIT_S)
    print("candidate", flush=True)

    def lead() -> None:
        print("leads", time.monotonic(), flush=True)
        time.sleep(3600)

    client.Election("/bench/election", name).run(lead)


if __name__ == "__main__":
    _run(*sys.argv[1:])
