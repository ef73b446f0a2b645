"""A copy of some ranges of etcd in memory, kept current by one watch.

Reads cost a dictionary access. The copy only moves forward; after a compaction it lists again and tells its
subscribers the difference as one batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing

from aware_agent.store.errors import Compacted, StoreError
from aware_agent.store.keys import prefix_end
from aware_agent.store.listing import list_ranges
from aware_agent.store.model import Change, ChangeKind, KeyValue, WatchBatch
from aware_agent.store.protocol import KeyRange, Store
from aware_agent.store.subscription import ProjectionBatch, Subscription

log = logging.getLogger(__name__)

_RETRY_S = 0.5

Listener = Callable[[ProjectionBatch], None]


class Projection:
    """The ranges as of :attr:`revision`. Ranges must not overlap. Use one range where order across keys matters."""

    def __init__(self, client: Store, ranges: Sequence[KeyRange]) -> None:
        self._client = client
        self._ranges = tuple(ranges)
        self._kvs: dict[bytes, KeyValue] = {}
        self._order: list[bytes] | None = None
        self._known = [0] * len(self._ranges)
        self._listeners: list[Listener] = []
        self._subscriptions: set[Subscription] = set()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._contact = False
        self._heard = time.monotonic()
        self.failed: StoreError | None = None  # why it stands still, while it does

    async def start(self) -> None:
        """Lists and begins to watch. :raises StoreUnreachable, StoreRefused: nothing runs then."""
        if self._task is not None:
            raise RuntimeError("the projection runs already")
        await self._relist(first=True)
        self._task = asyncio.create_task(self._run(), name="projection")

    async def aclose(self) -> None:
        """Stops; the last state stays readable, subscriptions end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._set_contact(False)
        for subscription in list(self._subscriptions):
            subscription.close()

    @property
    def revision(self) -> int:
        """The newest revision that is in the copy."""
        return max(self._known, default=0)

    @property
    def stale_since(self) -> float | None:
        """Monotonic time of the last word from etcd while there is no contact, else None."""
        return None if self._contact else self._heard

    def get(self, key: bytes) -> KeyValue | None:
        """The key as of :attr:`revision`."""
        return self._kvs.get(key)

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._kvs)

    def items(self, prefix: bytes = b"") -> Iterator[KeyValue]:
        """All keys that start with ``prefix`` in order, as they are now."""
        if self._order is None:
            self._order = sorted(self._kvs)
        order = self._order
        first = bisect_left(order, prefix)
        last = bisect_left(order, prefix_end(prefix)) if prefix else len(order)
        return iter([self._kvs[key] for key in order[first:last]])

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls ``listener`` for every batch, when it is in the copy already. Returns how to end that.

        It runs inside the watch's task and must be quick; slow readers take :meth:`subscribe`.
        """
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def subscribe(self) -> Subscription:
        """The same batches from now on as async iterator; close it when done."""
        subscription = Subscription(self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    async def wait_revision(self, revision: int, timeout: float, *, key: bytes = b"") -> bool:  # noqa: ASYNC109
        """Waits until a write at ``revision`` inside the ranges is in the copy; False after ``timeout`` seconds.

        With several ranges name the ``key`` that was written: each range arrives on its own.
        """
        try:
            async with asyncio.timeout(timeout):
                while self._known_of(key) < revision:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def wait_key(self, key: bytes, mod_revision: int, timeout: float) -> bool:  # noqa: ASYNC109
        """Waits until ``key`` is in the copy as of ``mod_revision`` or newer, 0: until it is gone; False in vain."""

        def shows() -> bool:
            kv = self._kvs.get(key)
            return kv.mod_revision >= mod_revision > 0 if kv else mod_revision == 0

        try:
            async with asyncio.timeout(timeout):
                while not shows():
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def _known_of(self, key: bytes) -> int:
        for (start, end), known in zip(self._ranges, self._known, strict=True):
            if key and start <= key < end:
                return known
        return self.revision

    async def _run(self) -> None:
        while not self._client.closed:
            try:
                await self._follow()
            except Compacted as compacted:
                log.info("%s", compacted)
                await self._relist_until_done()
            except StoreError as error:
                await self._fail(error)

    async def _follow(self) -> None:
        revision = min(self._known) + 1
        watching = self._client.watch(self._ranges, revision, on_contact=self._set_contact)
        async with aclosing(watching) as batches:
            async for batch in batches:
                if not batch.progress:
                    self._apply(batch)

    def _apply(self, batch: WatchBatch) -> None:
        known = self._known[batch.index]
        changes = [self._take(change) for change in batch.events if change.kv.mod_revision > known]
        self._known[batch.index] = max(known, batch.revision)
        if changes:
            self._tell(ProjectionBatch(revision=self.revision, changes=tuple(changes)))

    def _take(self, change: Change) -> Change:
        key = change.kv.key
        prev = self._kvs.get(key)
        if change.kind is ChangeKind.DELETE:
            self._kvs.pop(key, None)
            self._order = None
        else:
            self._kvs[key] = change.kv
            if prev is None:
                self._order = None
        return Change(kind=change.kind, kv=change.kv, prev=prev)

    async def _relist_until_done(self) -> None:
        while not self._client.closed:
            try:
                await self._relist(first=False)
                break
            except StoreError as error:
                await self._fail(error)

    async def _fail(self, error: StoreError) -> None:
        """Even a refusal may end (somebody mends the role), so it goes on; readers see that the copy is stale."""
        self._set_contact(False)
        log.log(logging.DEBUG if self.failed else logging.WARNING, "the projection stands still: %s", error)
        self.failed = error
        await asyncio.sleep(_RETRY_S)

    async def _relist(self, *, first: bool) -> None:
        revision, listed = await list_ranges(self._client, self._ranges)
        new = {key: kv for found in listed for key, kv in found.items()}
        changes = () if first else difference(self._kvs, new, revision)
        self._kvs = new
        self._order = None
        self._known = [revision] * len(self._ranges)
        self._set_contact(True)
        if not first:
            self._tell(ProjectionBatch(revision=revision, changes=changes, relisted=True))

    def _tell(self, batch: ProjectionBatch) -> None:
        self._moved.set()
        for listener in list(self._listeners):
            try:
                listener(batch)
            except Exception:  # one listener's fault must not stop the copy for all
                log.exception("a listener of the projection failed")
        for subscription in list(self._subscriptions):
            subscription.feed(batch)

    def _set_contact(self, contact: bool) -> None:
        self._contact = contact
        if contact:
            self._heard = time.monotonic()
            self.failed = None


def difference(old: dict[bytes, KeyValue], new: dict[bytes, KeyValue], revision: int) -> tuple[Change, ...]:
    """What leads from ``old`` to ``new``, in key order; a vanished key is deleted "at" ``revision``."""
    changes: list[Change] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if after is None:
            gone = KeyValue(key=key, mod_revision=revision)
            changes.append(Change(kind=ChangeKind.DELETE, kv=gone, prev=before))
        elif before is None or before.mod_revision != after.mod_revision or before.value != after.value:
            changes.append(Change(kind=ChangeKind.PUT, kv=after, prev=before))
    return tuple(changes)
