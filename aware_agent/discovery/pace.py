"""How often a node announces itself. Pure: the caller brings the dice."""

from __future__ import annotations

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Fast at first, then slower, and slower still in a large colony.

    Each announcement reaches every node, so with N nodes each receives N / interval datagrams per second. The
    interval therefore grows with N: at most ``steady_rate`` are received per second whatever N, and at most
    ``fast_rate`` while everybody starts.
    """

    interval_s: float = 5.0
    fast_s: float = 0.2
    fast_count: int = 5
    steady_rate: float = 5.0
    fast_rate: float = 50.0
    jitter: float = 0.2

    def delay(self, sent: int, size: int, dice: float) -> float:
        """Seconds until the next announcement after ``sent`` of them; ``dice`` in [0, 1)."""
        steady = max(self.interval_s, size / self.steady_rate)
        fast = max(self.fast_s, size / self.fast_rate)
        slower = 1 << min(max(0, sent - self.fast_count), 16)
        return min(steady, fast * slower) * (1 + self.jitter * (2 * dice - 1))

    def forget_after(self, size: int) -> float:
        """Seconds of silence after which a peer is no longer listed: a few lost datagrams do not matter."""
        return 4 * max(self.interval_s, size / self.steady_rate)
