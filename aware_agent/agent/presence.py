"""A node's sign of life: its report under a lease of its own.

The key is claimed, not overwritten: a disk that was copied holds the same identity, and the copy would hide the node it
was copied from. What a predecessor of this very process left is taken over at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from aware_agent.agent.history import put_event
from aware_agent.agent.parts import IdentityInUse
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.node import Report
from aware_agent.store import ops
from aware_agent.store.errors import LeaseGone, StoreError
from aware_agent.store.keys import Keys
from aware_agent.store.lease import HeldLease, LeaseKeeper
from aware_agent.store.protocol import Store

log = logging.getLogger(__name__)

RETRY_S = 0.5
STALL_S = 30.0  # every request to etcd is bounded by far less
GRACE_S = 2.0  # how much longer than its lease a report may stay before its process is known to live
UNKEPT = 5  # leases in a row that etcd granted and nobody kept: what keeps them hangs


class Presence:
    """Keeps ``presence/<id>`` true: written once, again when the report changes or the lease was lost."""

    def __init__(
        self,
        client: Store,
        keeper: LeaseKeeper,
        keys: Keys,
        *,
        node: str,
        ttl_s: int,
        report: Report,
        term: Callable[[], int] = int,
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._keys, self._node, self._term = keys, node, term
        self._key = keys.key("presence", node)
        self._ttl_s = ttl_s
        self._changed = asyncio.Event()
        self._lease: HeldLease | None = None
        self._turned_at = self._keeper.clock()
        self._shown: HeldLease | None = None
        self._granted = 0.0  # deadline of the lease as it was granted
        self._unkept = 0
        self._other_since: float | None = None  # monotonic: somebody else's report is in the way
        self.claimed = asyncio.Event()
        self.report = report

    @property
    def shown(self) -> bool:
        """Whether the key is there, under a lease that lives."""
        return self._shown is not None and not self._shown.lost.is_set()

    @property
    def lease(self) -> HeldLease | None:
        """The lease under which the key is shown; None while it is not."""
        return self._shown if self.shown else None

    def stalled(self) -> str:
        """Why presence is not shown as it should be although etcd answers; empty while there is progress."""
        if self._unkept >= UNKEPT and not self._kept():
            return f"{self._unkept} leases in a row were granted and not one was renewed"
        idle = not self.shown and self._keeper.clock() - self._turned_at > STALL_S
        return f"presence neither shown nor tried for more than {STALL_S:.0f} s" if idle else ""

    def update(self, report: Report) -> None:
        """Announce a new report. After the good-bye nothing is announced any more: it would take it back."""
        if report != self.report and not self.report.leaving:
            self.report = report
            self._changed.set()

    async def run(self) -> None:
        """Keep the key until cancelled. Losing etcd is not an error here: it is tried again.

        Raises :class:`IdentityInUse` when another process keeps it.
        """
        while True:
            self._turned_at = self._keeper.clock()
            try:
                await self._hold()
            except StoreError as error:
                log.warning("presence not written: %s", error.message)
                if isinstance(error, LeaseGone) and self._lease is not None:
                    self._lease.lose()
                await asyncio.sleep(RETRY_S)

    async def _hold(self) -> None:
        lease = await self._lease_now()
        while not lease.lost.is_set():
            self._changed.clear()
            if await self._claim(lease):
                self._shown = lease
                await _first(lease.lost.wait(), self._changed.wait())
            else:
                await _first(lease.lost.wait(), asyncio.sleep(RETRY_S))
        self._turned_at = self._keeper.clock()
        self._unkept = 0 if self._kept() else self._unkept + 1
        log.warning("presence lease lost; asking for another")

    async def _lease_now(self) -> HeldLease:
        """The lease there is, or a new one. One that was granted and not used yet is kept alive by the keeper all the
        same: asking for another after each request that etcd did not answer would leave all of them to etcd for good.
        """
        if self._lease is None or self._lease.lost.is_set():
            self._lease = await self._keeper.grant(self._ttl_s)
            self._granted = self._lease.deadline
        return self._lease

    async def _claim(self, lease: HeldLease) -> bool:
        """Put the key under ``lease`` unless a living stranger holds it. Raises :class:`IdentityInUse`."""
        found = await self._client.get(self._key)
        if found is None or self._is_mine(found.value):
            free = ops.modified(self._key, found.mod_revision) if found else ops.absent(self._key)
            write = ops.put(self._key, msgspec.json.encode(self.report), lease=lease.id)
            if (await self._client.txn([free], [write])).succeeded:
                self._other_since = None
                self.claimed.set()
                return True
        now = self._keeper.clock()
        if self._other_since is None:
            self._other_since = now
            log.warning("a report of this node lies in etcd that it did not write; waiting for it to run out")
        elif found is not None and now - self._other_since > self._ttl_s + GRACE_S:
            await self._give_up(from_json(found.value, Report))
        return False

    async def _give_up(self, other: Report) -> None:
        """Say it in the history too: whoever copied the disk will not look into this node's log. Raises."""
        said = f"a second process with the identity of {other.name} came up at {self.report.url} and ended"
        event = EventDraft("node.duplicate", self._node, said, Severity.WARNING)
        await self._client.txn([], [put_event(self._keys, event, term=self._term(), actor=self._node)])
        raise IdentityInUse(self.report.name, other.address)

    def _is_mine(self, value: bytes) -> bool:
        """Whether it was written by this process, or by one that cannot live any more.

        Its address proves nothing: copies of one disk behind one translated address would take turns for ever. Who
        lived in this process's home is dead, because this one holds the lock there.
        """
        try:
            report = from_json(value, Report)
        except UNDECODABLE:
            return True
        mine = self.report
        at_home = mine.home != "" and report.home == mine.home
        return report.leaving or report.incarnation == mine.incarnation or at_home

    def _kept(self) -> bool:
        """Whether the present lease was renewed at least once."""
        return self._lease is not None and self._lease.deadline > self._granted

    async def say_goodbye(self) -> None:
        """Mark the report as leaving and let the lease run out, so that the queen sees it whenever she looks."""
        lease = self._lease
        if lease is None or lease.lost.is_set():
            return
        self.report = msgspec.structs.replace(self.report, leaving=True)
        try:
            found = await self._client.get(self._key)
            # A copy that is stopped before it was found out must not sign the original off.
            if found is not None and found.lease == lease.id:
                write = ops.put(self._key, msgspec.json.encode(self.report), lease=lease.id)
                await self._client.txn([ops.modified(self._key, found.mod_revision)], [write])
        except StoreError as error:
            log.warning("good-bye not written: %s", error.message)


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
