"""Who may try a password, and when: guessing gets slow from wherever it comes, and for whom is known it stays fast.

Three ranks of clients, each counted apart, so that none pays for a lower one:

* whoever shows a token of an earlier login of that user, however old: by the session it was of;
* whoever comes from an address where a session of that user lives: by user and address;
* strangers: by user and address too, and besides that out of budgets they share: of their address, whatever user they
  try (spraying); of the user, from wherever they come; and of all strangers (a botnet that tries everybody).

Only failures are paid for: what a right password cost is given back. Pure; the caller gives the clock.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from aware_agent.colony.rates import Rate, Rates
from aware_agent.gateway.errors import TooManyAttempts
from aware_agent.gateway.lockout import Lockout

BUCKETS = 1024
PER_SOURCE = Rate(1 / 60, 30)  # failures of one address, whatever the user
PER_USER = Rate(1 / 10, 50)  # of strangers that try one user
OF_STRANGERS = Rate(2.0, 500)  # of all of them
_ALL = ""


class Client(NamedTuple):
    """Who tries: as which user, from which source; ``session``: of a token it showed; ``local``: one lives there."""

    user: str
    source: str
    session: str = ""
    local: bool = False


class Guesses:
    """Failed logins as one gateway sees them. Logins are the queen's, so hers sees all; without her each has its own.

    ``salt``: which users share a counter nobody outside may know.
    """

    def __init__(
        self, salt: int, *, source: Rate = PER_SOURCE, user: Rate = PER_USER, every: Rate = OF_STRANGERS
    ) -> None:
        self._salt = salt
        self._sessions, self._locals, self._pairs = Lockout(), Lockout(), Lockout()
        self._sources, self._users = Rates(source, salt=salt), Rates(user, salt=salt)
        self._strangers = Rates(every)
        self.refused: Counter[str] = Counter()  # by what is spent, for metrics

    def begin(self, client: Client, now: float) -> Callable[[], None]:
        """Count a failure before the password is looked at: of many guesses sent at once none is free.

        Returns what to call when it was right. Raises :class:`TooManyAttempts`.
        """
        bucket = self._bucket(client.user)
        ranks = [(self._sessions, (bucket, client.session))] if client.session else []
        ranks += [(self._locals, (bucket, client.source))] if client.local else []
        for lockout, key in ranks:
            if not self._is_locked(lockout, key, now):
                lockout.failed(key, now)
                return lambda lockout=lockout, key=key: lockout.succeeded(key)  # type: ignore[misc]
        return self._stranger(bucket, client.source, now)

    def _stranger(self, bucket: str, source: str, now: float) -> Callable[[], None]:
        pair = (bucket, source)
        try:
            self._pairs.check(pair, now)
        except TooManyAttempts:
            self.refused["pair"] += 1
            raise
        budgets = (
            ("source", self._sources, source),
            ("user", self._users, bucket),
            ("strangers", self._strangers, _ALL),
        )
        paid: list[tuple[Rates, str]] = []
        for name, budget, key in budgets:
            wait = budget.take(key, now)
            if wait:
                _give_back(paid)
                self.refused[name] += 1
                raise TooManyAttempts(math.ceil(wait))
            paid.append((budget, key))
        self._pairs.failed(pair, now)

        def succeeded() -> None:
            self._pairs.succeeded(pair)
            _give_back(paid)

        return succeeded

    def _is_locked(self, lockout: Lockout, key: tuple[str, ...], now: float) -> bool:
        try:
            lockout.check(key, now)
        except TooManyAttempts:
            return True
        return False

    def _bucket(self, user: str) -> str:
        """One of a bounded number of counters, whether anybody has that name or not: inventing names fills no table."""
        return str(zlib.crc32(user.encode("utf-8", "replace"), self._salt) % BUCKETS)


def _give_back(paid: list[tuple[Rates, str]]) -> None:
    for budget, key in paid:
        budget.give_back(key)
