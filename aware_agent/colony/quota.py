"""How much one party may write: by kind of write, so that who logs in too often can still put things right. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from aware_agent.colony.errors import AwareError, Conflict
from aware_agent.colony.rates import Rate, Rates

MAX_PARTIES = 4096


class WriteKind(StrEnum):
    """What is counted together, for each user; ``NODE``: joins and renewals, for each node."""

    CHANGE = "changes"
    CREATE = "things made"  # users, tokens, orders, signed URLs, backups: each is a record that stays
    SESSION = "logins and refreshes"
    CHECK = "writes of a check"
    DEMAND = "posted demands"
    NODE = "joins and renewals"


class QuotaSpent(AwareError):
    """One party wrote more than it may for now; nothing was changed. ``retry_after`` in seconds."""

    code = "quota-spent"
    exit_code = 8
    status = 429

    def __init__(self, who: str, kind: WriteKind, rate: Rate, wait_s: float) -> None:
        self.retry_after = max(1, math.ceil(wait_s))
        super().__init__(
            f"too many {kind} by {who}: {rate.per_s * 60:g} a minute, {rate.burst:g} at once",
            hint=f"wait {self.retry_after} s",
        )


class TooManyRecords(Conflict):
    """There are as many of these as a colony keeps; nothing was changed."""

    code = "too-many-records"


class Quotas:
    """Budgets of a reign, by kind and party. A kind without a rate has no bound."""

    def __init__(self, rates: Mapping[WriteKind, Rate]) -> None:
        self._budgets = {kind: Rates(rate, most=MAX_PARTIES) for kind, rate in rates.items()}

    def spend(self, kind: WriteKind, who: str, now: float) -> None:
        """One more write of ``who``. Raises :class:`QuotaSpent`. ``now``: monotonic seconds."""
        budget = self._budgets.get(kind)
        if budget is not None and (wait := budget.take(who, now)):
            raise QuotaSpent(who, kind, budget.rate, wait)


def require_room(what: str, there: int, most: int, hint: str) -> None:
    """Raise :class:`TooManyRecords` when there are ``most`` of these."""
    if there >= most:
        raise TooManyRecords(f"there are {there} {what} already, and a colony keeps at most {most}", hint=hint)
