"""The promises of the election, checked at every step. A broken one stops the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aware_agent.colony.decoding import from_json
from aware_agent.colony.election import Decision, Election, Phase, WakeAt
from aware_agent.colony.errors import AwareError
from aware_agent.colony.node import Report
from aware_agent.colony.suspicion import MOST_ELECTORS, majority
from aware_agent.colony.timing import Timing
from aware_agent.simulator.council_checker import CouncilChecker
from aware_agent.store.model import Change, ChangeKind, KeyValue

if TYPE_CHECKING:
    from aware_agent.simulator.agent import Agent
    from aware_agent.simulator.host import Host
    from aware_agent.simulator.world import World

QUIET_S = 5.0  # what went wrong before that does not excuse a change of queens
EVICT_S = 1.0  # a new life needs so long to read etcd and to remove what the one before left
EXPECTED_S = 0.5  # between two writes of a queen in the simulator
ANSWER_S = 1.0  # then a request to etcd counts as not answered
STOP_S = 0.05  # a deposed queen stops so long after she could know


def vacancy_bound(timing: Timing, nodes: int) -> float:
    """Seconds without a queen while a majority is well: those in line who died are waited for one after the other, a
    named successor may be gone, and whoever was not answered asks again."""
    line = min(nodes, MOST_ELECTORS) * timing.rank_step_s
    return timing.handover_hold_s + timing.abstain_s + 2 * line + timing.retry_s + ANSWER_S


class Broken(AwareError):
    """The colony did what it must never do."""

    code = "invariant-broken"
    exit_code = 70


class Checker:
    """Watches from outside, with its own books: it believes neither the agents nor the simulated etcd."""

    def __init__(self, world: World) -> None:
        self.terms = 0
        self.campaigns = 0
        self.writes = 0
        self.refused = 0
        self.longest_vacancy = 0.0
        self.longest_clean_gap = 0.0
        self.largest_rush = 0
        self.first_write: float | None = None
        self.last_write = 0.0
        self.outage_s = 0.0
        self.longest_outage_s = 0.0
        self._world = world
        self._term = 0  # the newest
        self._elector = 0  # the term that reigns, 0 while vacant
        self._holders: dict[int, str] = {}
        self._acknowledged: set[bytes] = set()
        self._vacant_since: float | None = 0.0
        self._rush = 0  # campaigns since there was no queen
        self._disturbed = 0  # what may excuse more of them
        self._clean_since: float | None = None  # a hand-over to a successor in good health
        self.deposed: set[int] = set()  # terms that the council ended
        self._deposing = False
        self._fault_at = 0.0
        self._faults = 0
        self.council = CouncilChecker(world, self._fail)

    def fail(self, what: str) -> None:
        """A promise is broken. Raises :class:`Broken`, and the run ends."""
        self._fail(what)

    def _fail(self, what: str) -> None:
        broken = Broken(f"at {self._world.queue.now:.3f} s: {what}")
        self._world.stop(broken)  # wherever in a driver it is raised
        raise broken

    # Agents ------------------------------------------------------------------------------------------------------

    def decided(self, agent: Agent, before: Election, decision: Decision, now: float) -> None:
        """After every decision."""
        after = decision.state
        if (after.term > 0) is not (after.phase is Phase.REIGNING):
            self._fail(f"{agent.host.id} is {after.phase} with term {after.term}")
        if after.phase is not before.phase and not decision.message:
            self._fail(f"{agent.host.id} went from {before.phase} to {after.phase} without a word")
        if any(isinstance(e, WakeAt) and e.when < now for e in decision.effects):
            self._fail(f"{agent.host.id} wants to be woken in the past")

    def reigns(self, agent: Agent, term: int) -> None:
        """An agent starts the duties of a term."""
        holder = self._holders.setdefault(term, agent.state.incarnation)
        if holder != agent.state.incarnation:
            self._fail(f"{holder} and {agent.state.incarnation} both hold term {term}")

    def campaigned(self) -> None:
        """A campaign's transaction has reached etcd."""
        self.campaigns += 1
        self._rush += 1
        self.largest_rush = max(self.largest_rush, self._rush)
        if self._rush > 2 + self._disturbed:
            self._fail(f"{self._rush} campaigns for one vacancy, with {self._disturbed} disturbances")

    def wrote(self, agent: Agent, term: int, done: bool) -> None:
        """etcd has applied or refused a fenced write."""
        self.writes += done
        if done:
            now = self._world.queue.now
            self._silence(now)
            self.last_write = now
        self.refused += not done
        if done and term != self._elector:
            self._fail(f"a write of {agent.host.id} under term {term} was taken while term {self._elector} reigns")

    def _silence(self, now: float) -> None:
        """Count the time in which no write was accepted; queens write every :data:`EXPECTED_S`."""
        gap = now - self.last_write - EXPECTED_S
        if self.first_write is None:
            self.first_write = now
        elif gap > EXPECTED_S:
            self.outage_s += gap
            self.longest_outage_s = max(self.longest_outage_s, gap)

    def ends(self) -> None:
        """The run is over."""
        if self.first_write is not None:
            self._silence(self._world.queue.now)

    def answered(self, key: bytes) -> None:
        """Its author has been told that a fenced write was done."""
        self._acknowledged.add(key)

    # Store -------------------------------------------------------------------------------------------------------

    def committed(self, revision: int, changes: tuple[Change, ...]) -> None:
        """A revision was written."""
        self._suspicions(changes)
        for change in changes:
            if change.kv.key != self._world.keys.queen:
                continue
            if change.prev:
                self._fell(change.prev)
            if change.kind is ChangeKind.PUT:
                self._rose(change.kv, revision)

    def _suspicions(self, changes: tuple[Change, ...]) -> None:
        """Members speak of the queen that reigns, and a majority ends her term; nothing else does in this way."""
        prefix = self._world.keys.suspicions(self._elector)
        every = self._world.keys.key("suspect/")
        queen = next((c.prev for c in changes if c.kv.key == self._world.keys.queen and c.prev), None)
        for change in changes:
            said = change.kind is ChangeKind.PUT and change.kv.key.startswith(every)
            if said and not change.kv.key.startswith(prefix):
                self._fail(f"{change.kv.key.decode()} speaks of another term than {self._elector}, which reigns")
        if not self._deposing or queen is None:
            return
        votes = sum(change.kind is ChangeKind.DELETE and change.kv.key.startswith(prefix) for change in changes)
        if votes < majority(self._world.electorate()):
            self._fail(f"term {queen.create_revision} was ended by {votes}, which is no majority")
        well = all(host.well for host in self._world.hosts.values() if host.up)
        if well and self._world.queue.now - self._fault_at > QUIET_S:
            self._fail(f"term {queen.create_revision} was ended although nothing was wrong")
        self.deposed.add(queen.create_revision)
        holder = self._holders.get(queen.create_revision, "")
        self._world.queue.after(self._world.wire.watch[1] + STOP_S, self._stopped, queen.create_revision, self._faults)
        self._world.post(holder, f"(deposed by {votes})")

    def _stopped(self, term: int, faults: int) -> None:
        """A deposed queen has heard of it, unless something hinders her."""
        for agent in self._world.agents():
            host = agent.host  # a watch that cannot resume lists anew, over a wire that may be slow
            reads = agent.well and not (host.cut or host.slow_watch_s or host.slow_wire_s or host.lossy)
            if agent.duty == term and reads and faults == self._faults:
                self._fail(f"{agent.host.id} still acts under term {term}, which was ended")
                self._world.check()

    @contextmanager
    def deposing(self, wanted: bool) -> Iterator[None]:
        """A transaction that ends another's term runs inside, if ``wanted``."""
        self._deposing = wanted
        try:
            yield
        finally:
            self._deposing = False

    def _fell(self, key: KeyValue) -> None:
        for agent in self._world.agents():
            deposed = key.create_revision in self.deposed  # she hears of it in a moment
            if not agent.frozen and agent.duty == key.create_revision and not deposed:
                self._fail(f"the key of term {key.create_revision} is gone and {agent.host.id} still acts under it")
        self._elector = 0
        self._vacant_since = self._world.queue.now
        self._rush = 0
        self._disturbed = sum(not host.well for host in self._world.hosts.values() if host.up)
        self._clean_since = None
        self._expect_a_queen()

    def _rose(self, key: KeyValue, revision: int) -> None:
        if key.create_revision != revision or key.create_revision <= self._term:
            self._fail(f"term {key.create_revision} after term {self._term} at revision {revision}")
        for agent in self._world.agents():
            if not agent.frozen and agent.duty and agent.duty not in self.deposed:
                self._fail(f"{agent.host.id} still acts under term {agent.duty} when term {key.create_revision} begins")
        self.terms += 1
        self._term = self._elector = key.create_revision
        now = self._world.queue.now
        if self._vacant_since is not None and self.terms > 1:
            self.longest_vacancy = max(self.longest_vacancy, now - self._vacant_since)
        if self._clean_since is not None:
            self._clean(now - self._clean_since)
        self._vacant_since = self._clean_since = None

    def _clean(self, gap: float) -> None:
        wire = self._world.wire
        bound = wire.watch[1] + 2 * (wire.request[1] + wire.reply[1])
        self.longest_clean_gap = max(self.longest_clean_gap, gap)
        if gap > bound:
            self._fail(f"a clean hand-over took {gap * 1000:.1f} ms, more than {bound * 1000:.1f} ms")

    def handed_over(self, to: str) -> None:
        """A queen has deleted her own key and named ``to``."""
        heir = self._world.hosts.get(to)
        if heir is None or heir.agent is None or not heir.well or to not in self._world.line:
            return
        if heir.agent.state.phase is Phase.WATCHING and not self._world.down:
            self._clean_since = self._world.queue.now

    def disturbed(self, weight: int = 1) -> None:
        """A fault begins: from here on more campaigns are excused, and a hand-over under way is not a clean one."""
        self._disturbed += weight
        self._clean_since = None
        self._fault_at = self._world.queue.now
        self._faults += 1
        self._expect_a_queen()

    def _expect_a_queen(self) -> None:
        """While there is none and nothing new goes wrong, one of those that are well follows in a bounded time."""
        if self._vacant_since is not None and self.terms:
            bound = vacancy_bound(self._world.timing, len(self._world.hosts))
            self._world.queue.after(bound, self._still_vacant, self._faults, self._vacant_since, bound)

    def started(self, host: Host) -> None:
        """A new life on ``host``: what the one before held is taken away as soon as it looks."""
        self.disturbed()
        self._world.queue.after(EVICT_S, self._still_held, host, self._faults)

    def _still_held(self, host: Host, faults: int) -> None:
        reigning = self._world.queen()
        if faults != self._faults or reigning is None or not host.well or self._world.down:
            return
        holder = reigning[0].incarnation
        if reigning[0].id == host.id and host.agent is not None and holder != host.agent.state.incarnation:
            self._fail(f"{holder} is gone, {host.id} runs again, and the key of term {reigning[1]} is still there")

    def _still_vacant(self, faults: int, since: float, bound: float) -> None:
        if (faults, since) != (self._faults, self._vacant_since) or self._world.down:
            return
        hosts = self._world.hosts.values()
        well = sum(host.well for host in hosts)
        if 2 * well > len(hosts) and any(host.well and host.candidate for host in hosts):
            self._fail(f"no queen for {bound:.1f} s, and {well} of {len(hosts)} hosts are well")

    # The end -----------------------------------------------------------------------------------------------------

    def lost_writes(self) -> int:
        """Acknowledged writes that are not in the store."""
        return sum(key not in self._world.etcd.history.now for key in self._acknowledged)

    def disagreement(self) -> str:
        """Why the colony is not of one mind, or ''."""
        queen = self._world.queen()
        if queen is None:
            return "there is no queen"
        record, term = queen
        acting = [a.host.id for a in self._world.agents() if a.duty]
        if acting != [record.id]:
            return f"{record.id} has the queen key, but those who act are {acting}"
        left = [key for key in self._world.etcd.history.now if key.startswith(self._world.keys.key("suspect/"))]
        if left:
            return f"{left[0].decode()} was not taken back"
        blind = [a.host.id for a in self._world.agents() if a.state.queen_term != term]
        return f"{', '.join(blind)} do not know of term {term}" if blind else ""

    def leftovers(self) -> str:
        """What is not as it should be when all is quiet: a sign of life, a copy of etcd, a lease nobody needs."""
        agents, now = self._world.agents(), self._world.etcd.history.now
        for agent in agents:
            shown = now.get(self._world.keys.key("presence", agent.host.id))
            if shown is None or from_json(shown.value, Report) != agent.host.report(leaving=False):
                return f"{agent.host.id} is not shown as it is"
            wrong = next((kv.key for kv in agent.copied() if now.get(kv.key) != kv), None)
            if wrong is not None:
                return f"{agent.host.id} believes another {wrong.decode()} than etcd has"
            if (missing := self._uncopied(agent)) is not None:
                return f"{agent.host.id} has not heard of {missing.decode()}"
        here = {self._world.keys.key("presence", agent.host.id) for agent in agents}
        signs = self._world.keys.key("presence/")
        if (ghost := next((key for key in now if key.startswith(signs) and key not in here), None)) is not None:
            return f"{ghost.decode()} is shown, and nobody runs there"
        left = len(self._world.etcd.leases) - len(agents) - 1
        return f"{left} leases are kept that nobody needs" if left > 0 else ""

    def _uncopied(self, agent: Agent) -> bytes | None:
        """A key that etcd has and this agent's copy has not."""
        known = {kv.key for kv in agent.copied()}
        ranges = self._world.etcd.history
        return next((k for r in self._world.watched for k in ranges.keys(*r) if k not in known), None)
