"""What protects a node from authentic but old, repeated or too many datagrams. Time always comes from outside.

Everything here has a fixed bound in memory, whatever arrives.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable

WINDOW_S = 30.0


def clock_difference(sent_ms: int, now: float) -> float:
    """Seconds the sender's clock is ahead of ours (``now``, Unix seconds); the way itself counts as nothing."""
    return sent_ms / 1000 - now


def in_window(sent_ms: int, now: float, window_s: float = WINDOW_S) -> bool:
    """Whether a timestamp is at most ``window_s`` from ``now``, on either side, edges included."""
    return abs(sent_ms - round(now * 1000)) <= round(window_s * 1000)


class ReplayMemory:
    """Remembers which datagrams were taken for as long as their timestamps would pass the window.

    When more than ``capacity`` arrive in that time, the oldest are forgotten and every timestamp up to theirs
    is refused from then on: late genuine datagrams are lost, replayed ones never pass.
    """

    def __init__(self, *, window_s: float = WINDOW_S, capacity: int = 4096) -> None:
        self._keep_s = 2 * window_s  # a timestamp may be one window ahead of us when it arrives
        self._capacity = capacity
        self._seen: set[bytes] = set()
        self._order: deque[tuple[float, int, bytes]] = deque()
        self._floor_ms = -1

    def __len__(self) -> int:
        """Datagrams remembered now."""
        return len(self._order)

    def first_time(self, key: bytes, sent_ms: int, now: float) -> bool:
        """Whether ``key`` was never taken before; remembers it. ``now`` in Unix seconds."""
        while self._order and self._order[0][0] + self._keep_s < now:
            self._seen.discard(self._order.popleft()[2])
        if sent_ms <= self._floor_ms or key in self._seen:
            return False
        if len(self._order) >= self._capacity:
            _, oldest_ms, oldest = self._order.popleft()
            self._seen.discard(oldest)
            self._floor_ms = max(self._floor_ms, oldest_ms)
            if sent_ms <= self._floor_ms:
                return False
        self._seen.add(key)
        self._order.append((now, sent_ms, key))
        return True


class RecentKeys:
    """The last ``capacity`` keys, whenever they came: for datagrams whose clock is not to be trusted."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        """Keys remembered now."""
        return len(self._keys)

    def first_time(self, key: bytes) -> bool:
        """Whether ``key`` is not among the last; remembers it."""
        if key in self._keys:
            return False
        if len(self._keys) >= self._capacity:
            self._keys.popitem(last=False)
        self._keys[key] = None
        return True


class RateLimit:
    """A token bucket per source: ``burst`` at once, ``rate`` per second for ever; the least recent is forgotten."""

    def __init__(self, *, rate: float, burst: float, sources: int = 1024) -> None:
        self._rate = rate
        self._burst = burst
        self._sources = sources
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """Sources remembered now."""
        return len(self._buckets)

    def allow(self, source: Hashable, now: float) -> bool:
        """Take one token of ``source``; ``now`` in seconds of a monotonic clock."""
        level, at = self._buckets.pop(source, (self._burst, now))
        level = min(self._burst, level + max(0.0, now - at) * self._rate)
        if len(self._buckets) >= self._sources:
            self._buckets.popitem(last=False)
        allowed = level >= 1.0
        self._buckets[source] = (level - 1.0 if allowed else level, max(at, now))
        return allowed
