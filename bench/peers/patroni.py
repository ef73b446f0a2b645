"""Patroni as Debian packages it, with PostgreSQL, on an etcd of its own.

Settings are its defaults: ttl 30, loop_wait 10, retry_timeout 10.

The leader's Patroni and its PostgreSQL are killed (-9). Measured until the other node answers ``GET /primary`` with 200
and until the first INSERT is committed there. PostgreSQL refuses to run as root: then both run as user ``postgres``.
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aware_agent.ports import free_ports
from aware_agent.store.embedded import EmbeddedEtcd
from bench.harness import Unavailable
from bench.peers.tools import program
from bench.processes import Process, clean_environment

if TYPE_CHECKING:
    from bench.harness import Run

_NODES = 2
_LIMIT_S = 120.0
_CONFIG = """scope: bench
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{host: "{etcd}"}}
bootstrap:
  dcs: {{ttl: 30, loop_wait: 10, retry_timeout: 10, maximum_lag_on_failover: 1048576}}
  initdb: [{{encoding: UTF8}}, {{auth: trust}}]
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {data}
  bin_dir: {bin}
  pgpass: {data}.pgpass
  authentication:
    superuser: {{username: postgres, password: bench}}
    replication: {{username: replicator, password: bench}}
  parameters: {{unix_socket_directories: "{sockets}", fsync: "off"}}
"""


async def measure(run: Run, what: str, count: int) -> None:
    """Record both for ``count`` kills."""
    patroni = program("patroni", "patroni")
    bin_dir = _postgres()
    with tempfile.TemporaryDirectory(prefix="aware-bench-pg-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        prefix = _as_postgres(directory)
        async with EmbeddedEtcd(1, extra=["--enable-grpc-gateway=true", "--enable-v2=true"]) as etcd:
            nodes = [_Node(number, directory, patroni, bin_dir, etcd.endpoints[0], prefix) for number in range(_NODES)]
            try:
                primary, written = await asyncio.to_thread(_measure, run, what, nodes, count)
            finally:
                for node in nodes:
                    node.kill()
    version = subprocess.run([patroni, "--version"], capture_output=True, text=True, check=False).stdout.split()[-1]
    settings = f"{version}, ttl 30, loop_wait 10 (defaults), {_NODES} nodes"
    run.record(what, written, unit="s", kind="peer", settings=f"{settings}, first committed INSERT")
    run.record(f"{what}: GET /primary", primary, unit="s", kind="peer", settings=settings)


def _measure(run: Run, what: str, nodes: list[_Node], count: int) -> tuple[list[float], list[float]]:
    nodes[0].start()
    _until(lambda: nodes[0].says("/primary"), nodes)
    for node in nodes[1:]:
        node.start()
    primary: list[float] = []
    written: list[float] = []
    for number in range(count):
        leader, other = _pair(nodes)
        _until(functools.partial(other.says, "/replica"), nodes)
        time.sleep(2 + random.uniform(0, 10))
        start = time.monotonic()
        leader.kill()
        _until(functools.partial(other.says, "/primary"), nodes, 0.02)
        primary.append(time.monotonic() - start)
        _until(other.insert, nodes, 0.02)
        written.append(time.monotonic() - start)
        run.say(f"{what} {number + 1}/{count}: {written[-1]:.1f} s")
        if number + 1 < count:
            leader.start()
    return primary, written


def _pair(nodes: list[_Node]) -> tuple[_Node, _Node]:
    """Leader and another."""
    _until(lambda: any(node.says("/primary") for node in nodes), nodes)
    leader = next(node for node in nodes if node.says("/primary"))
    return leader, next(node for node in nodes if node is not leader)


class _Node:
    """One Patroni and its PostgreSQL."""

    def __init__(self, number: int, directory: Path, patroni: str, bin_dir: Path, etcd: str, prefix: list[str]) -> None:
        self._rest, self._port = free_ports(2)
        self._data = directory / f"data{number}"
        self._bin = bin_dir
        config = directory / f"{number}.yml"
        config.write_text(
            _CONFIG.format(
                name=f"pg{number}",
                rest=self._rest,
                etcd=etcd,
                port=self._port,
                data=self._data,
                bin=bin_dir,
                sockets=directory,
            )
        )
        config.chmod(0o644)
        environment = {**clean_environment(), "HOME": str(directory), "LC_ALL": "C.UTF-8"}
        self._process = Process([patroni, str(config)], directory / f"{number}.log", env=environment, prefix=prefix)
        self._process.log.touch(mode=0o666)

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL."""
        self._process.start()

    def kill(self) -> None:
        """``kill -9`` for Patroni and its postmaster; the postmaster's children end when they see it gone."""
        self._process.kill()
        with suppress(OSError, ValueError, IndexError):
            postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
            if "postgres" in Path(f"/proc/{postmaster}/cmdline").read_text():
                os.kill(postmaster, signal.SIGKILL)

    def says(self, path: str) -> bool:
        """Whether its REST API answers 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self._rest, timeout=1)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def insert(self) -> bool:
        """Whether a write is committed."""
        sql = "CREATE TABLE IF NOT EXISTS bench(i int); INSERT INTO bench VALUES (1)"
        argv = [str(self._bin / "psql"), "-qX", "-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres", "-c", sql]
        return subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode == 0

    def tail(self) -> str:
        """Last line of its log."""
        return self._process.tail(2)


def _postgres() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise Unavailable("PostgreSQL is not installed (Debian package postgresql-15)")
    return found[-1].parent


def _as_postgres(directory: Path) -> list[str]:
    """What to put before a command to run it as an ordinary user; the directory is given to that user."""
    if os.geteuid() != 0:
        return []
    setpriv = program("setpriv", "util-linux")
    try:
        shutil.chown(directory, "postgres", "postgres")
    except LookupError:
        raise Unavailable("there is no user postgres to run it as") from None
    return [setpriv, "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _until(condition: Callable[[], bool], nodes: list[_Node], pause_s: float = 0.2) -> None:
    end = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("Patroni got stuck: " + " | ".join(node.tail() for node in nodes))
        time.sleep(pause_s)
