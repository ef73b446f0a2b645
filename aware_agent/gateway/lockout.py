"""Failed logins cost time: after a few, each further one doubles the wait. Pure; the caller gives the clock."""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import islice

import msgspec

from aware_agent.gateway.errors import TooManyAttempts

FREE_FAILURES = 5
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 900.0
FORGET_S = 3600.0
MAX_REMEMBERED = 4096
LOOK = 64


class _Failures(msgspec.Struct, frozen=True):
    count: int
    last: float
    until: float


class Lockout:
    """Failures per key (user and source, say), for one purpose: what fills this table touches no other.

    Remembers ``most`` keys. When it is full, a key that is not locked out is forgotten for a new one; those that are
    stay, so that nobody gets a fresh start by failing under many names. If all are, further keys count as locked out.
    """

    def __init__(self, free: int = FREE_FAILURES, *, most: int = MAX_REMEMBERED) -> None:
        self._free, self._most = free, most
        self._failures: OrderedDict[tuple[str, ...], _Failures] = OrderedDict()

    def check(self, key: tuple[str, ...], now: float) -> None:
        """Raise :class:`TooManyAttempts` while ``key`` is locked out."""
        known = self._failures.get(key)
        if known is not None and now < known.until:
            raise TooManyAttempts(math.ceil(known.until - now))
        if known is None and not self._make_room(now):
            raise TooManyAttempts(math.ceil(FIRST_WAIT_S))

    def failed(self, key: tuple[str, ...], now: float) -> None:
        """Count one more failure; from the ``free``-th on the key is locked out for a doubling time."""
        known = self._failures.pop(key, None)
        count = 1 if known is None or now - known.last > FORGET_S else known.count + 1
        excess = count - self._free
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(excess, 20)) if excess >= 0 else 0.0
        if known is not None or self._make_room(now):
            self._failures[key] = _Failures(count, now, now + wait)

    def _make_room(self, now: float) -> bool:
        if len(self._failures) < self._most:
            return True
        # Oldest first, and no further than a bounded way: each failure pays for its own look.
        for key, known in islice(self._failures.items(), LOOK):
            if now >= known.until:
                del self._failures[key]
                return True
        return False

    def succeeded(self, key: tuple[str, ...]) -> None:
        """Forget the failures of ``key``."""
        self._failures.pop(key, None)
