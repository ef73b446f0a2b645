"""The failure detector of a council member: listens to the queen, and acts when the council does not hear her any more.

What is decided stands in :mod:`aware_agent.colony.suspicion`. What is done: a heartbeat on the channel that is there
anyway, one key in etcd while this member suspects her, and for whoever follows her one transaction that ends her term.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from aware_agent.agent.history import put_event
from aware_agent.agent.reader import ColonyReader
from aware_agent.background import Background
from aware_agent.colony import suspicion
from aware_agent.colony.connection import Connection
from aware_agent.colony.decision_log import DecisionLog
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.seats import CouncilRecord
from aware_agent.colony.suspicion import Decision, Depose, Retract, Suspect, Suspicion
from aware_agent.store import ops
from aware_agent.store.errors import StoreError
from aware_agent.store.keys import Keys, prefix_end
from aware_agent.store.lease import HeldLease
from aware_agent.store.protocol import Store

log = logging.getLogger(__name__)

MAX_READ = 100  # keys of suspicion looked at: a council has seven members, what else lies there was put there by hand


class Peer(Protocol):
    """A channel to another member."""

    state: Connection

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""

    def probe(self) -> None:
        """Send a heartbeat now."""


class Around(NamedTuple):
    """What the detector asks the member it belongs to. All calls return at once."""

    channel: Callable[[str], Peer | None]  # to another member
    lease: Callable[[], HeldLease | None]  # of this member's presence; None while it shows none
    waiting: Callable[[], int]  # how much work of its own it has not got round to


class _Word(NamedTuple):
    """What this member says in etcd of the queen of ``term``."""

    term: int
    reason: str


class FailureDetector:
    """For the life of an agent. Call :meth:`look` when the channel to the queen moves, :meth:`changed` on changes."""

    def __init__(
        self,
        client: Store,
        keys: Keys,
        reader: ColonyReader,
        around: Around,
        state: Suspicion,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._keys = keys
        self._reader = reader
        self._around = around
        self._clock = clock
        self._wish: _Word | None = None
        self._said: tuple[_Word, HeldLease] | None = None
        self._left = 0  # term under which a key of ours may be there
        self._tasks = Background("what the failure detector writes")
        self._speaking: asyncio.Task[None] | None = None
        self._deposing: asyncio.Task[None] | None = None
        self.state = state
        self.decisions = DecisionLog()

    async def run(self) -> None:
        """Listen until cancelled."""
        beat = False
        try:
            while True:
                await asyncio.sleep(suspicion.look_interval(self.state.timing))
                beat = not beat
                channel = self._around.channel(self.state.queen) if beat and self.state.term else None
                if channel is not None and self.state.me in self.state.council:
                    channel.probe()
                self.look()
                self._speak()  # etcd may not have answered
        finally:
            await self._tasks.close()

    def look(self) -> None:
        """How is the queen?"""
        channel = self._around.channel(self.state.queen) if self.state.term else None
        waiting = self._around.waiting()
        if channel is None:
            self._post(suspicion.Looked(False, waiting=waiting))
            return
        is_now = channel.state
        self._post(suspicion.Looked(channel.is_open, is_now.broken, is_now.heard_at, waiting, is_now.absent))

    def changed(self) -> None:
        """etcd shows something new."""
        queen, record = self._reader.projection.get(self._keys.queen), self._reader.queen_record()
        reigns = suspicion.Reigns(0)
        if queen is not None and record is not None and record.id != self.state.me:
            reigns = suspicion.Reigns(queen.create_revision, record.id, record.name)
        self._post(reigns)
        members = suspicion.electorate(self._reader.one("council", CouncilRecord), self._reader.records())
        line = [node for node in self._reader.line() if record is None or node != record.id]
        place = line.index(self.state.me) if self.state.me in line else None
        self._post(suspicion.Council(members, place))
        self.told()

    def told(self) -> None:
        """Members said something of the queen, or took it back."""
        term = self.state.term
        if term:
            prefix = self._keys.suspicions(term)
            found = [kv.key[len(prefix) :] for kv in self._reader.projection.items(prefix)][:MAX_READ]
            self._post(suspicion.Told(term, tuple(key.decode(errors="replace") for key in found)))

    @property
    def reason(self) -> str:
        """Why this member suspects the queen; empty while it says nothing of her."""
        return self._wish.reason if self._wish else ""

    def facts(self) -> Mapping[str, Any]:
        """For diagnostics."""
        state = self.state
        return {
            "term": state.term,
            "suspects": state.suspects,
            "suspected_by": list(state.seen),
            "council": list(state.council),
            "patience_s": round(state.patience_s, 2),
        }

    def _post(self, event: suspicion.Event) -> None:
        now = self._clock()
        decision = suspicion.decide(self.state, event, now)
        self.decisions.add(now, self.state, event, decision)
        self._perform(decision)

    def _perform(self, decision: Decision) -> None:
        self.state = decision.state
        if decision.message:
            log.info(decision.message, extra={"fields": {"term": self.state.term}})
        for effect in decision.effects:
            match effect:
                case Suspect(term, reason):
                    self._wish = _Word(term, reason)
                    self._speak()
                case Retract():
                    self._wish = None
                    self._speak()
                case Depose():
                    if self._deposing is None or self._deposing.done():
                        self._deposing = self._tasks.start(self._depose(effect, decision.message))

    # What this member says -------------------------------------------------------------------------------------------

    def _speak(self) -> None:
        if self._next_word() is not None and (self._speaking is None or self._speaking.done()):
            self._speaking = self._tasks.start(self._speak_until_said())

    def _next_word(self) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """What is to be written next; None when etcd says what it should, or cannot now."""
        if self._left and (self._wish is None or self._wish.term != self._left):
            return partial(self._take_back, self._left)
        lease = self._around.lease()
        if self._wish is None or lease is None or self._said == (self._wish, lease):
            return None
        return partial(self._say, self._wish, lease)

    async def _speak_until_said(self) -> None:
        """One after the other, so that what is taken back was written before. Given up when etcd does not answer."""
        try:
            while (word := self._next_word()) is not None:
                await word()
        except StoreError as error:
            log.debug("suspicion not written: %s", error.message)

    async def _say(self, word: _Word, lease: HeldLease) -> None:
        self._left = word.term  # from here on it may be there, whatever etcd answers
        value = json.dumps({"reason": word.reason}).encode()
        put = ops.put(self._key(word.term), value, lease=lease.id)
        # Of a queen who does not reign any more nothing is said: nobody would take it back.
        result = await self._client.txn([ops.created(self._keys.queen, word.term)], [put])
        if result.succeeded:
            self._said = word, lease
        elif self._wish == word:
            self._wish = None

    async def _take_back(self, term: int) -> None:
        self._said = None
        await self._client.delete(self._key(term))
        if self._left == term:
            self._left = 0

    def _key(self, term: int) -> bytes:
        return self._keys.key("suspect", str(term), self.state.me)

    # What follows when enough of them say it ---------------------------------------------------------------------

    async def _depose(self, effect: Depose, why: str) -> None:
        """etcd counts: whoever takes it back before this transaction is not of the majority."""
        term, queen, name = effect.term, self.state.queen, self.state.name
        prefix, everybody = self._keys.suspicions(term), self.state.council
        who = why.partition(":")[0]
        line = EventDraft("queen.deposed", queen, f"{name} is deposed, term {term} is over: {who}", Severity.WARNING)
        compares = [ops.created(self._keys.queen, term), *(ops.exists(prefix + one.encode()) for one in effect.members)]
        changes = [
            ops.delete(self._keys.queen),
            ops.delete_range(prefix, prefix_end(prefix)),
            put_event(self._keys, line, term=term, actor=self.state.me),
        ]
        try:
            result = await self._client.txn(compares, changes, [ops.get(prefix + one.encode()) for one in everybody])
        except StoreError as error:
            log.warning("the queen of term %d is not deposed yet: %s", term, error.message)
            return
        if not result.succeeded:  # somebody took it back, or she is gone: the others may still be enough
            still = tuple(one for number, one in enumerate(everybody) if result.first(number) is not None)
            asyncio.get_running_loop().call_soon(self._post, suspicion.Told(term, still))  # when this task is done
