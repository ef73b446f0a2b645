"""How much one party may ask of a listener: plain arithmetic, the time is handed in."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict


class Bucket:
    """Allows ``rate`` units per second on average and ``burst`` at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, now

    def take(self, units: float, now: float) -> float:
        """Take ``units`` and return for how many seconds to pause until they are paid for; 0 when they were there."""
        self._refill(now)
        self._left -= units
        return max(0.0, -self._left / self._rate)

    def allow(self, now: float) -> bool:
        """Take one unit if it is there."""
        self._refill(now)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
            self._at = now


class SourceLimits:
    """Handshakes per source address and in all, and how many may be under way.

    A table full of sources forgets the one that was quiet for longest. That gives a flood from many addresses new
    budgets, so what bounds it is the number under way in all, not this table.
    """

    SOURCES = 4096

    def __init__(self, *, rate: float, burst: float, pending_each: int, pending: int) -> None:
        self._rate, self._burst = rate, burst
        self._most_each, self._most = pending_each, pending
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._pending: dict[str, int] = {}
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """How many were begun and not ended."""
        return self._under_way

    def begin(self, address: str, now: float) -> str | None:
        """The source's name for :meth:`end` if it may begin another handshake, else None."""
        source = source_of(address)
        if self._under_way >= self._most or self._pending.get(source, 0) >= self._most_each:
            return None
        bucket = self._buckets.get(source)
        if bucket is None:
            while len(self._buckets) >= self.SOURCES:
                self._buckets.popitem(last=False)
            bucket = self._buckets[source] = Bucket(self._rate, self._burst, now)
        self._buckets.move_to_end(source)
        if not bucket.allow(now):
            return None
        self._pending[source] = self._pending.get(source, 0) + 1
        self._under_way += 1
        return source

    def end(self, source: str) -> None:
        """A handshake is over, whatever became of it."""
        self._under_way -= 1
        left = self._pending.get(source, 0) - 1
        if left > 0:
            self._pending[source] = left
        else:
            self._pending.pop(source, None)


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 an IPv6 address is in, which one host can have whole."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
