"""An error that crosses a process border: every typed field of it, so that both sides raise the same thing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aware_agent.colony.errors import AwareError

_PLAIN = (str, int, float, bool)
_OWN = frozenset({"message", "hint"})


class RemoteError(msgspec.Struct, frozen=True, kw_only=True):
    """An :class:`AwareError` as data. ``fields`` are its plain attributes (``field``, ``term``, ``retry_after``...)."""

    code: str
    status: int
    exit_code: int
    message: str
    hint: str = ""
    fields: dict[str, str | int | float | bool] = {}


def describe(error: AwareError) -> RemoteError:
    """``error`` as data."""
    fields = {name: value for name, value in vars(error).items() if name not in _OWN and isinstance(value, _PLAIN)}
    return RemoteError(
        code=error.code,
        status=error.status,
        exit_code=error.exit_code,
        message=error.message,
        hint=error.hint,
        fields=fields,
    )


class Unknown(AwareError):
    """An error of a kind this process has not loaded; it carries the other side's code and status as its own."""


def revive(remote: RemoteError) -> AwareError:
    """The error again: of its own class where that is loaded here, so that it can be caught as on the other side."""
    kind = next((kind for kind in _kinds(AwareError) if kind.__dict__.get("code") == remote.code), Unknown)
    error = kind.__new__(kind)
    Exception.__init__(error, remote.message)
    error.message, error.hint = remote.message, remote.hint
    for name, value in remote.fields.items():
        setattr(error, name, value)
    if kind is Unknown:
        for name in ("code", "status", "exit_code"):
            error.__dict__[name] = getattr(remote, name)
    return error


def _kinds(kind: type[AwareError]) -> Iterator[type[AwareError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _kinds(inner)
