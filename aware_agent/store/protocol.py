"""What AWARE needs of its store, whatever is behind it: etcd (``client``), or the etcd in memory (``memory``).

A store that implements this has etcd's semantics: one linear history of revisions, a create revision and a version
for every key, transactions with compares, leases whose keys go with them, watches that resume at a revision, and a
history that may be compacted.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aware_agent.store import ops
from aware_agent.store.health import MemberState
from aware_agent.store.model import Grant, KeyValue, RangeResult, TxnResult, WatchBatch

KeyRange = tuple[bytes, bytes]
OnContact = Callable[[bool], None]


class KeepAlives(Protocol):
    """One open stream of keepalives. Every method but :meth:`abort` raises :class:`failures.StreamBroken`."""

    @property
    def endpoint(self) -> str:
        """Where it goes to."""

    async def send(self, lease: int) -> None:
        """Ask for the full time of ``lease`` again."""

    async def receive(self) -> tuple[int, int]:
        """The next answer, in the order they were asked: lease and seconds it has now, 0 for a lease that is gone."""

    def abort(self, reason: str) -> None:
        """Nobody answers: whoever sends or receives gets StreamBroken, and the connection is not reused."""


class Store(Protocol):
    """Reads and writes. Errors of every method: StoreUnreachable, StoreRefused, StoreError (``store.errors``)."""

    @property
    def closed(self) -> bool:
        """Whether it was closed for good."""

    async def get(self, key: bytes, *, revision: int = 0, serializable: bool = False) -> KeyValue | None:
        """The key, now or as of ``revision``. ``serializable`` reads one member's memory and may be old.

        :raises Compacted: ``revision`` is no longer kept.
        """

    async def range(
        self, start: bytes, end: bytes, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> RangeResult:
        """All keys from ``start`` up to, without, ``end``, in order. :raises Compacted: see :meth:`get`."""

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> int:
        """Writes and returns the revision. The last writer wins: for anything else use :meth:`txn`.

        A lost reply is repeated, so ``version`` may grow by more than one. :raises LeaseGone: nothing was written.
        """

    async def delete(self, key: bytes) -> int:
        """Removes and returns how many keys went (0 or 1; also 0 when a repetition found it gone already)."""

    async def txn(
        self, compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult:
        """Runs ``success`` when all ``compares`` hold, else ``failure``, as one revision.

        :raises StoreUnreachable: with ``maybe_applied`` true when the reply is lost; it is never repeated then.
        :raises LeaseGone: a put named a dead lease; nothing was written.
        """

    async def grant(self, ttl: int) -> Grant:
        """A new lease of ``ttl`` seconds or the shortest that etcd allows. A lost reply leaves one that expires."""

    async def revoke(self, lease: int, *, deadline_s: float | None = None) -> None:
        """Ends the lease and removes its keys at once. One that is gone already is as good."""

    def keepalives(self) -> AbstractAsyncContextManager[KeepAlives]:
        """A stream that keeps leases; what keeps them over broken streams is :class:`lease.LeaseKeeper`."""

    def watch(
        self, ranges: Sequence[KeyRange], revision: int = 0, *, on_contact: OnContact | None = None
    ) -> AsyncGenerator[WatchBatch, None]:
        """Endless batches of what changes from ``revision`` on (0: from now) in ``ranges``.

        A range goes from its first key up to, without, the second; an empty second: only the first. Order holds
        within a range. A broken connection is resumed; ``on_contact`` hears whether there is one.
        :raises Compacted: list again. Close the iterator (``aclosing``) when done.
        """

    async def compact(self, revision: int) -> None:
        """Forgets the history before ``revision``."""


class Cluster(Store, Protocol):
    """A store whose members can be looked at."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """All members this client knows of."""

    def follow(self, endpoints: Sequence[str]) -> None:
        """The members have changed: these are they from now on. Leases and watches go on."""

    async def members(self, *, everyone: bool) -> list[MemberState]:
        """What the current endpoint, or every one, says of itself now. Raises nothing."""
