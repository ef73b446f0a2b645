"""A client of the etcd in memory: :class:`protocol.Store`, without a wire."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence

from aware_agent.store import ops
from aware_agent.store.errors import Compacted, LeaseGone, StoreError
from aware_agent.store.health import MemberState
from aware_agent.store.memory.answers import Answers
from aware_agent.store.memory.etcd import MemoryEtcd
from aware_agent.store.memory.history import inside
from aware_agent.store.model import Change, Grant, KeyValue, RangeResult, TxnResult, WatchBatch
from aware_agent.store.protocol import KeyRange, OnContact

_HERE = "memory"
Arrived = tuple[int, tuple[Change, ...]]


class MemoryStore:
    """One client. ``clock`` tells etcd's time whenever something is asked, and wakes it when a lease is over.

    Several clients share one ``etcd``.
    """

    def __init__(self, etcd: MemoryEtcd | None = None, clock: Callable[[], float] | None = None) -> None:
        self.etcd = etcd or MemoryEtcd()
        self._clock = clock
        self._closed = False
        self._open: set[_KeepAlives] = set()
        self._watching: set[asyncio.Event] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> MemoryStore:
        """Itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes."""
        await self.aclose()

    async def aclose(self) -> None:
        """From now on every request fails."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for stream in list(self._open):
            stream.abort("the client was closed")
        for more in self._watching:
            more.set()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def endpoints(self) -> tuple[str, ...]:
        """One, which has no address."""
        return (_HERE,)

    def follow(self, endpoints: Sequence[str]) -> None:
        """There is nobody else to follow."""

    async def members(self, *, everyone: bool) -> list[MemberState]:
        """It is always well."""
        del everyone
        return [MemberState(endpoint=_HERE, answers=not self._closed, leader=not self._closed)]

    async def get(self, key: bytes, *, revision: int = 0, serializable: bool = False) -> KeyValue | None:
        """See the protocol."""
        del serializable  # there is only one member
        await self._ask()
        found = self.etcd.range(key, revision=revision).kvs
        return found[0] if found else None

    async def range(
        self, start: bytes, end: bytes, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> RangeResult:
        """See the protocol."""
        await self._ask()
        return self.etcd.range(start, end, revision=revision, limit=limit, keys_only=keys_only)

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> int:
        """See the protocol."""
        await self._ask()
        return self.etcd.txn([], [ops.put(key, value, lease)]).revision

    async def delete(self, key: bytes) -> int:
        """See the protocol."""
        await self._ask()
        return 1 if self.etcd.txn([], [ops.get(key), ops.delete(key)]).first() else 0

    async def txn(
        self, compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult:
        """See the protocol."""
        await self._ask()
        return self.etcd.txn(compares, success, failure)

    async def grant(self, ttl: int) -> Grant:
        """See the protocol."""
        await self._ask()
        grant = self.etcd.grant(ttl)
        self._wake_for_leases()
        return grant

    async def revoke(self, lease: int, *, deadline_s: float | None = None) -> None:
        """See the protocol."""
        del deadline_s  # nothing takes time here
        await self._ask()
        try:
            self.etcd.revoke(lease)
        except LeaseGone:
            return

    async def compact(self, revision: int) -> None:
        """See the protocol."""
        await self._ask()
        self.etcd.compact(revision)

    def keepalives(self) -> _KeepAlives:
        """See the protocol."""
        self.ensure_open()
        return _KeepAlives(self, self._open)

    async def watch(
        self, ranges: Sequence[KeyRange], revision: int = 0, *, on_contact: OnContact | None = None
    ) -> AsyncGenerator[WatchBatch, None]:
        """See the protocol. One batch for each revision and range."""
        await self._ask()
        etcd, contact = self.etcd, on_contact or (lambda _: None)
        if revision > etcd.revision + 1:  # the history that the caller knows of was lost
            raise Compacted(etcd.revision, rewound=True)
        waiting: deque[Arrived] = deque(etcd.history.since(revision) if revision else ())
        more = asyncio.Event()

        def arrived(at: int, changes: tuple[Change, ...]) -> None:
            waiting.append((at, changes))
            more.set()

        end = etcd.listen(arrived)
        self._watching.add(more)
        try:
            contact(True)
            while not self._closed:
                while waiting:
                    for batch in _batches(waiting.popleft(), ranges):
                        yield batch
                more.clear()
                await more.wait()
            raise StoreError("the etcd client is closed")
        finally:
            end()
            self._watching.discard(more)

    async def kept(self, lease: int) -> int:
        """One keepalive."""
        await self._ask()
        seconds = self.etcd.keep(lease)
        self._wake_for_leases()
        return seconds

    def ensure_open(self) -> None:
        """:raises StoreError: it was closed."""
        if self._closed:
            raise StoreError("the etcd client is closed")

    async def _ask(self) -> None:
        """Every request gives the loop a turn, as one over a wire does."""
        self.ensure_open()
        await asyncio.sleep(0)
        self._advance()

    def _advance(self) -> None:
        if self._clock is not None:
            self.etcd.advance(self._clock())

    def _wake_for_leases(self) -> None:
        due = self.etcd.leases.next_due()
        if self._timer is not None:
            self._timer.cancel()
        if self._clock is not None and due is not None and not self._closed:
            delay = max(0.0, due - self._clock()) + 0.001
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._advance()
        self._wake_for_leases()


class _KeepAlives(Answers):
    """Implements :class:`protocol.KeepAlives`."""

    endpoint = _HERE

    def __init__(self, store: MemoryStore, open_: set[_KeepAlives]) -> None:
        super().__init__()
        self._store = store
        self._open = open_

    async def __aenter__(self) -> _KeepAlives:
        """Itself."""
        self._open.add(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nobody waits any more."""
        self._open.discard(self)

    async def send(self, lease: int) -> None:
        """See the protocol."""
        self._check()
        self._answers.put_nowait((lease, await self._store.kept(lease)))


def _batches(arrived: Arrived, ranges: Sequence[KeyRange]) -> list[WatchBatch]:
    revision, changes = arrived
    batches = []
    for index, (start, end) in enumerate(ranges):
        # As etcd sends them when nobody asks for it: without what was there before.
        events = tuple(Change(kind=c.kind, kv=c.kv) for c in changes if inside(c.kv.key, start, end))
        if events:
            batches.append(WatchBatch(revision=revision, events=events, index=index))
    return batches
