"""The simulated colony: etcd, hosts, and the wires between them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from aware_agent.colony.election import Crown, Handover
from aware_agent.colony.node import Report
from aware_agent.colony.simulator.agent import Agent
from aware_agent.colony.simulator.checker import Checker
from aware_agent.colony.simulator.clock import Queue
from aware_agent.colony.simulator.etcd import Change, Etcd
from aware_agent.colony.simulator.host import Host
from aware_agent.colony.simulator.news import HANDOVER, PRESENCE, QUEEN, News
from aware_agent.colony.succession import line_of_succession
from aware_agent.colony.timing import Timing


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How long things take between an agent and etcd, in seconds."""

    request: tuple[float, float] = (0.0003, 0.003)
    reply: tuple[float, float] = (0.0003, 0.003)
    watch: tuple[float, float] = (0.0005, 0.015)
    timeout: float = 1.0  # then the agent gives up on an answer


class World:
    """Holds everything; agents reach etcd only through :meth:`call` and the watch."""

    def __init__(self, nodes: int, random: Random, timing: Timing | None = None, wire: Wire | None = None) -> None:
        self.queue = Queue()
        self.random = random
        self.timing = timing or Timing()
        self.wire = wire or Wire()
        self.trace: list[tuple[float, str, str]] = []
        self.news: list[News] = []
        self.checker = Checker(self)
        self.etcd = Etcd(self.queue, self._committed)
        self.line: tuple[str, ...] = ()
        self._present: dict[str, Report] = {}
        width = len(str(nodes))
        self.hosts = {f"n{i:0{width}}": Host(f"n{i:0{width}}", float(i)) for i in range(1, nodes + 1)}

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.queue.run(self.queue.now + seconds)

    def tell(self, who: str, what: str) -> None:
        """Remember one line of what happened."""
        self.trace.append((self.queue.now, who, what))

    # Hosts -------------------------------------------------------------------------------------------------------

    def start(self, host: Host) -> Agent:
        """Start an agent: a new incarnation."""
        host.lives += 1
        host.agent = Agent(self, host)
        self.tell(host.id, f"starts, life {host.lives}")
        self.checker.disturbed()
        host.agent.start()
        return host.agent

    def agents(self) -> list[Agent]:
        """The agents that run, by host."""
        return [h.agent for h in self.hosts.values() if h.agent is not None and h.agent.alive]

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
            self.queue.after(self.random.uniform(*self.wire.request), self._arrive, agent, operation, then, give_up)

    def _arrive(self, agent: Agent, operation: Callable[[], Any], then: Callable[[Any], None], give_up: float) -> None:
        if agent.host.cut:
            self.queue.at(give_up, agent.receive, then, None)
        elif self.etcd.down:  # half of what reaches a member without a leader is applied later
            self.queue.at(give_up, agent.receive, then, None)
            if self.random.random() < 0.5:
                self.queue.at(self.etcd.down_until + self.random.uniform(*self.wire.request), operation)
        else:
            self._answer(agent, operation(), then, give_up)

    def _answer(self, agent: Agent, result: Any, then: Callable[[Any], None], give_up: float) -> None:
        lost = agent.host.lossy and self.random.random() < agent.host.lossy
        at = self.queue.now + self.random.uniform(*self.wire.reply)
        if lost or at > give_up:
            self.queue.at(give_up, agent.receive, then, None)
        else:
            self.queue.at(at, self._reply, agent, result, then, give_up)

    def _reply(self, agent: Agent, result: Any, then: Callable[[Any], None], give_up: float) -> None:
        if agent.host.cut:
            self.queue.at(give_up, agent.receive, then, None)
        else:
            agent.receive(then, result)

    # Watch -------------------------------------------------------------------------------------------------------

    def latest(self) -> News:
        """The state of the throne and the line now."""
        queen = self.etcd.keys.get(QUEEN)
        crown: Crown | None = queen.value if queen else None
        return News(self.etcd.revision, True, crown, queen.created if queen else 0, self._last_words(0), self.line)

    def _last_words(self, ended: int) -> Handover | None:
        """The handover, if it speaks of the term that ended; of any term if ``ended`` is 0."""
        key = self.etcd.keys.get(HANDOVER)
        words: Handover | None = key.value if key else None
        return words if words and ended in (0, words.term) else None

    def _committed(self, revision: int, changes: tuple[Change, ...]) -> None:
        self.checker.committed(revision, changes)
        throne = next((c for c in changes if c.key == QUEEN), None)
        present = any(c.key.startswith(PRESENCE) for c in changes)
        if throne is None and not present:
            return
        if present:
            self.line = self._new_line(changes)
        crown = throne.after.value if throne and throne.after else None
        term = throne.after.created if throne and throne.after else 0
        words = self._last_words(throne.before.created) if throne and throne.before and not crown else None
        self.news.append(News(revision, throne is not None, crown, term, words, self.line if present else None))
        for agent in self.agents():
            self.deliver_later(agent)

    def _new_line(self, changes: tuple[Change, ...]) -> tuple[str, ...]:
        for change in changes:
            if change.key.startswith(PRESENCE):
                node = change.key.removeprefix(PRESENCE)
                self._present.pop(node, None)
                if change.after:
                    self._present[node] = change.after.value
        return line_of_succession(self._present)

    def deliver_later(self, agent: Agent) -> None:
        """What was committed reaches the agent after the delay of its watch."""
        if agent.watching and not agent.delivery_due and not agent.host.cut:
            agent.delivery_due = True
            delay = self.random.uniform(*self.wire.watch) + self.random.uniform(0, agent.host.slow_watch_s)
            self.queue.after(delay, self._deliver, agent)

    def _deliver(self, agent: Agent) -> None:
        agent.delivery_due = False
        if not agent.host.cut:
            agent.receive(agent.read_news)
