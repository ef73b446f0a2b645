"""How an agent takes, keeps and gives back the throne: leases and transactions, and what to do without an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aware_agent.colony.election import Crown, Event, Failed, Handover, LeaseLost, Lost, Renewed, Won
from aware_agent.colony.simulator.etcd import LEASE_GONE
from aware_agent.colony.simulator.news import HANDOVER, QUEEN

if TYPE_CHECKING:
    from aware_agent.colony.simulator.agent import Agent

Seat = tuple[Crown | None, int]


@dataclass
class Held:
    """A lease of mine; ``deadline`` counts from the sending of the last keepalive that was answered."""

    lease: int
    deadline: float


class Throne:
    """The campaign and the lease of one agent. ``busy`` counts what an exit has to wait for."""

    def __init__(self, agent: Agent) -> None:
        self.busy = 0
        self._agent = agent
        self._etcd = agent.world.etcd
        self._ttl = agent.world.timing.queen_ttl_s
        self._held: Held | None = None
        self._given_up = 0  # lease that is no longer renewed

    def campaign(self, crown: Crown) -> None:
        """Grant a lease, create the key if absent, and feed Won, Lost or Failed."""
        self.busy += 1
        sent = self._agent.now()
        self._agent.call(lambda: self._etcd.grant(self._ttl), lambda lease: self._granted(lease, sent, crown))

    def _granted(self, lease: int | None, sent: float, crown: Crown) -> None:
        if lease is None:
            self._conclude(Failed("etcd did not answer"))
            return
        held = self._held = Held(lease, sent + self._ttl)
        self._agent.after(self._ttl / 3, self._renew, held)
        self._agent.call(lambda: self._try(crown, lease), lambda seat: self._tried(seat, held))

    def _try(self, crown: Crown, lease: int) -> Seat | int:
        self._agent.world.checker.campaigned()
        term = self._etcd.txn(QUEEN, 0, {QUEEN: (crown, lease)})
        return LEASE_GONE if term == LEASE_GONE else self._read()

    def _read(self) -> Seat:
        key = self._etcd.keys.get(QUEEN)
        return (key.value, key.created) if key else (None, 0)

    def _tried(self, seat: Seat | int | None, held: Held) -> None:
        if isinstance(seat, tuple):
            self._judge(seat, held)
        elif seat is None:  # it may have been applied: only the key itself can tell
            self._agent.call(self._read, lambda found: self._judge(found or (None, 0), held))
        else:
            self._conclude(Failed("my lease was over"))

    def _judge(self, seat: Seat, held: Held) -> None:
        crown, term = seat
        if crown is None:
            self._conclude(Failed("no answer from etcd"))
        elif crown.incarnation == self._agent.state.incarnation:
            self._conclude(Won(term, held.deadline))
        else:
            self._conclude(Lost(crown, term))

    def _conclude(self, event: Event) -> None:
        if not isinstance(event, Won):
            self.let_go()
            self._revoke()
        self._agent.feed(event)
        self.busy -= 1
        self._agent.maybe_stop()

    def _renew(self, held: Held) -> None:
        if held is not self._held:
            return
        sent = self._agent.now()
        self._agent.call(lambda: self._etcd.renew(held.lease), lambda ok: self._renewed(held, sent, ok))
        self._agent.after(self._ttl / 3, self._renew, held)

    def _renewed(self, held: Held, sent: float, alive: bool | None) -> None:
        if held is not self._held or alive is None:
            return
        if alive:
            held.deadline = max(held.deadline, sent + self._ttl)
            self._agent.feed(Renewed(held.deadline))
        else:
            self._agent.feed(LeaseLost())

    def let_go(self) -> None:
        """Renew no more."""
        if self._held:
            self._given_up, self._held = self._held.lease, None

    def _revoke(self) -> None:
        lease, self._given_up = self._given_up, 0
        if lease:
            self._agent.call(lambda: self._etcd.revoke(lease), lambda _: None)

    def hand_over(self, words: Handover) -> None:
        """Delete the key and leave word, in one transaction; then revoke the lease, whatever came of it."""
        self.busy += 1
        self.let_go()
        self._agent.call(lambda: self._hand(words), lambda _: self._handed())

    def _hand(self, words: Handover) -> None:
        done = self._etcd.txn(QUEEN, words.term, {HANDOVER: (words, 0)}, (QUEEN,))
        if done:
            self._agent.world.checker.handed_over(words.to)

    def _handed(self) -> None:
        self._revoke()
        self.busy -= 1
        self._agent.maybe_stop()
