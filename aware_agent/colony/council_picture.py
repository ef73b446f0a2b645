"""What one look at the council shows: who votes, who is alive, who could sit, who could go. Pure questions."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import cached_property

from aware_agent.colony.node import Status
from aware_agent.colony.seats import Candidate, Council, Look, Member


class Picture:
    """Answers about one :class:`Look` at Unix time ``now``."""

    def __init__(self, look: Look, state: Council, now: float) -> None:
        self.look = look
        self.state = state
        self.now = now
        self.candidates = {c.id: c for c in look.candidates}
        self.voters = tuple(sorted((m for m in look.members if not m.learner), key=lambda m: m.node))
        self.learners = tuple(m for m in look.members if m.learner)
        self.alive = tuple(m for m in self.voters if m.healthy)

    @staticmethod
    def majority(voters: int) -> int:
        """How many of ``voters`` have to be alive."""
        return voters // 2 + 1

    @property
    def quorum(self) -> int:
        """How many have to be alive now."""
        return self.majority(len(self.voters))

    def safe_to_remove(self, member: Member) -> bool:
        """Whether a majority of those who stay is alive. The last voter is never removed."""
        stays = len(self.voters) - 1
        alive = len(self.alive) - member.healthy
        return stays > 0 and alive >= self.majority(stays)

    def is_steady(self, member: Member) -> bool:
        """Whether it may lead etcd: its node is one of the colony's, is ready, and is not about to restart."""
        candidate = self.candidates.get(member.node)
        return candidate is not None and candidate.status is Status.READY and not candidate.restarts

    def is_away(self, member: Member) -> bool:
        """Whether somebody sent its node away: nobody waits for it."""
        candidate = self.candidates.get(member.node)
        return candidate is not None and candidate.status is Status.AWAY

    def name(self, node: str) -> str:
        """Of a node, for people; of one that is gone whatever is known."""
        if node in self.candidates:
            return self.candidates[node].name
        named = next((m.name for m in self.look.members if m.node == node and m.name), "")
        return named or self.look.names.get(node, node)

    def silent_for(self, member: Member) -> float:
        """Seconds since it was first seen silent, 0 while it answers."""
        return self.now - self.state.silent_since.get(member.id, self.now)

    def lost_for(self, member: Member) -> float:
        """Seconds a silent member is away: as seen here, or longer if its node was found dead before."""
        if member.healthy:
            return 0.0
        candidate = self.candidates.get(member.node)
        dead = candidate is not None and candidate.status is Status.DEAD
        return max(self.silent_for(member), self.now - candidate.status_since if candidate and dead else 0.0)

    def back_for_less_than(self, seconds: float, member: Member) -> bool:
        """Whether its node became ready only a moment ago, so that its etcd cannot be expected to run yet."""
        candidate = self.candidates.get(member.node)
        if candidate is None or candidate.status is not Status.READY:
            return False
        return self.now - candidate.status_since < seconds

    @cached_property
    def free(self) -> tuple[Candidate, ...]:
        """Those who could take a seat now."""
        sitting = {m.node for m in self.look.members}
        return tuple(c for c in self.look.candidates if c.id not in sitting and not self.obstacle(c))

    def obstacles(self) -> str:
        """Why the others cannot sit, as the end of a sentence."""
        sitting = {m.node for m in self.look.members}
        known = [said for c in self.look.candidates if c.id not in sitting and (said := self.obstacle(c))]
        return f": {'; '.join(sorted(known)[:5])}" if known else ", and no other node is allowed into the council"

    def obstacle(self, candidate: Candidate) -> str:
        """Why it cannot be given a seat now, as the end of a sentence; empty when it can."""
        until = self.state.avoid.get(candidate.id, 0.0)
        if candidate.obstacle or until <= self.now:
            return candidate.obstacle
        # The hour and not a count of seconds: a sentence that changes with each look would be told with each look.
        hour = datetime.fromtimestamp(int(until), UTC).strftime("%H:%M:%S UTC")
        return f"{candidate.name} did not get its etcd to run, and is asked again at {hour}"

    def next_to_sit(self) -> Candidate:
        """Whose zone has the fewest seats; the longest known node among equals. There must be somebody :attr:`free`."""
        taken = self._zones()
        return min(self.free, key=lambda c: (taken[c.zone], c.id))

    def most_dispensable(self) -> Member | None:
        """Who goes when the council is too large: the lost, who gives its seat away, one of the fullest zone.

        Never the queen: when she was to give hers away, whoever was to get it goes.
        """
        taken = self._zones()
        move = self.look.move
        gives = "" if move is None else move.target if move.source == self.look.queen else move.source
        may_go = [m for m in self.voters if m.node != self.look.queen and self.safe_to_remove(m)]

        def rank(member: Member) -> tuple[bool, bool, int, bool, str]:
            zone = taken[self._zone(member)]
            return not member.healthy, member.node == gives, zone, not member.leads, member.node

        return max(may_go, key=rank, default=None)

    def _zones(self) -> Counter[str]:
        return Counter(self._zone(m) for m in self.voters)

    def _zone(self, member: Member) -> str:
        candidate = self.candidates.get(member.node)
        return candidate.zone if candidate else ""
