"""What the election needs of etcd: one linear history, create revisions, leases with etcd's habits.

A lease ends at the first tick of the revoke loop (every 500 ms) after its time is up, and all keys on it go in one
revision. A new etcd leader gives every lease its full TTL plus one election timeout. Requests are applied in the
order they arrive; while there is no leader nothing is applied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from aware_agent.colony.simulator.clock import Queue

REVOKE_EVERY_S = 0.5
ELECTION_TIMEOUT_S = 1.0
LEASE_GONE = -1  # answer of a txn whose put names a lease that does not exist


class Key(msgspec.Struct, frozen=True):
    """A key as stored."""

    value: Any
    created: int
    lease: int


class Change(msgspec.Struct, frozen=True):
    """One key of a commit: what it was and what it is."""

    key: str
    before: Key | None
    after: Key | None


class Lease(msgspec.Struct):
    """A lease on the server."""

    ttl: float
    expires: float
    keys: set[str]


class Etcd:
    """The store. ``committed`` is called with every revision and its changes, in order."""

    def __init__(self, queue: Queue, committed: Callable[[int, tuple[Change, ...]], None]) -> None:
        self.revision = 0
        self.keys: dict[str, Key] = {}
        self.down_until = 0.0
        self._queue = queue
        self._committed = committed
        self._leases: dict[int, Lease] = {}
        self._granted = 0

    @property
    def down(self) -> bool:
        """True while there is no etcd leader."""
        return self._queue.now < self.down_until

    def change_leader(self, duration: float) -> None:
        """Lose the leader; a new one is there after ``duration``."""
        self.down_until = max(self.down_until, self._queue.now + duration)
        self._queue.at(self.down_until, self._promote)

    def _promote(self) -> None:
        if not self.down:
            for lease in self._leases.values():
                lease.expires = self._queue.now + lease.ttl + ELECTION_TIMEOUT_S

    def grant(self, ttl: float) -> int:
        """A new lease."""
        self._granted += 1
        self._leases[self._granted] = Lease(ttl, self._queue.now + ttl, set())
        self._expect_end(self._granted)
        return self._granted

    def renew(self, lease: int) -> bool:
        """Full TTL again; False if the lease is over."""
        if lease in self._leases:
            held = self._leases[lease]
            held.expires = max(held.expires, self._queue.now + held.ttl)
        return lease in self._leases

    def revoke(self, lease: int) -> None:
        """End the lease and its keys. Nothing happens if it is over."""
        held = self._leases.pop(lease, None)
        if held and held.keys:
            self._apply({}, sorted(held.keys))

    def txn(self, key: str, created: int, puts: Mapping[str, tuple[Any, int]], deletes: tuple[str, ...] = ()) -> int:
        """If ``key`` has that create revision (0: absent), put and delete.

        Returns the revision, 0 if the comparison failed, LEASE_GONE if nothing was done for want of a lease.
        """
        found = self.keys.get(key)
        if (found.created if found else 0) != created:
            return 0
        if any(lease and lease not in self._leases for _, lease in puts.values()):
            return LEASE_GONE
        self._apply(puts, deletes)
        return self.revision

    def put(self, key: str, value: Any, lease: int = 0) -> None:
        """Put without a condition; the lease must exist."""
        self._apply({key: (value, lease)}, ())

    def _apply(self, puts: Mapping[str, tuple[Any, int]], deletes: tuple[str, ...] | list[str]) -> None:
        self.revision += 1
        changes = [self._put(key, value, lease) for key, (value, lease) in puts.items()]
        changes += [self._delete(key) for key in deletes if key in self.keys]
        self._committed(self.revision, tuple(changes))

    def _put(self, key: str, value: Any, lease: int) -> Change:
        before = self.keys.get(key)
        if before and before.lease in self._leases:
            self._leases[before.lease].keys.discard(key)
        if lease:
            self._leases[lease].keys.add(key)
        after = Key(value, before.created if before else self.revision, lease)
        self.keys[key] = after
        return Change(key, before, after)

    def _delete(self, key: str) -> Change:
        before = self.keys.pop(key)
        if before.lease in self._leases:
            self._leases[before.lease].keys.discard(key)
        return Change(key, before, None)

    def _expect_end(self, lease: int) -> None:
        ends = self._leases[lease].expires
        self._queue.at(math.ceil(ends / REVOKE_EVERY_S) * REVOKE_EVERY_S, self._end, lease)

    def _end(self, lease: int) -> None:
        held = self._leases.get(lease)
        if held is None:
            return
        if self.down or held.expires > self._queue.now:
            held.expires = max(held.expires, self.down_until + ELECTION_TIMEOUT_S)
            self._expect_end(lease)
            return
        self.revoke(lease)
