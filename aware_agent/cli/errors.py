"""What can go wrong between a user's shell and a gateway, each with its exit code.

==== =====================================================
exit meaning
==== =====================================================
0    done, or nothing to do
2    wrong usage or invalid input
3    not logged in, or the role does not allow it
4    no such thing
5    it changed meanwhile
7    no gateway answered
8    too many attempts, try later
9    a file, or the output, cannot be read or written
10   no usable context or settings
==== =====================================================

Codes from 11 on belong to the agent and mean the same here.
"""

from __future__ import annotations

from typing import Any

from aware_agent.colony.errors import AwareError, Conflict, InvalidInput, NotFound
from aware_agent.program import FILE_TROUBLE


class ContextError(AwareError):
    """There is no context file, or it cannot be used."""

    code = "context"
    exit_code = 10


class FileTrouble(InvalidInput):
    """A file that was named cannot be read or written."""

    code = "file-trouble"
    exit_code = FILE_TROUBLE


class Unreachable(AwareError):
    """No gateway of the colony answered within the deadline; nothing was changed."""

    code = "gateway-unreachable"
    exit_code = 7
    status = 503


class ChangedMeanwhile(Conflict):
    """The precondition of a write does not hold; nothing was changed."""

    code = "precondition-failed"
    status = 412


class OutcomeUnknown(Unreachable):
    """The connection broke after a write was sent: it may or may not have been done."""

    code = "outcome-unknown"


class Violated(AwareError):
    """A check found answers of the colony that cannot all be true."""

    code = "violated"
    exit_code = 24


class NotJudged(AwareError):
    """A check saw too little, or too much that is unknown, to say anything."""

    code = "not-judged"
    exit_code = 25


class Unwell(AwareError):
    """A doctor found something that does not work."""

    code = "unwell"
    exit_code = 27


class NotLoggedIn(AwareError):
    """The gateway does not accept the token."""

    code = "unauthenticated"
    exit_code = 3
    status = 401


class NotAllowed(AwareError):
    """The token is good, its role is not enough."""

    code = "forbidden"
    exit_code = 3
    status = 403


class TooMany(AwareError):
    """Locked out for a while."""

    code = "too-many-attempts"
    exit_code = 8
    status = 429


class Refused(AwareError):
    """Any other answer of the gateway that is not a success."""

    code = "refused"


class HistoryGone(AwareError):
    """Events since the asked revision were trimmed."""

    code = "history-trimmed"
    exit_code = 4
    status = 410


_BY_STATUS: dict[int, type[AwareError]] = {
    400: InvalidInput,
    401: NotLoggedIn,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: HistoryGone,
    412: ChangedMeanwhile,
    422: InvalidInput,
    429: TooMany,
    503: Unreachable,
}
_HINTS = {401: "aware login", 410: "start again from --since 0"}


def from_problem(status: int, document: Any) -> AwareError:
    """The error that a problem+json ``document`` with ``status`` describes; ``document`` may be anything."""
    problem: dict[str, Any] = document if isinstance(document, dict) else {}
    message = str(problem.get("detail") or problem.get("title") or f"the gateway answered {status}")
    hint = str(problem.get("hint") or _HINTS.get(status, ""))
    if problem.get("maybe_applied") is True:
        return OutcomeUnknown(message, hint="look at aware events, then repeat if needed")
    return _BY_STATUS.get(status, Refused)(message, hint=hint)
