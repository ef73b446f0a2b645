"""Errors only HTTP knows. Each becomes one problem document in :mod:`aware_agent.gateway.problems`."""

from __future__ import annotations

import math
import time

from aware_agent.colony.errors import AwareError
from aware_agent.colony.rates import Rate
from aware_agent.store.health import StoreState


class NoSuchRoute(AwareError):
    """No resource lives at this path."""

    code = "no-such-route"
    status = 404


class MethodNotAllowed(AwareError):
    """The resource exists, but not for this method."""

    code = "method-not-allowed"
    status = 405


class HistoryTrimmed(AwareError):
    """The events asked for are no longer kept. ``oldest`` is the first revision that is."""

    code = "history-trimmed"
    status = 410

    def __init__(self, since: int, oldest: int) -> None:
        super().__init__(
            f"events after revision {since} are no longer all kept: history starts at {oldest}",
            hint="read the state anew (GET /v1/cluster) and resume from its revision",
        )
        self.oldest = oldest


class RevisionAhead(AwareError):
    """Events after a revision that etcd has not reached: it was restored from a backup, and what was seen is gone."""

    code = "revision-ahead"
    status = 410

    def __init__(self, since: int) -> None:
        super().__init__(
            f"revision {since} is newer than anything this colony has: etcd was restored from a backup meanwhile",
            hint="read the state anew (GET /v1/cluster) and resume from its revision",
        )


class PreconditionFailed(AwareError):
    """If-Match named another revision than the current one. ``current`` is that one, 0 when there is none."""

    code = "precondition-failed"
    status = 412

    def __init__(self, current: int) -> None:
        super().__init__(
            f"changed since you read it: the current revision is {current}", hint="read again, then repeat the change"
        )
        self.current = current


class TooLarge(AwareError):
    """The request body is longer than anything the gateway takes."""

    code = "too-large"
    status = 413


class MetricsToken(AwareError):
    """A worker's metrics take the token that its settings name."""

    code = "unauthenticated"
    status = 401

    def __init__(self) -> None:
        super().__init__("metrics take a token here", hint="the one in this node's metrics_token_file")


class HeadTooLarge(AwareError):
    """Request line and headers together are longer than the settings allow."""

    code = "head-too-large"
    status = 431


class Malformed(AwareError):
    """What came is no request, or one that two programs could read in two ways."""

    code = "malformed"
    status = 400


class TooManyAttempts(AwareError):
    """Locked out after failed logins. ``retry_after`` in seconds."""

    code = "too-many-attempts"
    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many failed logins", hint=f"wait {retry_after} s")
        self.retry_after = retry_after


class TooManyRequests(AwareError):
    """More than this party may ask. ``retry_after`` in seconds; ``policy`` is what the ``RateLimit`` fields say."""

    code = "too-many-requests"
    status = 429

    def __init__(self, whose: str, policy: str, rate: Rate, wait_s: float) -> None:
        self.retry_after = max(1, math.ceil(wait_s))
        super().__init__(f"too many requests {whose}: {rate.per_s:g} a second", hint=f"wait {self.retry_after} s")
        self.limit = (
            f'"{policy}";r=0;t={self.retry_after}',
            f'"{policy}";q={rate.burst:.0f};w={max(1, round(rate.window_s))}',
        )


class TooManyStreams(AwareError):
    """A user has as many live streams as one may. ``retry_after`` in seconds."""

    code = "too-many-streams"
    status = 429
    retry_after = 5

    def __init__(self, most: int) -> None:
        super().__init__(f"this user has {most} event streams open already", hint="end one of them")


class Busy(AwareError):
    """More of these than the gateway takes at once. ``retry_after`` in seconds."""

    code = "busy"
    status = 503

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message, hint=f"retry in {retry_after} s")
        self.retry_after = retry_after


class NoQueen(AwareError):
    """Nobody reigns at this moment. ``retry_after`` in seconds. ``store``: how etcd is, which may be the reason."""

    code = "no-queen"
    status = 503

    def __init__(self, store: StoreState | None = None) -> None:
        self.store = store
        if store is not None and store.trouble:
            lasts = f", for {time.time() - store.since:.0f} s now" if store.since is not None else ""
            super().__init__(f"the colony has no queen: {store.detail}{lasts}", hint=store.hint)
            self.retry_after = 5
        else:
            super().__init__("the colony has no queen at this moment", hint="an election takes seconds; retry")
            self.retry_after = 1


class NotMirrored(AwareError):
    """This gateway has not read the colony yet. ``store``: how etcd is, which may be the reason."""

    code = "not-mirrored"
    status = 503
    retry_after = 1

    def __init__(self, store: StoreState) -> None:
        self.store = store
        because = f": {store.detail}" if store.trouble else ""
        super().__init__(f"this node has not read the colony yet{because}", hint=store.hint or "retry in a moment")


class AgentSilent(AwareError):
    """The agent beside this gateway did not answer in time. ``retry_after`` in seconds."""

    code = "agent-silent"
    status = 503
    retry_after = 1
    maybe_applied = True

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"this node's agent did not answer within {seconds:.0f} s; the write may have happened",
            hint="read what it would have changed before you repeat it",
        )


class AgentHangs(AwareError):
    """The agent beside this gateway does not say how it is. ``retry_after`` in seconds."""

    code = "agent-hangs"
    status = 503
    retry_after = 1

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"this node's agent did not answer within {seconds:.0f} s", hint="look at the agent's log on that host"
        )


class Stopping(AwareError):
    """The node stops before the answer was there. ``retry_after`` in seconds."""

    code = "stopping"
    status = 503
    retry_after = 1

    def __init__(self, method: str) -> None:
        self.maybe_applied = method not in ("GET", "HEAD", "OPTIONS")
        so = "; the write may have happened" if self.maybe_applied else ""
        super().__init__(f"this node stopped before the answer was there{so}", hint="ask again in a moment")


class InternalError(AwareError):
    """A bug of ours. ``incident`` finds it in the log; nothing else leaves the node."""

    code = "internal-error"
    status = 500
    exit_code = 70

    def __init__(self, incident: str) -> None:
        super().__init__(
            "the gateway failed to answer; this is a bug", hint=f"look for incident {incident} in the node's log"
        )
        self.incident = incident
