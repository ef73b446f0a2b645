"""The election as it runs: feeds what happens in etcd to ``colony.election`` and performs what it decides.

One queue, one consumer: decisions are made one after the other, so their order is the order of the log. Stopping the
queen's duties is a plain function call made before anything else, because everything after it may block.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from aware_agent.agent.history import put_event
from aware_agent.background import Background
from aware_agent.colony import election
from aware_agent.colony.decision_log import DecisionLog, Machine
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.election import Decision, Election, Handover, QueenRecord
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.store import ops
from aware_agent.store.errors import StoreError, StoreUnreachable
from aware_agent.store.keys import Keys
from aware_agent.store.lease import HeldLease, LeaseKeeper
from aware_agent.store.protocol import Store

log = logging.getLogger(__name__)

STALL_S = 15.0  # performing one decision waits for one bounded request at most
READ_BACK_S = 0.1  # pause between attempts to learn the outcome of an unanswered campaign


class ReignLifecycle(Protocol):
    """What a reign needs from the rest of the agent. All calls return at once."""

    def prepare(self) -> None:
        """This node is the heir: load what a queen needs."""

    def begin(self, term: int) -> None:
        """Start the queen's duties under ``term``."""

    def end(self, term: int, reason: str) -> None:
        """Stop them; no write of ``term`` may be started after this returns."""

    def keeping(self) -> Machine | None:
        """What the council's keeper decided, while this node reigns and keeps one."""


class Elector:
    """One node's part in the election."""

    def __init__(
        self,
        client: Store,
        keeper: LeaseKeeper,
        keys: Keys,
        *,
        state: Election,
        queen_record: Callable[[], QueenRecord],
        reigns: ReignLifecycle,
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._keys = keys
        self._queen_record = queen_record
        self._reigns = reigns
        self._events: asyncio.Queue[election.Event] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._lease: HeldLease | None = None
        self._tasks = Background("a step of the election")
        self._settled = asyncio.Event()
        self._busy_since: float | None = None
        self.state = state
        self.decisions = DecisionLog()

    def post(self, event: election.Event) -> None:
        """Something happened; it is decided on in order."""
        self._events.put_nowait(event)

    @property
    def waiting(self) -> int:
        """How many events have not been decided on."""
        return self._events.qsize()

    def keeping(self) -> Machine | None:
        """What the council's keeper decided, while this node reigns and keeps one."""
        return self._reigns.keeping()

    def stalled(self) -> str:
        """What hangs; empty while decisions are made."""
        since = self._busy_since
        hangs = since is not None and self._keeper.clock() - since > STALL_S
        return f"the election is busy with one decision for more than {STALL_S:.0f} s" if hangs else ""

    async def run(self) -> None:
        """Decide until cancelled."""
        try:
            while True:
                self._busy_since = None
                event = await self._events.get()
                self._settled.clear()
                self._busy_since = self._keeper.clock()
                decision = election.decide(self.state, event, self._busy_since)
                self.decisions.add(self._busy_since, self.state, event, decision)
                await self._perform(decision)
                if self._events.empty():
                    self._settled.set()
        finally:
            if self._timer:
                self._timer.cancel()
            await self._tasks.close()

    async def leave(self, timeout_s: float) -> None:
        """Hand over if reigning; returns when it is done or after ``timeout_s``."""
        self._settled.clear()
        self.post(election.Quit())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._tasks or not self._events.empty() or not self._settled.is_set():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)

    async def _perform(self, decision: Decision) -> None:
        before, self.state = self.state, decision.state
        if decision.message:
            log.info(
                decision.message, extra={"fields": {"phase": self.state.phase.value, "term": self.state.queen_term}}
            )
        for effect in decision.effects:
            match effect:
                case election.WakeAt(when):
                    self._wake_at(when)
                case election.Campaign():
                    self._start(self._campaign())
                case election.Reign(term):
                    self._reigns.begin(term)
                case election.Abdicate(term, reason):
                    self._reigns.end(term, reason)
                    if not any(isinstance(other, election.HandOver) for other in decision.effects):
                        self._let_go()
                case election.HandOver(term, to, reason):
                    await self._hand_over(term, to, reason)
                case election.Evict(term):
                    self._start(self._evict(term))
        if election.position(self.state) == 0 and election.position(before) != 0:
            self._reigns.prepare()

    def _wake_at(self, when: float) -> None:
        if self._timer:
            self._timer.cancel()
        delay = max(0.0, when - self._keeper.clock())
        self._timer = asyncio.get_running_loop().call_later(delay, self.post, election.Tick())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(work)

    # Campaign ----------------------------------------------------------------------------------------------------

    async def _campaign(self) -> None:
        try:
            self._lease = await self._keeper.grant(self.state.timing.queen_ttl_s, on_renewed=self._renewed)
        except StoreError as error:
            self.post(election.Failed(error.message))
            return
        lease = self._lease
        self._start(self._watch_lease(lease))
        try:
            outcome = await self._create_queen_key(lease)
        except StoreError as error:
            outcome = election.Failed(error.message)
        if not isinstance(outcome, election.Won):
            self._let_go()
        self.post(outcome)

    async def _create_queen_key(self, lease: HeldLease) -> election.Won | election.Lost | election.Failed:
        queen_record = self._queen_record()
        though = ", though its gateway does not answer yet" if self.state.me in self.state.unserved else ""
        event = self._put_event("queen.elected", queen_record.id, f"{queen_record.name} is queen{though}")
        try:
            result = await self._client.txn(
                [ops.absent(self._keys.queen)],
                [ops.put(self._keys.queen, msgspec.json.encode(queen_record), lease=lease.id), event],
                [ops.get(self._keys.queen)],
            )
        except StoreUnreachable as error:
            if not error.maybe_applied:
                raise
            return await self._read_back(lease)
        if result.succeeded:
            return election.Won(result.revision, lease.deadline)
        holder = result.first()
        if holder is None:
            return election.Failed("another node reigned and left at once")
        return self._outcome(holder.value, holder.create_revision, lease)

    async def _read_back(self, lease: HeldLease) -> election.Won | election.Lost | election.Failed:
        """The transaction was not answered: look who holds the key, as long as my lease lives."""
        while lease.valid():
            try:
                holder = await self._client.get(self._keys.queen)
            except StoreError:
                await asyncio.sleep(READ_BACK_S)
                continue
            if holder is None:
                return election.Failed("the campaign was not answered and had no effect")
            return self._outcome(holder.value, holder.create_revision, lease)
        return election.Failed("the campaign was not answered while the lease lived")

    def _outcome(self, value: bytes, term: int, lease: HeldLease) -> election.Won | election.Lost | election.Failed:
        try:
            queen_record = from_json(value, QueenRecord)
        except UNDECODABLE as error:
            return election.Failed(f"the queen's key holds nothing that can be read: {str(error)[:200]}")
        if queen_record.incarnation == self.state.incarnation:
            return election.Won(term, lease.deadline)
        return election.Lost(queen_record, term)

    def _renewed(self, deadline: float) -> None:
        self.post(election.Renewed(deadline))

    async def _watch_lease(self, lease: HeldLease) -> None:
        await lease.lost.wait()
        if lease is self._lease:
            self.post(election.LeaseLost())

    def _let_go(self) -> None:
        """Give the lease up without waiting: if the revoke does not arrive, it runs out."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._start(self._revoke(lease))

    async def _revoke(self, lease: HeldLease) -> None:
        with contextlib.suppress(StoreError):
            await lease.revoke()

    # Giving up ---------------------------------------------------------------------------------------------------

    async def _hand_over(self, term: int, to: str, reason: str) -> None:
        me = self._queen_record()
        handover = Handover(term=term, to=to, reason=reason)
        event = self._put_event("queen.stepped-down", me.id, f"{me.name} hands term {term} over: {reason}", term=term)
        try:
            await self._client.txn(
                [ops.created(self._keys.queen, term)],
                [
                    ops.delete(self._keys.queen),
                    ops.put(self._keys.handover, msgspec.json.encode(handover)),
                    event,
                ],
            )
        except StoreError as error:
            log.warning("the hand-over was not answered (%s): the lease is given up instead", error.message)
        self._let_go()  # only now: revoked earlier, the key would vanish without naming a successor

    async def _evict(self, term: int) -> None:
        with contextlib.suppress(StoreError):
            await self._client.txn([ops.created(self._keys.queen, term)], [ops.delete(self._keys.queen)])

    def _put_event(self, kind: str, subject: str, message: str, term: int = 0) -> ops.Op:
        """A line of history written with the change itself. An election's own revision is its term."""
        line = EventDraft(kind, subject, message, Severity.NOTICE)
        return put_event(self._keys, line, term=term, actor=self.state.me)
