"""The promises of the election, checked at every step. A broken one stops the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aware_agent.colony.election import Decision, Election, Phase, WakeAt
from aware_agent.colony.errors import AwareError
from aware_agent.colony.simulator.etcd import Change, Key
from aware_agent.colony.simulator.news import QUEEN

if TYPE_CHECKING:
    from aware_agent.colony.simulator.agent import Agent
    from aware_agent.colony.simulator.world import World


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
        self._world = world
        self._term = 0  # the newest
        self._throne = 0  # the term that reigns, 0 while vacant
        self._holders: dict[int, str] = {}
        self._acknowledged: set[str] = set()
        self._vacant_since: float | None = 0.0
        self._rush = 0  # campaigns since the throne fell vacant
        self._disturbed = 0  # what may excuse more of them
        self._clean_since: float | None = None  # a hand-over to a successor in good health

    def _fail(self, what: str) -> None:
        raise Broken(f"at {self._world.queue.now:.3f} s: {what}")

    # Agents ------------------------------------------------------------------------------------------------------

    def decided(self, agent: Agent, before: Election, decision: Decision, now: float) -> None:
        """After every decision."""
        after = decision.state
        if (after.term > 0) is not (after.phase is Phase.REIGNING):
            self._fail(f"{agent.host.id} is {after.phase} with term {after.term}")
        if after.phase is not before.phase and not decision.sentence:
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
        self.refused += not done
        if done and term != self._throne:
            self._fail(f"a write of {agent.host.id} under term {term} was taken while term {self._throne} reigns")

    def answered(self, key: str, done: bool | None) -> None:
        """The answer to a fenced write has reached its author."""
        if done:
            self._acknowledged.add(key)

    # Store -------------------------------------------------------------------------------------------------------

    def committed(self, revision: int, changes: tuple[Change, ...]) -> None:
        """A revision was written."""
        for change in changes:
            if change.key != QUEEN:
                continue
            if change.before:
                self._fell(change.before)
            if change.after:
                self._rose(change.after, revision)

    def _fell(self, key: Key) -> None:
        for agent in self._world.agents():
            if not agent.frozen and agent.duty == key.created:
                self._fail(f"the key of term {key.created} is gone and {agent.host.id} still acts under it")
        self._throne = 0
        self._vacant_since = self._world.queue.now
        self._rush = 0
        self._disturbed = sum(not host.well for host in self._world.hosts.values() if host.up)
        self._clean_since = None

    def _rose(self, key: Key, revision: int) -> None:
        if key.created != revision or key.created <= self._term:
            self._fail(f"term {key.created} after term {self._term} at revision {revision}")
        for agent in self._world.agents():
            if not agent.frozen and agent.duty:
                self._fail(f"{agent.host.id} still acts under term {agent.duty} when term {key.created} begins")
        self.terms += 1
        self._term = self._throne = key.created
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
        if heir.agent.state.phase is Phase.WATCHING and not self._world.etcd.down:
            self._clean_since = self._world.queue.now

    def disturbed(self, weight: int = 1) -> None:
        """A fault begins: from here on more campaigns are excused, and a hand-over under way is not a clean one."""
        self._disturbed += weight
        self._clean_since = None

    # The end -----------------------------------------------------------------------------------------------------

    def lost_writes(self) -> int:
        """Acknowledged writes that are not in the store."""
        return sum(key not in self._world.etcd.keys for key in self._acknowledged)

    def disagreement(self) -> str:
        """Why the colony is not of one mind, or ''."""
        queen = self._world.etcd.keys.get(QUEEN)
        if queen is None:
            return "there is no queen"
        acting = [a.host.id for a in self._world.agents() if a.duty]
        if acting != [queen.value.id]:
            return f"{queen.value.id} is crowned, but those who act are {acting}"
        blind = [a.host.id for a in self._world.agents() if a.state.seat_term != queen.created]
        return f"{', '.join(blind)} do not know of term {queen.created}" if blind else ""
