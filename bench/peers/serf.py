"""Serf agents on loopback: Debian's package, profile lan, one address of 127.1.0.0/16 each.

Who sees whom is read from the agents' own logs (``EventMemberJoin``), which costs them nothing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from aware_agent.ports import free_ports
from bench.peers.tools import program
from bench.processes import Process, clean_environment

_JOINED = re.compile(rb"EventMemberJoin: (\S+)")


class SerfAgent:
    """One agent and what its log has said so far."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self.process = Process(argv, log, env={**clean_environment(), "GOMAXPROCS": "2"})
        self.seen: set[bytes] = set()
        self._offset = 0

    def look(self) -> int:
        """How many members it knows of, itself included."""
        if self.process.log.exists():
            with self.process.log.open("rb") as log:
                log.seek(self._offset)
                text = log.read()
            whole = text.rfind(b"\n") + 1
            self._offset += whole
            self.seen.update(_JOINED.findall(text[:whole]))
        return len(self.seen)


class Serf:
    """``count`` agents; the others join the first."""

    def __init__(self, count: int) -> None:
        binary = program("serf", "serf")
        self.version = _version(binary)
        self._directory = Path(tempfile.mkdtemp(prefix="aware-bench-serf-"))
        bind, rpc = free_ports(2)
        self.agents: list[SerfAgent] = []
        for number in range(count):
            address = f"127.1.{(number + 1) // 250}.{(number + 1) % 250 + 1}"
            argv = [binary, "agent", f"-node=n{number}", f"-bind={address}:{bind}", f"-rpc-addr={address}:{rpc}"]
            argv += ["-profile=lan", "-log-level=info"]
            argv += [f"-join={self._first(bind)}"] if number else []
            self.agents.append(SerfAgent(argv, self._directory / f"{number}.log"))

    def __enter__(self) -> Serf:
        """Nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill all."""
        for agent in self.agents:
            agent.process.kill_soon()
        for agent in self.agents:
            agent.process.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> tuple[float, float]:
        """Start all, the first a little earlier; returns when the second was started and when the last was."""
        self.agents[0].process.start()
        end = time.monotonic() + 10
        while not self.agents[0].look() and time.monotonic() < end:
            time.sleep(0.02)
        first = time.monotonic()
        for agent in self.agents[1:]:
            agent.process.start()
        return first, time.monotonic()

    def wait_complete(self, limit_s: float) -> float:
        """The moment (monotonic) every agent knew every other. Raises RuntimeError after ``limit_s``."""
        end = time.monotonic() + limit_s
        waiting = list(self.agents)
        while waiting:
            waiting = [agent for agent in waiting if agent.look() < len(self.agents)]
            if waiting and time.monotonic() > end:
                raise RuntimeError(
                    f"{len(waiting)} of {len(self.agents)} Serf agents miss members: {self._tail(waiting)}"
                )
            time.sleep(0.02)
        return time.monotonic()

    def _first(self, port: int) -> str:
        return f"127.1.0.2:{port}"

    def _tail(self, agents: list[SerfAgent]) -> str:
        return agents[0].process.tail(1)


def _version(binary: str) -> str:
    """What Debian's packaging says, where there is dpkg: the program itself says 0.8.2-dev."""
    try:
        argv = ["dpkg-query", "-W", "-f=${Version}", "serf"]
        said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        said = subprocess.run([binary, "version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return said.strip()
