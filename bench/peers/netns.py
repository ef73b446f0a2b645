"""Network namespaces of the benchmark's own: hosts on one bridge, which has one too. Nothing else is touched."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from bench.harness import Unavailable
from bench.late_packets import QUEUE
from bench.peers.tools import need_root, program

_NEW_NET = 0x40000000  # CLONE_NEWNET


class Net:
    """``hosts`` namespaces with eth0 in 10.231.0.0/24; host i has .(i+1)."""

    def __init__(self, hosts: int) -> None:
        need_root("to make network namespaces")
        self._ip = program("ip", "iproute2")
        self._tag = f"awb{os.getpid()}"
        self._switch = f"{self._tag}s"
        self.hosts = [f"{self._tag}h{i}" for i in range(hosts)]
        self._made: list[str] = []

    def __enter__(self) -> Net:
        """Make everything. Raises :class:`Unavailable` where the kernel does not let us."""
        try:
            for name in (self._switch, *self.hosts):
                self._run("netns", "add", name)
                self._made.append(name)
                self._run("-n", name, "link", "set", "lo", "up")
            self._run("-n", self._switch, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
            self._run("-n", self._switch, "link", "set", "br0", "up")
            for number, name in enumerate(self.hosts):
                self._plug(number, name)
        except subprocess.CalledProcessError as error:
            self.__exit__(None, None, None)
            raise Unavailable(f"no network namespaces here: {error.stderr.decode().strip()}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove all namespaces; their links go with them. Processes in them must have ended."""
        for name in self._made:
            subprocess.run([self._ip, "netns", "del", name], capture_output=True, check=False)
        self._made.clear()

    def address(self, host: int) -> str:
        """Address of a host."""
        return f"10.231.0.{host + 1}"

    def prefix(self, host: int) -> list[str]:
        """Put before a command line to run it on ``host``; the process stays a child of ours with its own pid."""
        return [self._ip, "netns", "exec", self.hosts[host]]

    def cable(self, host: int, *, plugged: bool) -> None:
        """Pull or plug the cable, at the switch's end."""
        self._run("-n", self._switch, "link", "set", f"p{host}", "up" if plugged else "down")

    @contextmanager
    def inside(self, host: int) -> Iterator[None]:
        """This thread is on ``host``: sockets it opens, and processes and threads it starts. Raises OSError."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            there = os.open(f"/run/netns/{self.hosts[host]}", os.O_RDONLY)
            try:
                _move_to(there)
            finally:
                os.close(there)
            try:
                yield
            finally:
                _move_to(own)
        finally:
            os.close(own)

    def filter(self, host: int, rules: Sequence[str]) -> None:
        """Packets of ``host``: these rules of nftables decide, each with its chain ``in`` or ``out`` in front."""
        nft = program("nft", "nftables")
        table = ["add table inet faults", "delete table inet faults"]
        if rules:
            table.append("add table inet faults")
            for chain, hook in (("in", "input"), ("out", "output")):
                table.append(f"add chain inet faults {chain} {{ type filter hook {hook} priority 0; }}")
            table += [f"add rule inet faults {rule}" for rule in rules]
        script = "\n".join([*table, ""]).encode()
        command = [*self.prefix(host), nft, "--file", "-"]
        subprocess.run(command, input=script, capture_output=True, check=True, timeout=10)

    def queued(self, host: int, *, on: bool) -> None:
        """Packets that arrive at ``host`` wait for whoever reads queue :data:`bench.late_packets.QUEUE`."""
        iptables = program("iptables", "iptables")
        rule = ["-i", "eth0", "-j", "NFQUEUE", "--queue-num", str(QUEUE), "--queue-bypass"]
        command = [*self.prefix(host), iptables, "-A" if on else "-D", "INPUT", *rule]
        done = subprocess.run(command, capture_output=True, check=False, timeout=10)
        if on and done.returncode:
            raise Unavailable(f"packets cannot be held up here: {done.stderr.decode().strip()}")

    def more_addresses(self, host: int, count: int) -> list[str]:
        """So many that ``host`` has from now on as well; up to 100."""
        addresses = [f"10.231.0.{101 + number}" for number in range(count)]
        for address in addresses:
            self._run("-n", self.hosts[host], "addr", "add", f"{address}/24", "dev", "eth0")
        return addresses

    def _plug(self, number: int, name: str) -> None:
        self._run(
            "-n", self._switch, "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", name
        )
        self._run("-n", self._switch, "link", "set", f"p{number}", "master", "br0", "up")
        self._run("-n", name, "addr", "add", f"{self.address(number)}/24", "brd", "+", "dev", "eth0")
        self._run("-n", name, "link", "set", "eth0", "up")

    def _run(self, *arguments: str) -> None:
        command: Sequence[str] = [self._ip, *arguments]
        subprocess.run(command, capture_output=True, check=True, timeout=10)


def _move_to(descriptor: int) -> None:
    """setns(2) for this thread; Python has it from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEW_NET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
