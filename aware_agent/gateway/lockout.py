"""Failed logins cost time: after a few, each further one doubles the wait. Pure; the caller gives the clock."""

from __future__ import annotations

import math
from collections import OrderedDict

import msgspec

from aware_agent.gateway.errors import TooManyAttempts

FREE_FAILURES = 5
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 900.0
FORGET_S = 3600.0
MAX_REMEMBERED = 4096


class _Failures(msgspec.Struct, frozen=True):
    count: int
    last: float
    until: float


class Lockout:
    """Failures per key (user and source, say); remembers the ``MAX_REMEMBERED`` latest keys."""

    def __init__(self, free: int = FREE_FAILURES) -> None:
        self._free = free
        self._failures: OrderedDict[tuple[str, ...], _Failures] = OrderedDict()

    def check(self, key: tuple[str, ...], now: float) -> None:
        """Raise :class:`TooManyAttempts` while ``key`` is locked out."""
        known = self._failures.get(key)
        if known is not None and now < known.until:
            raise TooManyAttempts(math.ceil(known.until - now))

    def failed(self, key: tuple[str, ...], now: float) -> None:
        """Count one more failure; from the ``free``-th on the key is locked out for a doubling time."""
        known = self._failures.pop(key, None)
        count = 1 if known is None or now - known.last > FORGET_S else known.count + 1
        excess = count - self._free
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(excess, 20)) if excess >= 0 else 0.0
        self._failures[key] = _Failures(count, now, now + wait)
        while len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, key: tuple[str, ...]) -> None:
        """Forget the failures of ``key``."""
        self._failures.pop(key, None)
