"""The base of every error AWARE raises on purpose.

An error carries typed fields, one sentence for the user and one hint what to do. It becomes an exit code in
``cli``/``agent.main``, a problem+json document in ``gateway.problems`` and nothing anywhere else.
"""

from __future__ import annotations

from typing import ClassVar


def one_line(text: str, most: int = 500) -> str:
    """``text`` fit for a line of a log and a terminal, whoever wrote it; at most ``most`` characters of it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[:most]).split())


class AwareError(Exception):
    """Base of all errors raised on purpose.

    ``code`` is the stable machine-readable name (problem ``type``), ``exit_code`` what a process ends with,
    ``status`` the HTTP status.
    """

    code: ClassVar[str] = "aware-error"
    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        # Text of others ends up in it: what a library says of their documents repeats the documents' own words.
        message, hint = (text if text.isprintable() else one_line(text, len(text)) for text in (message, hint))
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """One line: what is wrong, then what to do."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidInput(AwareError):
    """A document or option from outside breaks a rule; nothing was changed."""

    code = "invalid-input"
    exit_code = 2
    status = 422

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class NotFound(AwareError):
    """The named thing does not exist."""

    code = "not-found"
    exit_code = 4
    status = 404


class Conflict(AwareError):
    """The thing changed since it was read, or another one is in the way; nothing was changed."""

    code = "conflict"
    exit_code = 5
    status = 409


class Deposed(AwareError):
    """A write carried a term that is over; nothing was written."""

    code = "deposed"
    exit_code = 6
    status = 503

    def __init__(self, term: int) -> None:
        super().__init__(f"term {term} is over: another queen may reign", hint="retry; any node redirects to the queen")
        self.term = term


class AddressMissing(AwareError):
    """The address to listen on is not on this machine now; it may come."""

    code = "address-missing"
    exit_code = 17


class PortInUse(AwareError):
    """A port this node has to listen on belongs to somebody else."""

    code = "port-in-use"
    exit_code = 17
    status = 500


class IllegalTransition(AwareError):
    """A (state, event) pair that makes no sense: a bug in the caller, never a condition of the world."""

    code = "illegal-transition"
    exit_code = 70
