"""How often something may happen, for each of many parties: GCRA in a bounded memory. Pure; the time is handed in.

GCRA, the generic cell rate algorithm (ITU-T I.371), keeps one number for a party: when its budget will be whole again.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

SHARED = 64  # budgets of those for whom the table has no room
_ROUNDING_S = 1e-9


class Rate(NamedTuple):
    """``per_s`` on average, ``burst`` at once after a rest."""

    per_s: float
    burst: float

    @property
    def window_s(self) -> float:
        """In how many seconds an empty budget is whole again."""
        return self.burst / self.per_s


class Rates:
    """One budget for each of ``most`` parties that spent lately; of others nothing has to be known.

    Nobody is forgotten before his budget is whole again, however many come: while the table is full, newcomers share
    :data:`SHARED` budgets. ``salt`` decides who shares with whom; a stranger must not know it.
    """

    def __init__(self, rate: Rate, *, most: int = 4096, salt: int = 0) -> None:
        self.rate = rate
        self._most, self._salt = most, salt
        self._step = 1.0 / rate.per_s
        self._window = rate.window_s
        # Who did not spend for a whole window is as good as unknown: so two generations, and no look at each party.
        self._recent: dict[str | int, float] = {}
        self._before: dict[str | int, float] = {}
        self._turn_at = 0.0

    def __len__(self) -> int:
        """How many parties are known."""
        return len(self._recent.keys() | self._before.keys())

    def take(self, key: str, now: float, units: float = 1.0) -> float:
        """Spend ``units``. Returns 0, or in how many seconds there will be enough; then nothing is spent."""
        if now >= self._turn_at:
            self._turn(now)
        place: str | int = key
        at = self._recent.get(key)
        if at is None:
            place, at = self._enter(key, now)
        at = (at if at > now else now) + units * self._step
        wait = at - now - self._window
        if wait > _ROUNDING_S:
            return wait
        self._recent[place] = at
        return 0.0

    def wait(self, key: str, now: float) -> float:
        """In how many seconds a unit can be taken; 0: now. Nothing is spent."""
        at = self._known(key)
        return 0.0 if at is None else max(0.0, at + self._step - now - self._window)

    def give_back(self, key: str, units: float = 1.0) -> None:
        """What was spent was not meant."""
        place = self._place(key)
        at = self._recent.get(place, self._before.get(place))
        if at is not None:
            self._recent[place] = at - units * self._step

    def left(self, key: str, now: float) -> float:
        """How many units there are."""
        at = self._known(key)
        return self.rate.burst if at is None or at <= now else max(0.0, self.rate.burst - (at - now) / self._step)

    def _known(self, key: str) -> float | None:
        place = self._place(key)
        return self._recent.get(place, self._before.get(place))

    def _place(self, key: str) -> str | int:
        if key in self._recent or key in self._before or len(self._recent) < self._most:
            return key
        return zlib.crc32(key.encode("utf-8", "replace"), self._salt) % SHARED

    def _enter(self, key: str, now: float) -> tuple[str | int, float]:
        place = self._place(key)
        return place, self._recent.get(place, self._before.get(place, now))

    def _turn(self, now: float) -> None:
        self._before = self._recent if now < self._turn_at + self._window else {}
        self._recent = {}
        self._turn_at = now + self._window
