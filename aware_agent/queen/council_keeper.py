"""Keeps the council: looks at etcd's members, lets :mod:`aware_agent.colony.council` decide, and does that one step.

Changes of etcd's members are no transactions, so they cannot be fenced themselves: before each the queen writes one
line of history under her term, which a deposed queen cannot. What she then still does is at worst one step that her
successor would not have made; etcd judges it as any other, and the successor's next look shows it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from aware_agent.colony.council import decide
from aware_agent.colony.decision_log import DecisionLog, keeper_tells
from aware_agent.colony.errors import AwareError, Deposed
from aware_agent.colony.ids import ULID
from aware_agent.colony.seats import (
    AddLearner,
    Blind,
    Candidate,
    Council,
    CouncilRecord,
    Decision,
    Done,
    EndMove,
    Event,
    Failed,
    GiveSeat,
    Look,
    Member,
    MoveLeader,
    Promote,
    Refuse,
    Remove,
    Seat,
    SeatMove,
    SeatRecord,
    Step,
    TakeSeat,
    Wait,
)
from aware_agent.colony.spec import CouncilSpec
from aware_agent.store.errors import StoreError
from aware_agent.store.members import PeerEntry, PeerStatus, client_address

log = logging.getLogger(__name__)

LOOK_S = 2.0
IDLE_S = 10.0  # while the spec says nothing about a council


class Membership(Protocol):
    """The members of etcd; see :class:`store.members.Members`."""

    async def list(self) -> tuple[PeerEntry, ...]:
        """All of them. Raises StoreError."""

    async def statuses(self, members: tuple[PeerEntry, ...], /) -> dict[int, PeerStatus]:
        """What those that answer say of themselves, by id."""

    async def add_learner(self, peer_url: str, /) -> object:
        """One more. Raises StoreError."""

    async def promote(self, member: int, /) -> None:
        """Let a learner vote. Raises StoreError."""

    async def remove(self, member: int, /) -> None:
        """One less. Raises StoreError."""

    async def move_leader(self, to: int, members: tuple[PeerEntry, ...], /) -> None:
        """Let another voter lead. Raises StoreError."""


class Colony(Protocol):
    """What the keeper has to know of the colony, and what it tells nodes. Writes are fenced: Deposed, StoreError."""

    @property
    def me(self) -> str:
        """Node id of the queen."""

    def council_spec(self) -> CouncilSpec | None:
        """What is wanted; None: the members of etcd are somebody else's business."""

    def candidates(self) -> tuple[Candidate, ...]:
        """Nodes that an admin allowed into the council."""

    def council(self) -> CouncilRecord | None:
        """Who the members are, as was told last."""

    def peer_url(self, node: str) -> str:
        """Where other members reach etcd on this node; '' when it is not known."""

    def seats(self) -> Mapping[str, SeatRecord]:
        """What nodes were told, by id."""

    def move(self) -> SeatMove | None:
        """Which seat an admin wants to move."""

    async def end_move(self) -> None:
        """Forget that."""

    async def publish(self, council: CouncilRecord) -> None:
        """Tell everybody who the members are, when that changed."""

    async def announce(self, step: Step, sentence: str) -> None:
        """Write what is about to be done into the history."""

    async def give_seat(self, node: str, seat: SeatRecord) -> None:
        """Tell a node which member it is."""

    async def take_seat(self, node: str) -> None:
        """Tell a node that it is none any more."""


class CouncilKeeper:
    """For one reign. :meth:`work` is asked over and over; it makes at most one step."""

    def __init__(self, colony: Colony, members: Membership, clock: Callable[[], float] = time.time) -> None:
        self._colony = colony
        self._members = members
        self._clock = clock
        self._state = Council()
        self.decisions = DecisionLog(keeper_tells)
        self.trouble = ""  # what a person has to do something about, one sentence
        self.message = ""  # what is going on, one sentence
        self.settled = False  # nothing has to be changed, and nothing is waited for

    @property
    def state(self) -> Council:
        """What it remembers of its looks."""
        return self._state

    def use(self, members: Membership) -> None:
        """Other connections from now on."""
        self._members = members

    async def work(self) -> float:
        """One look and the step that follows. Returns the seconds until the next. Raises Deposed."""
        spec = self._colony.council_spec()
        if spec is None:
            self.trouble = self.message = ""
            return IDLE_S
        try:
            entries = await self._members.list()
            look = await self._look(spec, entries)
        except StoreError as error:
            self.settled = False
            self._take(self._decide(Blind(error.message)))
            return LOOK_S
        decision = self._decide(look)
        self.settled = decision.effect is None
        self._take(decision)
        record = self._record(look, entries)
        step = decision.effect
        if step is None or isinstance(step, Wait | Refuse):
            await self._colony.publish(record)
            return LOOK_S
        return 0.1 if await self._make(step, decision.message, record, entries) else LOOK_S

    async def _make(self, step: Step, sentence: str, record: CouncilRecord, entries: tuple[PeerEntry, ...]) -> bool:
        """Whether it was made. Whatever is said to it, it is over afterwards: else nothing would be looked at again."""
        try:
            await self._colony.publish(record)
            await self._colony.announce(step, sentence)
            await self._perform(step, entries)
        except Deposed:
            raise
        except AwareError as error:
            self._take(self._decide(Failed(step, error.message)))
            return False
        self._take(self._decide(Done(step)))
        return True

    def _decide(self, event: Event) -> Decision:
        now = self._clock()
        decision = decide(self._state, event, now)
        self.decisions.add(now, self._state, event, decision)
        return decision

    def _take(self, decision: Decision) -> None:
        self._state = decision.state
        if decision.message:
            level = logging.WARNING if isinstance(decision.effect, Refuse) else logging.INFO
            log.log(level, "council: %s", decision.message)
        self.message = decision.state.told
        self.trouble = decision.effect.reason if isinstance(decision.effect, Refuse) else ""

    async def _perform(self, step: Step, entries: tuple[PeerEntry, ...]) -> None:
        if isinstance(step, AddLearner):
            await self._members.add_learner(self._colony.peer_url(step.node))
        elif isinstance(step, Promote):
            await self._members.promote(step.member)
        elif isinstance(step, Remove):
            await self._members.remove(step.member)
        elif isinstance(step, MoveLeader):
            await self._members.move_leader(step.member, entries)
        elif isinstance(step, GiveSeat):
            await self._colony.give_seat(step.node, self._seat(step, entries))
        elif isinstance(step, EndMove):
            await self._colony.end_move()
        else:
            assert isinstance(step, TakeSeat)
            await self._colony.take_seat(step.node)

    def _record(self, look: Look, entries: tuple[PeerEntry, ...]) -> CouncilRecord:
        where = {entry.id: client_address(entry) for entry in entries}
        seats = tuple(
            Seat(
                member=member.id,
                node=member.node,
                name=member.name,
                endpoint=where[member.id],
                learner=member.learner,
                healthy=member.healthy,
                leads=member.leads,
            )
            for member in sorted(look.members, key=lambda member: member.name)
        )
        return CouncilRecord(seats=seats, message=self.message, trouble=self.trouble)

    def _seat(self, step: GiveSeat, entries: tuple[PeerEntry, ...]) -> SeatRecord:
        peers = {entry.name: entry.peer_urls[0] for entry in entries if entry.name and entry.peer_urls}
        peers[step.node] = next(entry.peer_urls[0] for entry in entries if entry.id == step.member)
        return SeatRecord(member=step.member, peers=peers)

    async def _look(self, spec: CouncilSpec, entries: tuple[PeerEntry, ...]) -> Look:
        said = await self._members.statuses(entries)
        candidates = self._colony.candidates()
        names = {candidate.id: candidate.name for candidate in candidates}
        told = self._colony.council()
        # A removed node keeps its name for as long as it sits: people, and playbooks, wait for that name to go.
        known = {seat.node: seat.name for seat in told.seats} if told else {}
        members = []
        for entry in entries:
            node = self._node_of(entry, names)
            status = said.get(entry.id)
            members.append(
                Member(
                    id=entry.id,
                    node=node,
                    name=names.get(node) or known.get(node) or entry.name,
                    learner=entry.learner,
                    healthy=status is not None and status.leader != 0,
                    leads=status is not None and status.leader == entry.id,
                    index=status.applied if status else 0,
                )
            )
        seats = {node: seat.member for node, seat in self._colony.seats().items()}
        return Look(
            spec=spec,
            queen=self._colony.me,
            members=tuple(members),
            candidates=candidates,
            seats=seats,
            names=known,
            move=self._colony.move(),
        )

    def _node_of(self, entry: PeerEntry, names: Mapping[str, str]) -> str:
        """By its name, which is the node's id; by where it is reached before it started."""
        if entry.name in names:
            return entry.name
        seated = next((node for node, seat in self._colony.seats().items() if seat.member == entry.id), "")
        if seated or entry.name:
            return seated or (entry.name if ULID.fullmatch(entry.name) else "")
        return next((node for node in names if self._colony.peer_url(node) in entry.peer_urls), "")
