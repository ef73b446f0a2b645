"""A colony whose nodes are hosts of one network: each in a network namespace of its own, on one bridge.

As :class:`bench.council_lab.CouncilLab` otherwise. What can be wrong with a network is done to packets, which vanish
without a word, as they do when a host loses its power::

    async with NetLab(5) as lab:
        await lab.form()
        lab.split(["lab-1", "lab-2"])          # hear each other, and nobody else
        lab.cut("lab-3")                       # hears nobody
        lab.deafen("lab-3", ["lab-1"])         # hears lab-1 no more, and is heard
        lab.delay("lab-2", 80, 40)             # what it hears comes 40 to 120 ms late
        lab.heal()

It needs root, for namespaces. The caller is in the network too, on a host that no fault reaches.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from bench.agent import ROOT
from bench.council_lab import CouncilLab
from bench.peers.netns import Net
from bench.peers.tools import program
from bench.processes import Process, clean_environment


class NetLab(CouncilLab):
    """As many of ``nodes`` sit in the council as it has ``seats``."""

    def __init__(self, nodes: int, **options: Any) -> None:
        self._net = Net(nodes + 1)  # the last one is the caller's
        self._numbers: dict[str, int] = {}
        self._stack = ExitStack()
        self._rules: dict[str, list[str]] = {}
        self._late: dict[str, Process] = {}
        self._strangers: list[str] = []
        super().__init__(nodes, **options)

    async def __aenter__(self) -> NetLab:
        """Make the network and write every agent's settings. Raises :class:`bench.harness.Unavailable`."""
        program("nft", "nftables")  # without it no fault could be made, half way through
        self._stack.enter_context(self._net)
        try:
            self._stack.enter_context(self._net.inside(self._nodes))
            await super().__aenter__()
        except BaseException:
            self._stack.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill everything that runs, and remove network and directory."""
        try:
            for late in self._late.values():
                late.kill()
            await super().__aexit__(kind, error, trace)
        finally:
            self._stack.close()

    def address(self, name: str) -> str:
        """Of the node's host."""
        return self._net.address(self._number(name))

    def prefix(self, name: str) -> Sequence[str]:
        """Runs a command on the node's host."""
        return self._net.prefix(self._number(name))

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    # Faults ----------------------------------------------------------------------------------------------------------

    def split(self, group: Iterable[str]) -> None:
        """The nodes of ``group`` hear only each other, all others too; the caller hears everybody."""
        inside = set(group)
        for name in self.agents:
            self.deafen(name, [other for other in self.agents if (name in inside) != (other in inside)])

    def cut(self, name: str) -> None:
        """Its host is off the network, for the caller too."""
        self._set(name, ['in iifname "eth0" drop', 'out oifname "eth0" drop'])

    def deafen(self, name: str, others: Iterable[str]) -> None:
        """What ``others`` send does not arrive at ``name``; what it sends arrives."""
        self._set(name, [f"in ip saddr {self.address(other)} drop" for other in others])

    def mute(self, name: str) -> None:
        """What it sends arrives nowhere; what others send arrives at it."""
        for other in self.others(name):
            self.deafen(other, [name])

    def others(self, name: str) -> list[str]:
        """All nodes but that one."""
        return [other for other in self.agents if other != name]

    def block_etcd(self, name: str) -> None:
        """Nothing on its host reaches any etcd as a client, its own one neither; members of etcd hear each other."""
        ports = ", ".join(str(agent.settings["council"]["client_port"]) for agent in self.agents.values())
        self._set(name, [f"out tcp dport {{ {ports} }} drop"])

    def lose(self, percent: int, names: Iterable[str] = ()) -> None:
        """So many of a hundred packets that arrive are lost, at each of ``names`` or at all nodes."""
        for name in names or self.agents:
            self._set(name, [f'in iifname "eth0" numgen random mod 100 < {percent} drop'])

    def lose_of(self, names: Iterable[str], shares: Mapping[str, int]) -> None:
        """Of what arrives at each of ``names`` from another host: so many of a hundred packets that ``nft`` matches."""
        for name in names:
            others = ", ".join(self.address(other) for other in self.others(name))
            rule = "in ip saddr {{ {} }} {} numgen random mod 100 < {} drop"
            self._set(name, [rule.format(others, match, percent) for match, percent in shares.items()])

    def delay(self, name: str, late_ms: int, spread_ms: int) -> None:
        """What arrives at it comes so late, more or less. Raises :class:`bench.harness.Unavailable`."""
        argv = [sys.executable, "-m", "bench.late_packets", str(late_ms), str(spread_ms)]
        log = self.directory / f"late-{name}.log"
        late = Process(argv, log, cwd=ROOT, env=clean_environment(), prefix=self.prefix(name))
        self._net.queued(self._number(name), on=True)
        self._late[name] = late
        late.start()

    def heal(self, *names: str) -> None:
        """No fault any more, at ``names`` or anywhere."""
        for name in names or tuple(self._rules):
            self._set(name, [])
        for name in names or tuple(self._late):
            if (late := self._late.pop(name, None)) is not None:
                self._net.queued(self._number(name), on=False)
                late.kill()  # packets that still wait are lost

    def strangers(self, count: int = 5) -> list[str]:
        """Addresses that the caller's host has from now on as well: no one source's limit keeps a crowd out."""
        if not self._strangers:
            self._strangers = self._net.more_addresses(self._nodes, count)
        return self._strangers

    def _set(self, name: str, rules: list[str]) -> None:
        self._rules[name] = rules
        self._net.filter(self._number(name), rules)
