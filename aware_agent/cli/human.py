"""Documents of the gateway and of nodes in a form for people: no value is shown as Python or JSON would write it.

Times become ISO 8601 in UTC, dictionaries lines of their own (``settings.gateway.port``) or, when they are short,
``a=1,b=2``; lists become words with commas. What programs read is printed by ``--json``, as it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

Fields = Iterable[tuple[str, Any]]
_TIMES = ("at", "since", "until", "ends", "after", "time", "expires")  # last words of names of Unix seconds
_EARLIEST, _LATEST = 1e8, 1e11  # Unix seconds of 1973 and 5138: what is outside is no moment
_DEPTH = 6  # what a node answers may be anything
_SHORT = 120  # characters a dictionary of plain values may have to stay on one line


def fields(items: Fields) -> Iterator[tuple[str, str]]:
    """One line (name, text) for each plain value in ``items``, in their order."""
    for name, value in items:
        yield from _lines(name, value, _DEPTH)


def text(name: str, value: Any) -> str:
    """A plain ``value`` that is called ``name``; "-" when there is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "-"
    if isinstance(value, int | float) and _is_moment(name, value):
        return moment(value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def moment(seconds: float) -> str:
    """Unix ``seconds`` as ``2026-11-28T02:20:00Z``."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict | list | tuple):
        yield name, text(name, value)
    elif (line := _on_one_line(value)) is not None or not depth:
        yield name, "..." if line is None else line
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(f"{name}.{key}", inner, depth - 1)
    else:
        for number, inner in enumerate(value, 1):
            line = _on_one_line(inner) if isinstance(inner, dict | list | tuple) else text(name, inner)
            if line is None:
                yield from _lines(f"{name}.{number}", inner, depth - 1)
            else:
                yield (name if number == 1 else ""), line


def _on_one_line(value: Any) -> str | None:
    """A dictionary or list of plain values as one line; None when it is too long or holds others."""
    inner = value.values() if isinstance(value, dict) else value
    if any(isinstance(each, dict | list | tuple) and each for each in inner):
        return None
    if isinstance(value, dict):
        line = ",".join(
            f"{key}={_short(str(key), each)}" for key, each in sorted(value.items(), key=lambda p: str(p[0]))
        )
    else:
        line = ", ".join(_short("", each) for each in value)
    return None if len(line) > _SHORT else line or "-"


def _short(name: str, value: Any) -> str:
    return "-" if isinstance(value, dict | list | tuple) else text(name, value)


def _is_moment(name: str, value: float) -> bool:
    return name.replace(".", "_").rpartition("_")[2] in _TIMES and _EARLIEST < value < _LATEST
