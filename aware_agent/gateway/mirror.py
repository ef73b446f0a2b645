"""The colony as a gateway reads it: its own copy of etcd, kept whoever reigns and also while nobody does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from types import MappingProxyType

from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.store_watch import StoreWatch
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.load import Loads, Row, known
from aware_agent.colony.seats import CouncilRecord
from aware_agent.colony.view import ColonyView
from aware_agent.gateway.errors import NotMirrored
from aware_agent.queen.history import EventBatch, History
from aware_agent.store.errors import StoreError, StoreUnreachable
from aware_agent.store.health import StoreState
from aware_agent.store.keys import Keys
from aware_agent.store.projection import Projection
from aware_agent.store.protocol import Cluster
from aware_agent.store.subscription import ProjectionBatch

log = logging.getLogger(__name__)

RETRY_S = 0.5
WAIT_S = 5.0  # how long a read waits to see a write
SETTLE_S = 2.0  # how long the answer to a write waits for that: well below what clients wait for an answer
QUEEN_S = 0.5  # how long a write waits for the next queen: elections take less
MAX_WAITING = 1000  # writes that do at once; whoever comes on top is told to come again
FORGET_S = 30.0  # an agent that did not say for so long how busy nodes are: nobody knows
NOBODY: Loads = MappingProxyType({})
STALE_S = 5.0  # without contact to etcd for longer, who reigned then need not reign now


class Mirror:
    """Reads raise :class:`NotMirrored` until the colony was read once; afterwards they never fail."""

    def __init__(self, client: Cluster, keys: Keys) -> None:
        self.keys = keys
        self._client = client
        self.projection = Projection(client, [keys.everything()])
        self._watch = StoreWatch(client, lambda: self.projection.stale_since is None)
        self._reader: ColonyReader | None = None
        self._history: History | None = None
        self._subscribers: list[Callable[[EventBatch], None]] = []
        self._moved = asyncio.Event()  # set, and replaced, when the queen's key changed
        self._waiting = 0
        self.loads: Loads = NOBODY
        self._forgetting: asyncio.TimerHandle | None = None
        self.patience_s = QUEEN_S
        self.mirrored = asyncio.Event()  # the colony was read once

    async def run(self) -> None:
        """Read the colony as soon as etcd lets us, then follow it until cancelled."""
        watching = asyncio.create_task(self._watch.run(), name="store-watch")
        complaint = ""
        try:
            while True:
                try:
                    await self.projection.start()
                    break
                except StoreError as error:
                    level = logging.DEBUG if error.message == complaint else logging.INFO
                    log.log(level, "the gateway waits for etcd: %s", error.message)
                    complaint = error.message
                    await asyncio.sleep(RETRY_S)
            self._open()
            await watching
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self.projection.aclose()

    def _open(self) -> None:
        reader = self._reader = ColonyReader(self.projection, self.keys)
        history = self._history = History(self.projection, self.keys)

        def on_batch(batch: ProjectionBatch) -> None:
            changed = [change.kv.key for change in batch.changes]
            reader.changed(batch.revision, changed)
            history.changed(changed, relisted=batch.relisted)
            if batch.relisted or self.keys.queen in changed:
                self._moved.set()
                self._moved = asyncio.Event()
            if batch.relisted or self.keys.key("council") in changed:
                self._follow(reader)

        self.projection.listen(on_batch)
        history.subscribe(self._publish)
        self._follow(reader)
        self.mirrored.set()

    def _follow(self, reader: ColonyReader) -> None:
        """etcd's members come and go: ask those of now, or this copy would end with the last of those of then."""
        council = reader.one("council", CouncilRecord)
        if council is not None and council.endpoints:
            self._client.follow(council.endpoints)

    def _publish(self, batch: EventBatch) -> None:
        for tell in tuple(self._subscribers):
            tell(batch)

    # Reading ---------------------------------------------------------------------------------------------------------

    @property
    def reader(self) -> ColonyReader:
        """Typed access. Raises :class:`NotMirrored`."""
        if self._reader is None:
            raise NotMirrored(self.store())
        return self._reader

    def view(self) -> ColonyView:
        """The picture at the copy's revision; the same object until that changes. Raises :class:`NotMirrored`."""
        return self.reader.view()

    def queen(self) -> QueenRecord | None:
        """Who reigns as far as this copy can know; None also when it heard nothing of etcd for long."""
        if self._reader is None or self._is_stale():
            return None
        return self._reader.queen_record()

    async def next_queen(self) -> QueenRecord | None:
        """As :meth:`queen`; while nobody reigns and an election may be under way, it waits for it, a moment."""
        queen = self.queen()
        hopeless = self._reader is None or self._is_stale() or self.store().trouble  # nobody is elected then
        if queen is not None or hopeless or self._waiting >= MAX_WAITING:
            return queen
        self._waiting += 1
        try:
            async with asyncio.timeout(self.patience_s):
                while (queen := self.queen()) is None:
                    await self._moved.wait()
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
        return queen

    def _is_stale(self) -> bool:
        """Whether nothing was heard of etcd for so long that nobody can say who reigns now."""
        since = self.projection.stale_since
        return since is not None and time.monotonic() - since > STALE_S

    def store(self) -> StoreState:
        """How etcd is as this process sees it."""
        return self._watch.state

    async def wait_revision(self, revision: int, limit_s: float = WAIT_S) -> None:
        """Return once the copy has reached ``revision``. Raises StoreUnreachable after ``limit_s``."""
        if not await self.projection.wait_revision(revision, limit_s):
            raise StoreUnreachable(f"revision {revision} has not come through yet", hint="retry")

    async def has_been(self, revision: int) -> bool:
        """Whether etcd has reached ``revision``; after a restore it may not have. True when etcd cannot be asked.

        This copy only knows what changed in the colony, and may lag behind the member that named the revision.
        """
        if revision <= self.projection.revision:
            return True
        try:
            now = await self._client.range(self.keys.queen, b"", keys_only=True)
        except StoreError:
            return True
        return revision <= now.revision

    def learn(self, rows: Iterable[Row]) -> None:
        """How busy nodes are and when they were heard, as the agent knows it now; of an agent that falls silent it is
        forgotten."""
        self.loads = known(rows, time.time())
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(FORGET_S, self._forget)

    def _forget(self) -> None:
        self.loads, self._forgetting = NOBODY, None

    # History ---------------------------------------------------------------------------------------------------------

    @property
    def oldest_event_revision(self) -> int:
        """Revision of the oldest event kept; 0 when there are no events."""
        return self._events.oldest

    def events(self, since: int, limit: int) -> EventBatch:
        """At most about ``limit`` events after ``since``; a revision is never cut in two."""
        return self._events.since(since, limit)

    def subscribe_events(self, callback: Callable[[EventBatch], None]) -> Callable[[], None]:
        """Call ``callback`` (must not block) with each batch of new events; returns how to end that."""
        self._subscribers.append(callback)

        def end() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return end

    @property
    def _events(self) -> History:
        if self._history is None:
            raise NotMirrored(self.store())
        return self._history
