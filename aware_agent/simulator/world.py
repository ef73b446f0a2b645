"""The simulated colony: etcd, hosts, and the wires between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from aware_agent.colony.decoding import from_json
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.node import Record, Report
from aware_agent.colony.seats import CouncilRecord
from aware_agent.colony.spec import CasteSpec, CouncilSpec, Policies, Spec
from aware_agent.colony.succession import line_of_succession
from aware_agent.colony.suspicion import electorate
from aware_agent.colony.timing import Timing
from aware_agent.queen.council_keeper import LOOK_S
from aware_agent.simulator.agent import Agent
from aware_agent.simulator.channel import SimChannel, transit
from aware_agent.simulator.checker import Checker
from aware_agent.simulator.clock import Queue
from aware_agent.simulator.host import Host
from aware_agent.simulator.peers import Peers
from aware_agent.store import ops
from aware_agent.store.keys import Keys, prefix_end
from aware_agent.store.memory import MemoryEtcd
from aware_agent.store.memory.leases import REVOKE_EVERY_S
from aware_agent.store.model import Change, ChangeKind
from aware_agent.store.protocol import KeyRange

UNSEEN_S = LOOK_S + 4.0  # back for less, a member may be unseen: a look and its step, over a slow wire
REPLACE_AFTER_S = 8.0  # seconds a lost member keeps its seat; in a colony it is minutes
DEAD_AFTER_S = 4.0
STEP = b'"type":"council.'  # in an event that tells of a step


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How long things take between an agent and etcd, in seconds."""

    request: tuple[float, float] = (0.0003, 0.003)
    reply: tuple[float, float] = (0.0003, 0.003)
    watch: tuple[float, float] = (0.0005, 0.015)
    timeout: float = 1.0  # then the agent gives up on an answer


class World:
    """Holds everything; agents reach etcd only through :meth:`call` and the watch."""

    def __init__(
        self, nodes: int, random: Random, timing: Timing | None = None, wire: Wire | None = None, council: int = 0
    ) -> None:
        self.queue = Queue()
        self.random = random
        self.timing = timing or Timing()
        self.wire = wire or Wire()
        self.trace: list[tuple[float, str, str]] = []
        self.keys = Keys("sim")
        self.watched: tuple[KeyRange, ...] = (
            self.keys.member_range(),
            self.keys.below("suspect"),
        )  # what an agent copies
        if council:
            self.watched += (self.keys.below("seats"), (self.keys.key("council"), prefix_end(self.keys.key("council"))))
        self.log_prefix = self.keys.key("log/")  # what queens write
        self.wanted = council  # seats
        self.castes: dict[str, CasteSpec] = {}
        self.replace_after_s = REPLACE_AFTER_S
        self.absent_since: dict[str, float] = {}  # nodes that show no sign of life
        self.checker = Checker(self)
        self.etcd = MemoryEtcd()
        self.etcd.listen(self._committed)
        self.down_until = 0.0
        self.line: tuple[str, ...] = ()
        self._presence = self.keys.key("presence/")
        self._ticks = 0
        self._fault: BaseException | None = None
        self._present: dict[str, Report] = {}
        width = len(str(nodes))
        self.hosts = {f"n{i:0{width}}": Host(f"n{i:0{width}}", float(i)) for i in range(1, nodes + 1)}
        records = [
            Record(id=host.id, name=host.id, joined_at=host.joined_at, eligible=True) for host in self.hosts.values()
        ]
        self.etcd.txn([], [ops.put(self.keys.key("nodes", one.id), msgspec.json.encode(one)) for one in records])
        self.council: Peers | None = None  # None: etcd is somebody else's
        if council:
            self._begin_council(council)
        self._revoke_loop()

    def _begin_council(self, size: int) -> None:
        """As a founder leaves it, one member and the wish for more; or complete."""
        for number, host in enumerate(self.hosts.values()):
            host.council, host.zone = True, f"z{number % 2}"
        self.council = Peers(self, list(self.hosts)[: size if self.random.random() < 0.5 else 1])
        self.want(size)

    def want(self, size: int) -> None:
        """An operator sets the size of the council."""
        self.castes = {"web": CasteSpec(count=max(1, len(self.hosts) // 2)), "db": CasteSpec(count=1)}
        wish = CouncilSpec(size=size, replace_after_s=self.replace_after_s)
        policies = Policies(dead_after_s=DEAD_AFTER_S)
        spec = Spec(colony="sim", size=len(self.hosts), castes=self.castes, council=wish, policies=policies)
        self.checker.council.wished_at, self.checker.council.wished_before = self.queue.now, self.wanted
        self.wanted = size
        self.etcd.txn([], [ops.put(self.keys.key("spec"), msgspec.json.encode(spec))])

    def close(self) -> None:
        """End what still runs."""
        for agent in self.agents():
            agent.crash()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.queue.run(self.queue.now + seconds)

    def stop(self, fault: BaseException) -> None:
        """A promise or a driver broke: the run ends with the first one."""
        self._fault = self._fault or fault

    def broke(self, context: dict[str, Any]) -> None:
        """A driver broke and nobody waited for it."""
        self.stop(context.get("exception") or RuntimeError(context["message"]))

    def check(self) -> None:
        """Raises what :meth:`stop` was told."""
        if self._fault is not None:
            raise self._fault

    def post(self, who: str, what: str) -> None:
        """Remember one line of what happened."""
        self.trace.append((self.queue.now, who, what))

    # Hosts -------------------------------------------------------------------------------------------------------

    def start(self, host: Host) -> Agent:
        """Start an agent: a new incarnation."""
        host.lives += 1
        host.agent = Agent(self, host)
        self.post(host.id, f"starts, life {host.lives}")
        self.checker.started(host)
        host.agent.start()
        return host.agent

    def agents(self) -> list[Agent]:
        """The agents that run, by host."""
        return [h.agent for h in self.hosts.values() if h.agent is not None and h.agent.alive]

    def etcd_runs(self, host: Host, runs: bool) -> None:
        """The machine of ``host``, or etcd on it, ended or came back."""
        now = self.queue.now
        if runs:
            host.etcd_back = None if host.etcd_down_since is None else (now, host.etcd_down_since)
            host.etcd_down_since = None
        elif host.etcd_down_since is None:
            before = self.unseen_since(host)
            host.etcd_down_since = now if before is None else before
        if self.council is not None:
            self.council.moved()

    def unseen_since(self, host: Host) -> float | None:
        """Since when a member that is back was down, if it came back too late for a queen to know it."""
        back = host.etcd_back
        return back[1] if back is not None and self.queue.now - back[0] <= UNSEEN_S else None

    def may_lose(self, host: Host) -> bool:
        """Whether etcd keeps its majority without the member on ``host``."""
        if self.council is None:
            return False
        stays = [member for member in self.council.up() if self.council.members[member].node != host.id]
        return 2 * len(stays) > len(self.council.voters())

    def reconnect(self, host: Host, relist: bool) -> None:
        """End a partition. With ``relist`` the watch cannot resume, because etcd was compacted meanwhile."""
        host.cut = False
        if host.agent is not None and host.agent.alive:
            host.agent.relist = host.agent.relist or relist
            self.deliver_later(host.agent)

    # Wires -------------------------------------------------------------------------------------------------------

    def call(self, agent: Agent, operation: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Send a request. ``then`` gets its result, or None when no answer came in time: it may have been applied."""
        give_up = self.queue.now + self.wire.timeout
        if agent.host.cut:
            self.queue.at(give_up, agent.receive, then, None)
        else:
            delay = self.random.uniform(*self.wire.request) + self.random.uniform(0, agent.host.slow_wire_s)
            self.queue.after(delay, self._arrive, agent, operation, then, give_up)

    def _arrive(self, agent: Agent, operation: Callable[[], Any], then: Callable[[Any], None], give_up: float) -> None:
        if agent.host.cut:
            self.queue.at(give_up, agent.receive, then, None)
        elif self.down:  # half of what reaches a member without a leader is applied later
            self.queue.at(give_up, agent.receive, then, None)
            if self.random.random() < 0.5 and not (self.council is not None and self.council.lost):
                self.queue.at(self.down_until + self.random.uniform(*self.wire.request), operation)
        else:
            self.etcd.advance(self.queue.now)
            self._answer(agent, operation(), then, give_up)

    def _answer(self, agent: Agent, result: Any, then: Callable[[Any], None], give_up: float) -> None:
        lost = agent.host.lossy and self.random.random() < agent.host.lossy
        at = self.queue.now + self.random.uniform(*self.wire.reply) + self.random.uniform(0, agent.host.slow_wire_s)
        if lost or at > give_up:
            self.queue.at(give_up, agent.receive, then, None)
        else:
            self.queue.at(at, self._reply, agent, result, then, give_up)

    def _reply(self, agent: Agent, result: Any, then: Callable[[Any], None], give_up: float) -> None:
        if agent.host.cut:
            self.queue.at(give_up, agent.receive, then, None)
        else:
            agent.receive(then, result)

    def carry(self, source: Host, target: Host, action: Callable[..., object], *args: Any) -> None:
        """Something goes from one member to another; what comes to a host that is cut off is gone."""
        delay = transit(self.random.uniform, self.random.random, max(source.loss, target.loss))

        def arrive() -> None:
            if not source.deaf and not target.deaf:
                action(*args)

        if not source.deaf:
            self.queue.after(delay, arrive)

    def hang_up(self, agent: Agent, *, said: bool) -> None:
        """An agent ended, and with it the channels to it."""
        for other in self.agents():
            for channel in other.channels.values():
                if channel.to is agent:
                    self.carry(agent.host, other.host, other.receive, self._hung_up, channel, agent, said)

    @staticmethod
    def _hung_up(channel: SimChannel, agent: Agent, said: bool) -> None:
        if channel.to is agent:
            channel.end(said=said)

    # etcd --------------------------------------------------------------------------------------------------------

    @property
    def down(self) -> bool:
        """True while there is no etcd leader."""
        return self.queue.now < self.down_until or (self.council is not None and self.council.lost)

    def change_leader(self, duration: float) -> None:
        """etcd loses its leader; a new one is there after ``duration``."""
        self.down_until = max(self.down_until, self.queue.now + duration)
        self.queue.at(self.down_until, self._promote)

    def queen(self) -> tuple[QueenRecord, int] | None:
        """Who holds the queen key, and the term."""
        key = self.etcd.history.now.get(self.keys.queen)
        return (from_json(key.value, QueenRecord), key.create_revision) if key else None

    def electorate(self) -> tuple[str, ...]:
        """Whose suspicion of the queen counts."""
        stored = self.etcd.range(*self.keys.below("nodes")).kvs
        records = [from_json(kv.value, Record) for kv in stored]
        council = self.etcd.history.now.get(self.keys.key("council"))
        known = from_json(council.value, CouncilRecord) if council else None
        return electorate(known, {record.id: record for record in records})

    def _promote(self) -> None:
        if not self.down:
            self.etcd.new_leader(self.queue.now)

    def _revoke_loop(self) -> None:
        """etcd looks for leases that are over; while it has no leader nobody does."""
        if not self.down:
            self.etcd.advance(self.queue.now)
        self._ticks += 1
        self.queue.at(self._ticks * REVOKE_EVERY_S, self._revoke_loop)

    def _committed(self, revision: int, changes: tuple[Change, ...]) -> None:
        self.checker.committed(revision, changes)
        events = self.keys.key("events/")
        if any(change.kv.key.startswith(events) and STEP in change.kv.value for change in changes):
            self.checker.council.told()
        watched = [c for c in changes if any(start <= c.kv.key < end for start, end in self.watched)]
        if any(change.kv.key.startswith(self._presence) for change in watched):
            self._new_line(watched)
        for agent in self.agents():
            if watched or agent.reigns.mirrors:
                self.deliver_later(agent)

    def _new_line(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.kv.key.startswith(self._presence):
                node = change.kv.key.removeprefix(self._presence).decode()
                self._present.pop(node, None)
                self.absent_since.setdefault(node, self.queue.now)
                if change.kind is ChangeKind.PUT:
                    self._present[node] = from_json(change.kv.value, Report)
                    self.absent_since.pop(node)
        self.line = line_of_succession(self._present, self._present)

    # Watch -------------------------------------------------------------------------------------------------------

    def deliver_later(self, agent: Agent) -> None:
        """What was committed reaches the agent after the delay of its watch."""
        if agent.alive and not agent.delivery_due and not agent.host.cut:
            agent.delivery_due = True
            delay = self.random.uniform(*self.wire.watch) + self.random.uniform(0, agent.host.slow_watch_s)
            self.queue.after(delay, self._deliver, agent)

    def _deliver(self, agent: Agent) -> None:
        agent.delivery_due = False
        if not agent.host.cut:
            agent.receive(agent.store.arrived)
