"""Gives room back in etcd: looks at its members, lets :mod:`aware_agent.colony.maintenance` decide, does that one step.

Compaction, defragmentation and alarms are no transactions. Before each step the queen proves that she still reigns: by
the line of history that tells of it, or, as a full etcd takes no transaction, by a linearizable read. A step that
a deposed queen makes all the same does no harm: etcd forgets history, or one member pauses.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from aware_agent.colony.errors import AwareError, Deposed
from aware_agent.colony.event import Severity
from aware_agent.colony.maintenance import (
    Compact,
    Decision,
    Defragment,
    Disarm,
    Disk,
    Done,
    Failed,
    Look,
    PutOnRecord,
    State,
    Step,
    decide,
    holds,
)
from aware_agent.colony.seats import Candidate, MoveLeader, Remove
from aware_agent.store.errors import StoreError
from aware_agent.store.members import Members, PeerEntry, PeerStatus

log = logging.getLogger(__name__)

CALM_LOOK_S = 10.0  # as often as a node looks at etcd while all is well
LOOK_S = 2.0  # while it is full


class Record(Protocol):
    """The queen's part: proof of her term, and history. Raises Deposed, StoreError."""

    @property
    def me(self) -> str:
        """Node id of the queen."""

    async def confirm(self) -> None:
        """Return while she reigns."""

    async def tell(self, kind: str, sentence: str, severity: Severity) -> None:
        """Write into the history."""


class Maintenance:
    """For one reign. :meth:`work` is asked over and over; it makes at most one step, which may take a minute or two."""

    def __init__(self, record: Record, members: Members, clock: Callable[[], float] = time.monotonic) -> None:
        self._record = record
        self._members = members
        self._clock = clock
        self._next = 0.0
        self._state = State()
        self._holds = False

    def use(self, members: Members) -> None:
        """Other connections from now on."""
        self._members = members

    @property
    def holds(self) -> bool:
        """Whether nothing else should change, as of the last look: see :func:`aware_agent.colony.maintenance.holds`."""
        return self._holds

    async def work(self, *, quiet: bool, hosts: Mapping[str, Candidate]) -> float:
        """One look and the step that follows, unless it is too early. Returns the seconds until the next.

        ``quiet``: nothing else changes in the council; ``hosts``: who may run etcd, by id. Raises Deposed.
        """
        now = self._clock()
        if now < self._next:
            return self._next - now
        try:
            entries = await self._members.list()
            said = await self._members.statuses(entries)
        except StoreError:  # the council's keeper says it
            self._holds = False
            return LOOK_S
        if not all(entry.name in hosts for entry in entries):  # an etcd of operators is theirs
            self._holds = False
            return CALM_LOOK_S
        look = self._look(entries, said, hosts, quiet=quiet)
        decision = decide(self._state, look, now)
        self._take(decision)
        if decision.effect is not None:
            await self._make(decision.effect, decision, entries)
        self._holds = holds(self._state, look, self._clock())
        calm = self._state.full_since is None and not self._holds and decision.effect is None
        pause = CALM_LOOK_S if calm else LOOK_S
        self._next = self._clock() + pause
        return pause

    def _look(
        self,
        entries: Sequence[PeerEntry],
        said: Mapping[int, PeerStatus],
        hosts: Mapping[str, Candidate],
        *,
        quiet: bool,
    ) -> Look:
        alarms = frozenset().union(*(status.alarms for status in said.values()))
        return Look(
            members=tuple(_disk(entry, said.get(entry.id), hosts[entry.name], alarms) for entry in entries),
            revision=max((status.revision for status in said.values()), default=0),
            queen=self._record.me,
            quiet=quiet,
            corrupt=any(kind == "CORRUPT" for _, kind in alarms),
            gone=tuple(sorted({who for who, kind in alarms if kind == "NOSPACE"} - {entry.id for entry in entries})),
        )

    async def _make(self, step: Step, decision: Decision, entries: Sequence[PeerEntry]) -> None:
        try:
            if decision.announced:
                await self._record.tell("etcd.maintained", decision.message, Severity.INFO)
            else:
                await self._record.confirm()
            await self._perform(step, entries)
        except Deposed:
            raise
        except AwareError as error:
            self._take(decide(self._state, Failed(step, error.message), self._clock()))
        else:
            self._take(decide(self._state, Done(step), self._clock()))

    async def _perform(self, step: Step, entries: Sequence[PeerEntry]) -> None:
        if isinstance(step, Compact):
            await self._members.compact(step.revision)
        elif isinstance(step, Defragment):
            await self._members.defragment(next(entry for entry in entries if entry.id == step.member))
        elif isinstance(step, MoveLeader):
            await self._members.move_leader(step.member, entries)
        elif isinstance(step, Remove):
            await self._members.remove(step.member)
        elif isinstance(step, Disarm):
            await self._members.disarm(step.members)
        else:
            assert isinstance(step, PutOnRecord)
            await self._record.tell("etcd.cured", step.sentence, Severity.WARNING)

    def _take(self, decision: Decision) -> None:
        self._state = decision.state
        if decision.message:
            log.log(logging.WARNING if decision.grave else logging.INFO, "etcd's room: %s", decision.message)


def _disk(entry: PeerEntry, status: PeerStatus | None, host: Candidate, alarms: frozenset[tuple[int, str]]) -> Disk:
    silent = Disk(
        id=entry.id,
        node=entry.name,
        name=host.name,
        voter=not entry.learner,
        healthy=False,
        quota=host.quota_mib << 20,
        full=(entry.id, "NOSPACE") in alarms,
    )
    if status is None:
        return silent
    return replace(
        silent,
        healthy=status.leader != 0,
        leads=status.leader == entry.id,
        size=status.size,
        in_use=status.in_use,
    )
