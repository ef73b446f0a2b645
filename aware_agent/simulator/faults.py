"""What can go wrong, and undoing it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from aware_agent.colony.election import Phase
from aware_agent.simulator.host import Host
from aware_agent.simulator.world import World


class Fault(msgspec.Struct, frozen=True):
    """Strike a host for ``duration`` seconds."""

    at: float
    kind: str
    queen: bool  # the queen rather than anybody
    duration: float

    def __str__(self) -> str:
        """As one line."""
        return f"{self.at:8.3f} s  {self.kind}, {'the queen' if self.queen else 'anybody'}, for {self.duration:.2f} s"


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
        self.world.post(host.id, f"({fault.kind} for {fault.duration:.1f} s)")
        _STRIKES[fault.kind](self, host, fault.duration)

    def heal(self) -> None:
        """End all faults; most of the dead come back, always a candidate, and whoever the wanted council needs."""
        self.calm = True
        for host in self.world.hosts.values():
            self.world.checker.disturbed(0 if host.well else 1)
            host.lossy = host.loss = host.slow_wire_s = 0.0
            host.deaf = False
            self._serve(host)
            self._fast(host)
            self._idle(host)
            self._power_on(host)
            self._mend_etcd(host)
            if host.agent is not None and host.agent.frozen:
                host.agent.thaw()
            if host.cut:
                self._mend(host)
        for host in self.world.hosts.values():
            if host.agent is not None and host.agent.state.phase is Phase.GONE:
                host.agent.crash()  # on its way out
            lonely = host.candidate and not any(h.up and h.candidate for h in self.world.hosts.values())
            if not host.up and (lonely or self._missed(host) or self.world.random.random() < 0.7):
                self.world.start(host)

    def _missed(self, host: Host) -> bool:
        """Whether the council can only become as wanted with this host: it sits, or too few others are there to sit."""
        if self.world.council is None:
            return False
        others = sum(h.up for h in self.world.hosts.values())
        return host.etcd in self.world.council.members or others < self.world.wanted

    def _victim(self, queen: bool) -> Host | None:
        reigning = self.world.queen()
        if queen and reigning and self.world.hosts[reigning[0].id].up:
            return self.world.hosts[reigning[0].id]
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
        if not host.up and host.powered:
            self.world.start(host)

    def _power_off(self, host: Host, duration: float) -> None:
        """The whole machine: the agent, and a member of etcd. Never the majority: nothing is promised without one."""
        if self.world.may_lose(host):
            host.powered = False
            self.world.etcd_runs(host, False)
            self._later(2 * duration, self._power_on, host)
        self._crash(host, 2.2 * duration)

    def _power_on(self, host: Host) -> None:
        if not host.powered:
            host.powered = True
            self.world.etcd_runs(host, not host.etcd_broken)

    def _break_etcd(self, host: Host, duration: float) -> None:
        """etcd ends on that host, and its agent does not."""
        if self.world.may_lose(host):
            host.etcd_broken = True
            self.world.etcd_runs(host, False)
            self._later(2 * duration, self._mend_etcd, host)

    def _mend_etcd(self, host: Host) -> None:
        if host.etcd_broken:
            host.etcd_broken = False
            self.world.etcd_runs(host, host.powered)

    def _wish(self, _: Host, __: float) -> None:
        """An operator wants another size of the council."""
        if self.world.council is not None:
            sizes = [size for size in (1, 3, 5) if size <= len(self.world.hosts) and size != self.world.wanted]
            self.world.want(self.world.random.choice(sizes or [1]))

    def _bounce(self, host: Host, _: float) -> None:
        """Crash and start again at once, while the old key still stands; now and then with a slow way to etcd."""
        if self.world.random.random() < 0.4:
            self._delay(host, 2.0)
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

    def _delay(self, host: Host, duration: float) -> None:
        """Its way to etcd is slow: answers come late, and some too late."""
        host.slow_wire_s = self.world.random.uniform(0.1, 0.7)
        self._later(duration, self._hurry, host)

    def _hurry(self, host: Host) -> None:
        """It is quick again, or breaks: then what counts is when the last answer was asked for, not when it came."""
        if host.slow_wire_s and self.world.random.random() < 0.5:
            self._cut(host, 5.0)
        host.slow_wire_s = 0.0

    def _load(self, host: Host, duration: float) -> None:
        """A busy host: timers ring late, within what a queen's margin forgives."""
        if host.agent is not None:
            host.agent.loop.busy_s = self.world.random.uniform(0.05, 0.2)
        self._later(duration, self._idle, host)

    def _idle(self, host: Host) -> None:
        if host.agent is not None:
            host.agent.loop.busy_s = 0.0

    def _lose(self, host: Host, duration: float) -> None:
        host.lossy = self.world.random.uniform(0.2, 1.0)
        self._later(duration, self._hear, host)

    def _hear(self, host: Host) -> None:
        host.lossy = 0.0

    def _silence(self, host: Host, duration: float) -> None:
        """Other members do not hear it; etcd does."""
        host.deaf = True
        self._later(duration, self._listen, host)

    def _listen(self, host: Host) -> None:
        host.deaf = False

    def _isolate(self, host: Host, duration: float) -> None:
        """Its network is gone."""
        host.deaf = True
        self._later(duration, self._listen, host)
        self._cut(host, duration)

    def _lose_packets(self, host: Host, duration: float) -> None:
        host.loss = self.world.random.uniform(0.1, 0.6)
        self._later(duration, self._carry_all, host)

    def _carry_all(self, host: Host) -> None:
        host.loss = 0.0

    def _lose_gateway(self, host: Host, duration: float) -> None:
        """Its gateway ends, and comes back; the agent lives."""
        host.serving = False
        if host.agent is not None:
            host.agent.gateway_moved()
        self._later(duration, self._serve, host)

    def _serve(self, host: Host) -> None:
        if not host.serving:
            host.serving = True
            if host.agent is not None:
                host.agent.gateway_moved()

    def _quit(self, host: Host, duration: float) -> None:
        if host.agent is not None and not host.agent.frozen:
            host.agent.quit()
            self._later(duration, self._restart, host)

    def _change_leader(self, _: Host, duration: float) -> None:
        outage = min(0.2 + duration / 4, 2.5)
        self.world.checker.disturbed(round(outage / self.world.timing.rank_step_s))
        self.world.change_leader(outage)

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
    "power off": Trouble._power_off,
    "etcd ends": Trouble._break_etcd,
    "another council": Trouble._wish,
    "bounce": Trouble._bounce,
    "freeze": Trouble._freeze,
    "cut off": Trouble._cut,
    "slow watch": Trouble._slow,
    "slow wire": Trouble._delay,
    "busy host": Trouble._load,
    "lost answers": Trouble._lose,
    "unheard": Trouble._silence,
    "isolated": Trouble._isolate,
    "packet loss": Trouble._lose_packets,
    "gateway away": Trouble._lose_gateway,
    "shutdown": Trouble._quit,
    "etcd leader change": Trouble._change_leader,
    "transfer": Trouble._transfer,
    "massacre": Trouble._massacre,
}
WEIGHTS = {
    "crash": 4,
    "power off": 4,
    "etcd ends": 3,
    "another council": 1,
    "bounce": 3,
    "freeze": 4,
    "cut off": 4,
    "slow watch": 3,
    "slow wire": 4,
    "busy host": 3,
    "lost answers": 3,
    "unheard": 3,
    "isolated": 3,
    "packet loss": 3,
    "gateway away": 3,
    "shutdown": 3,
    "etcd leader change": 2,
    "transfer": 4,
    "massacre": 1,
}
