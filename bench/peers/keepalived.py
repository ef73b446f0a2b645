"""keepalived: VRRP with its default advertisement interval of 1 s, or a shorter one, in namespaces of our own.

Three routers, a client in a fourth namespace that sends a UDP datagram to the virtual address every 2 ms. The master's
VRRP process is killed before its parent (which otherwise lets it say good-bye), and its cable is pulled, because the
address stays on a dead master's interface. Measured until another router answers the client.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import children
from bench.peers.netns import Net
from bench.peers.tools import program
from bench.processes import Process, clean_environment

if TYPE_CHECKING:
    from bench.harness import Run

_ROUTERS, _CLIENT = 3, 3
_VIP, _PORT = "10.231.0.100", 9000
_LIMIT_S = 20.0
_CONFIG = """global_defs {{
  vrrp_garp_master_refresh 0
  vrrp_version 3
}}
vrrp_instance bench {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int {advert_s}
  virtual_ipaddress {{
    {vip}/24
  }}
}}
"""


async def measure(run: Run, what: str, count: int, advert_s: float = 1.0) -> None:
    """Record the seconds from the kill to the first answer of another router. ``advert_s``: between advertisements."""
    binary = program("keepalived", "keepalived")
    values = await asyncio.to_thread(_measure, run, what, binary, count, advert_s)
    interval = "1 s (default)" if advert_s == 1 else f"{advert_s:g} s"
    run.record(what, values, unit="s", kind="peer", settings=f"advert_int {interval}, 3 routers, client reaches VIP")


def _measure(run: Run, what: str, binary: str, count: int, advert_s: float) -> list[float]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aware-bench-vrrp-")))
        net = stack.enter_context(Net(_ROUTERS + 1))
        routers = [_Router(net, number, binary, directory, advert_s) for number in range(_ROUTERS)]
        client = _helper(net, _CLIENT, directory, "client")
        stack.callback(client.kill)
        for router in routers:
            stack.callback(router.kill)
            router.start()
        client.start()
        values: list[float] = []
        for number in range(count):
            values.append(_kill_once(net, routers, client))
            run.say(f"{what} {number + 1}/{count}: {values[-1]:.3f} s")
        return values


def _kill_once(net: Net, routers: list[_Router], client: Process) -> float:
    _wait(lambda: _last(client)[1] == 0)  # router 0 has the highest priority: it takes the address back each time
    time.sleep(1.5 + random.uniform(0, 1))
    start = time.monotonic()
    routers[0].kill_service()
    net.cable(0, plugged=False)
    _wait(lambda: _last(client)[1] != 0)
    seconds = _last(client)[0] - start
    net.cable(0, plugged=True)
    routers[0].start_service()
    return seconds


class _Router:
    """keepalived and a UDP server that answers with the router's number."""

    def __init__(self, net: Net, number: int, binary: str, directory: Path, advert_s: float) -> None:
        config = directory / f"{number}.conf"
        config.write_text(_CONFIG.format(priority=150 - 10 * number, vip=_VIP, advert_s=f"{advert_s:g}"))
        kinds = ("pid", "vrrp_pid", "checkers_pid")
        self._pid_files = [directory / f"{number}.{kind}" for kind in kinds]
        pids = [f"--{kind}={file}" for kind, file in zip(kinds, self._pid_files, strict=True)]
        argv = [binary, "--dont-fork", "--vrrp", "--log-console", f"--use-file={config}", *pids]
        self._server = _helper(net, number, directory, str(number))
        self._service = Process(argv, directory / f"{number}.log", prefix=net.prefix(number))

    def start(self) -> None:
        """Both."""
        self._server.start()
        self.start_service()

    def start_service(self) -> None:
        """keepalived. What was killed left its files, and may not be buried yet: it would not start beside that."""
        for file in self._pid_files:
            file.unlink(missing_ok=True)
        self._service.start()

    def kill_service(self) -> None:
        """Child first, then parent."""
        for child in children(self._service.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._service.kill()

    def kill(self) -> None:
        """Everything, if it runs."""
        if self._service.running:
            self.kill_service()
        self._server.kill()


def _helper(net: Net, host: int, directory: Path, role: str) -> Process:
    """A helper process on ``host``. Its output is its log."""
    from bench.lab import ROOT

    argv = [sys.executable, "-m", "bench.peers.keepalived", role]
    return Process(argv, directory / f"helper-{role}.log", cwd=ROOT, env=clean_environment(), prefix=net.prefix(host))


def _last(client: Process) -> tuple[float, int]:
    """When the client last heard a new router, and which."""
    lines = client.tail(1).split()
    return (float(lines[0]), int(lines[1])) if len(lines) == 2 else (0.0, -1)


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("the virtual address did not move")
        time.sleep(0.02)


def _serve(number: str) -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", _PORT))
    while True:
        _, source = server.recvfrom(64)
        with suppress(OSError):
            server.sendto(number.encode(), source)


def _probe() -> None:
    """Print the monotonic time and the router whenever another one answers."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(0.002)
    last = b""
    while True:
        with suppress(OSError):
            client.sendto(b"?", (_VIP, _PORT))
            said = client.recv(64)
            if said != last:
                last = said
                print(time.monotonic(), said.decode(), flush=True)
        time.sleep(0.002)


if __name__ == "__main__":
    _probe() if sys.argv[1] == "client" else _serve(sys.argv[1])
