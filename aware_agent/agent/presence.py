"""A node's sign of life: its report under a lease of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable

import msgspec

from aware_agent.colony.node import Report
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from aware_agent.store.keys import Keys
from aware_agent.store.lease import HeldLease, LeaseKeeper

log = logging.getLogger(__name__)

RETRY_S = 0.5
STALL_S = 30.0  # every request to etcd is bounded by far less
UNKEPT = 5  # leases in a row that etcd granted and nobody kept: what keeps them hangs


class Presence:
    """Keeps ``presence/<id>`` true: written once, again when the report changes or the lease was lost."""

    def __init__(
        self, client: EtcdClient, keeper: LeaseKeeper, keys: Keys, *, node: str, ttl_s: int, report: Report
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._key = keys.key("presence", node)
        self._ttl_s = ttl_s
        self._changed = asyncio.Event()
        self._lease: HeldLease | None = None
        self._turned_at = time.monotonic()
        self._shown: HeldLease | None = None
        self._granted = 0.0  # deadline of the lease as it was granted
        self._unkept = 0
        self.report = report

    @property
    def shown(self) -> bool:
        """Whether the key is there, under a lease that lives."""
        return self._shown is not None and not self._shown.lost.is_set()

    def stalled(self) -> str:
        """Why presence is not shown as it should be although etcd answers; empty while there is progress."""
        if self._unkept >= UNKEPT and not self._kept():
            return f"{self._unkept} leases in a row were granted and not one was renewed"
        idle = not self.shown and time.monotonic() - self._turned_at > STALL_S
        return f"presence neither shown nor tried for more than {STALL_S:.0f} s" if idle else ""

    def update(self, report: Report) -> None:
        """Announce a new report. After the good-bye nothing is announced any more: it would take it back."""
        if report != self.report and not self.report.leaving:
            self.report = report
            self._changed.set()

    async def run(self) -> None:
        """Keep the key until cancelled. Losing etcd is not an error here: it is tried again."""
        while True:
            self._turned_at = time.monotonic()
            try:
                await self._hold()
            except StoreError as error:
                log.warning("presence not written: %s", error.message)
                await asyncio.sleep(RETRY_S)

    async def _hold(self) -> None:
        lease = self._lease = await self._keeper.grant(self._ttl_s)
        self._granted = lease.deadline
        while not lease.lost.is_set():
            self._changed.clear()
            await self._client.put(self._key, msgspec.json.encode(self.report), lease=lease.id)
            self._shown = lease
            await _first(lease.lost.wait(), self._changed.wait())
        self._turned_at = time.monotonic()
        self._unkept = 0 if self._kept() else self._unkept + 1
        log.warning("presence lease lost; asking for another")

    def _kept(self) -> bool:
        """Whether the present lease was renewed at least once."""
        return self._lease is not None and self._lease.deadline > self._granted

    async def say_goodbye(self) -> None:
        """Mark the report as leaving and let the lease run out, so that the queen sees it whenever she looks."""
        if self._lease is None or self._lease.lost.is_set():
            return
        self.report = msgspec.structs.replace(self.report, leaving=True)
        try:
            await self._client.put(self._key, msgspec.json.encode(self.report), lease=self._lease.id)
        except StoreError as error:
            log.warning("good-bye not written: %s", error.message)


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
