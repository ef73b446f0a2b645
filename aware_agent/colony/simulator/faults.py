"""What can go wrong, and undoing it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from aware_agent.colony.election import Phase
from aware_agent.colony.simulator.host import Host
from aware_agent.colony.simulator.news import QUEEN
from aware_agent.colony.simulator.world import World


class Fault(msgspec.Struct, frozen=True):
    """Strike a host for ``duration`` seconds."""

    at: float
    kind: str
    queen: bool  # the queen rather than anybody
    duration: float


def draw(random: Random, begin: float, end: float, mean_gap: float) -> list[Fault]:
    """Faults at random times; every other one hits the queen."""
    faults = []
    at = begin + random.expovariate(1 / mean_gap)
    while at < end:
        kind = random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        faults.append(Fault(at, kind, random.random() < 0.5, random.uniform(0.5, 9.0)))
        at += random.expovariate(1 / mean_gap)
    return faults


class Trouble:
    """Strikes a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calm = False

    def plan(self, faults: list[Fault]) -> None:
        """Let them happen in their time."""
        for fault in faults:
            self.world.queue.at(fault.at, self.strike, fault)

    def strike(self, fault: Fault) -> None:
        """Do it now, if there is somebody to do it to."""
        host = self._victim(fault.queen)
        if host is None:
            return
        self.world.checker.disturbed()
        self.world.tell(host.id, f"({fault.kind} for {fault.duration:.1f} s)")
        _STRIKES[fault.kind](self, host, fault.duration)

    def heal(self) -> None:
        """End all faults; most of the dead come back, always a candidate."""
        self.calm = True
        for host in self.world.hosts.values():
            self.world.checker.disturbed(0 if host.well else 1)
            host.lossy = 0.0
            self._fast(host)
            if host.agent is not None and host.agent.frozen:
                host.agent.thaw()
            if host.cut:
                self._mend(host)
        for host in self.world.hosts.values():
            if host.agent is not None and host.agent.state.phase is Phase.GONE:
                host.agent.crash()  # on its way out
            lonely = host.candidate and not any(h.up and h.candidate for h in self.world.hosts.values())
            if not host.up and (lonely or self.world.random.random() < 0.7):
                self.world.start(host)

    def _victim(self, queen: bool) -> Host | None:
        key = self.world.etcd.keys.get(QUEEN)
        if queen and key and self.world.hosts[key.value.id].up:
            return self.world.hosts[key.value.id]
        up = [h for h in self.world.hosts.values() if h.up]
        return self.world.random.choice(up) if up else None

    def _later(self, duration: float, action: Callable[[Host], None], host: Host) -> None:
        self.world.queue.after(duration, self._end, action, host)

    def _end(self, action: Callable[[Host], None], host: Host) -> None:
        if not self.calm:
            self.world.checker.disturbed()
            action(host)

    def _crash(self, host: Host, duration: float) -> None:
        if host.agent is not None:
            host.agent.crash()
        self._later(duration, self._restart, host)

    def _restart(self, host: Host) -> None:
        if not host.up:
            self.world.start(host)

    def _bounce(self, host: Host, _: float) -> None:
        """Crash and start again at once, while the old key still stands."""
        self._crash(host, self.world.random.uniform(0.05, 0.5))

    def _freeze(self, host: Host, duration: float) -> None:
        if host.agent is not None:
            host.agent.freeze()
        self._later(duration, self._thaw, host)

    def _thaw(self, host: Host) -> None:
        if host.agent is not None and host.agent.frozen:
            host.agent.thaw()

    def _cut(self, host: Host, duration: float) -> None:
        host.cut = True
        self._later(duration, self._mend, host)

    def _mend(self, host: Host) -> None:
        self.world.reconnect(host, relist=self.world.random.random() < 0.3)

    def _slow(self, host: Host, duration: float) -> None:
        host.slow_watch_s = self.world.random.uniform(0.2, 3.0)
        self._later(duration, self._fast, host)

    def _fast(self, host: Host) -> None:
        """What was on its way slowly arrives now."""
        host.slow_watch_s = 0.0
        if host.agent is not None:
            host.agent.delivery_due = False
            self.world.deliver_later(host.agent)

    def _lose(self, host: Host, duration: float) -> None:
        host.lossy = self.world.random.uniform(0.2, 1.0)
        self._later(duration, self._hear, host)

    def _hear(self, host: Host) -> None:
        host.lossy = 0.0

    def _quit(self, host: Host, duration: float) -> None:
        if host.agent is not None and not host.agent.frozen:
            host.agent.quit()
            self._later(duration, self._restart, host)

    def _change_leader(self, _: Host, duration: float) -> None:
        outage = min(0.2 + duration / 4, 2.5)
        self.world.checker.disturbed(round(outage / self.world.timing.rank_step_s))
        self.world.etcd.change_leader(outage)

    def _transfer(self, host: Host, _: float) -> None:
        names = [h.id for h in self.world.hosts.values() if h.candidate]
        if host.agent is not None and not host.agent.frozen:
            host.agent.resign(self.world.random.choice(["", *names]))

    def _massacre(self, host: Host, duration: float) -> None:
        """A third of the colony at once, the victim among them."""
        others = [h for h in self.world.hosts.values() if h.up and h is not host]
        for victim in [host, *self.world.random.sample(others, min(len(others), len(self.world.hosts) // 3))]:
            self.world.checker.disturbed()
            self._crash(victim, duration)


Strike = Callable[[Trouble, Host, float], None]

_STRIKES: dict[str, Strike] = {
    "crash": Trouble._crash,
    "bounce": Trouble._bounce,
    "freeze": Trouble._freeze,
    "cut off": Trouble._cut,
    "slow watch": Trouble._slow,
    "lost answers": Trouble._lose,
    "shutdown": Trouble._quit,
    "etcd leader change": Trouble._change_leader,
    "transfer": Trouble._transfer,
    "massacre": Trouble._massacre,
}
WEIGHTS = {
    "crash": 4,
    "bounce": 3,
    "freeze": 4,
    "cut off": 4,
    "slow watch": 3,
    "lost answers": 3,
    "shutdown": 3,
    "etcd leader change": 2,
    "transfer": 4,
    "massacre": 1,
}
