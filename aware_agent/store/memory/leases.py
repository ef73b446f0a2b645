"""Leases with etcd's habits. Time is a value: seconds, given with every call.

A lease ends at the first tick of etcd's revoke loop after its time is up, and its keys go in one revision. A new
leader gives every lease its full time and one election time-out more, because it does not know the old deadlines.
"""

from __future__ import annotations

import math

from msgspec import Struct

REVOKE_EVERY_S = 0.5
ELECTION_TIMEOUT_S = 1.0
MIN_TTL_S = 2  # with etcd's default election time-out


class _Lease(Struct):
    ttl: int
    expires: float
    keys: set[bytes]


class Leases:
    """Which lease lives how long, and what hangs on it."""

    def __init__(self) -> None:
        self._leases: dict[int, _Lease] = {}
        self._granted = 0

    def __contains__(self, lease: int) -> bool:
        """Whether it was granted and not revoked."""
        return lease in self._leases

    def __len__(self) -> int:
        """How many live."""
        return len(self._leases)

    def grant(self, ttl: int, now: float) -> tuple[int, int]:
        """A new lease and its seconds."""
        self._granted += 1
        ttl = max(ttl, MIN_TTL_S)
        self._leases[self._granted] = _Lease(ttl, now + ttl, set())
        return self._granted, ttl

    def renew(self, lease: int, now: float) -> int:
        """Its full time again; 0 for one that is gone, or over and only not yet swept away."""
        held = self._leases.get(lease)
        if held is None or held.expires <= now:
            return 0
        held.expires = now + held.ttl
        return held.ttl

    def drop(self, lease: int) -> list[bytes]:
        """End it; the keys that go with it, in order."""
        held = self._leases.pop(lease, None)
        return sorted(held.keys) if held else []

    def attach(self, key: bytes, lease: int) -> None:
        """``key`` goes with ``lease`` (0: with none) from now on."""
        if lease:
            self._leases[lease].keys.add(key)

    def detach(self, key: bytes, lease: int) -> None:
        """``key`` goes with ``lease`` no more."""
        if lease in self._leases:
            self._leases[lease].keys.discard(key)

    def due(self, now: float) -> list[int]:
        """Leases that the revoke loop has found by ``now``, the first over first."""
        over = [(held.expires, lease) for lease, held in self._leases.items() if _tick(held.expires) <= now]
        return [lease for _, lease in sorted(over)]

    def next_due(self) -> float | None:
        """When the revoke loop will find the next one; None without leases."""
        return min((_tick(held.expires) for held in self._leases.values()), default=None)

    def promote(self, now: float) -> None:
        """A new leader has come."""
        for held in self._leases.values():
            held.expires = max(held.expires, now + held.ttl + ELECTION_TIMEOUT_S)


def _tick(expires: float) -> float:
    return math.ceil(expires / REVOKE_EVERY_S) * REVOKE_EVERY_S
