"""How many requests one party may make: a known user by who he is, everybody else by where he comes from.

So whoever is logged in never pays for others behind the same address, and nobody gets a budget by inventing users. The
``RateLimit`` fields of a refusal are those of draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable

from aware_agent.agent.settings import GatewaySettings
from aware_agent.channel.limits import source_of
from aware_agent.colony.rates import Rate, Rates
from aware_agent.gateway.errors import TooManyRequests

MAX_SOURCES = 8192
_ALL = ""


class Throttle:
    """Budgets of one gateway. ``clock`` is monotonic, in seconds."""

    def __init__(self, settings: GatewaySettings, clock: Callable[[], float] = time.monotonic) -> None:
        burst_s, salt = settings.request_burst_s, secrets.randbits(32)
        user, source, strangers = (
            Rate(per_s, per_s * burst_s)
            for per_s in (
                settings.requests_per_s,
                settings.requests_per_s_per_source,
                settings.requests_per_s_of_strangers,
            )
        )
        self._clock = clock
        self._users = Rates(user, most=MAX_SOURCES, salt=salt)
        self._sources = Rates(source, most=MAX_SOURCES, salt=salt)
        self._strangers = Rates(strangers)
        self.refused: Counter[str] = Counter()  # by policy, for metrics

    def passes(self, name: str) -> bool:
        """One request of who showed a token that holds, on the fastest path: when it may not, :meth:`user` says so."""
        return not self._users.take(name, self._clock())

    def user(self, name: str) -> TooManyRequests | None:
        """One request of who showed a token that holds."""
        wait = self._users.take(name, self._clock())
        return self._refuse("of this user", "user", self._users.rate, wait) if wait else None

    def stranger(self, address: str) -> TooManyRequests | None:
        """One request without such a token. As :meth:`user`, returned and not raised: its caller has to tell of it."""
        now = self._clock()
        source = source_of(address)
        if wait := self._sources.take(source, now):
            return self._refuse("from this address", "source", self._sources.rate, wait)
        if wait := self._strangers.take(_ALL, now):
            self._sources.give_back(source)
            return self._refuse("without a token, from everywhere", "strangers", self._strangers.rate, wait)
        return None

    def _refuse(self, whose: str, policy: str, rate: Rate, wait: float) -> TooManyRequests:
        self.refused[policy] += 1
        return TooManyRequests(whose, policy, rate, wait)
