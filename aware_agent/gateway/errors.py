"""Errors only HTTP knows. Each becomes one problem document in :mod:`aware_agent.gateway.problems`."""

from __future__ import annotations

from aware_agent.colony.errors import AwareError


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


class TooManyAttempts(AwareError):
    """Locked out after failed logins. ``retry_after`` in seconds."""

    code = "too-many-attempts"
    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many failed logins", hint=f"wait {retry_after} s")
        self.retry_after = retry_after


class Busy(AwareError):
    """More of these than the gateway takes at once. ``retry_after`` in seconds."""

    code = "busy"
    status = 503

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message, hint=f"retry in {retry_after} s")
        self.retry_after = retry_after


class NoQueen(AwareError):
    """Nobody reigns at this moment. ``retry_after`` in seconds."""

    code = "no-queen"
    status = 503

    def __init__(self) -> None:
        super().__init__("the colony has no queen at this moment", hint="an election takes seconds; retry")
        self.retry_after = 1


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


class PortInUse(AwareError):
    """The gateway's port belongs to somebody else."""

    code = "port-in-use"
    exit_code = 17
    status = 500
