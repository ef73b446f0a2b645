"""A circuit breaker: who fails again and again is left alone for a while, then tried once. Pure.

Closed, everything passes. After ``failures`` failures in a row it opens and nothing passes for a pause, which doubles
each time a trial fails. When the pause is over one call may pass (half-open): its success closes the breaker, its
failure opens it again. M. Nygard, Release It!, chapter "Stability Patterns".
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class BreakerState(StrEnum):
    """What passes: everything, one trial, nothing."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


class OpenBreaker(msgspec.Struct, frozen=True, kw_only=True):
    """One that is open, as the colony shows it: who is left alone, since when (Unix seconds), and why."""

    name: str  # webhook/<id>, backup/<target>, syslog/audit
    since: float
    reason: str


class BreakerEvent(StrEnum):
    """What is told to a breaker. ``ASKED``: somebody wants to call; the answer is :attr:`Verdict.allowed`."""

    ASKED = "asked"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When it opens, and for how long (seconds)."""

    failures: int = 5
    first_pause_s: float = 5.0
    longest_pause_s: float = 300.0
    trial_s: float = 60.0  # a trial that never ended is forgotten after so long


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker, as it is kept and shown. ``until``: the end of the pause or of the trial, on its owner's clock."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0  # in a row
    opened: int = 0  # times in a row without a success between
    until: float = 0.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The breaker as it is now, and whether who asked may call. ``wait_s``: when to ask again if not."""

    breaker: Breaker
    allowed: bool = True
    wait_s: float = 0.0


def decide(breaker: Breaker, event: BreakerEvent, now: float, policy: BreakerPolicy) -> Verdict:
    """What becomes of ``breaker``. ``now`` is in seconds, on the clock of ``until``.

    Calls that began before it opened may end at any time: a success then closes it, a failure says nothing new.
    """
    if event is BreakerEvent.SUCCEEDED:
        return Verdict(breaker=Breaker())
    if event is BreakerEvent.ASKED:
        return _asked(breaker, now, policy)
    if breaker.state is BreakerState.OPEN:
        return Verdict(breaker=breaker)
    failures = breaker.failures + 1
    if breaker.state is BreakerState.CLOSED and failures < policy.failures:
        return Verdict(breaker=msgspec.structs.replace(breaker, failures=failures))
    return Verdict(breaker=_open(breaker, failures, now, policy))


def _asked(breaker: Breaker, now: float, policy: BreakerPolicy) -> Verdict:
    if breaker.state is BreakerState.CLOSED:
        return Verdict(breaker=breaker)
    # A clock that was set back must not make a pause of hours.
    left = min(breaker.until - now, max(policy.longest_pause_s, policy.trial_s))
    if left > 0:
        return Verdict(breaker=breaker, allowed=False, wait_s=left)
    trial = msgspec.structs.replace(breaker, state=BreakerState.HALF_OPEN, until=now + policy.trial_s)
    return Verdict(breaker=trial)


def _open(breaker: Breaker, failures: int, now: float, policy: BreakerPolicy) -> Breaker:
    pause = min(policy.longest_pause_s, policy.first_pause_s * 2.0 ** min(breaker.opened, 30))
    return Breaker(state=BreakerState.OPEN, failures=failures, opened=breaker.opened + 1, until=now + pause)
