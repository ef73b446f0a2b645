"""What changed between two JSON values: small enough for history, and whole enough to be applied. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Plain = Any
"""A value as JSON has it: ``msgspec.to_builtins`` makes one."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One member of a document: what it was and what it became. Without ``from`` it was not there, without ``to`` it
    is not there any more. Lists are compared as wholes. The path of the whole document is empty.
    """

    path: tuple[str, ...]
    before: Any | UnsetType = msgspec.field(name="from", default=UNSET)
    after: Any | UnsetType = msgspec.field(name="to", default=UNSET)


def differences(before: Plain, after: Plain) -> list[Difference]:
    """What has to be done to ``before`` to get ``after``, in the order of paths; UNSET stands for no document."""
    return list(_between(before, after, ()))


def _between(before: Plain, after: Plain, path: tuple[str, ...]) -> Iterable[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _between(before.get(key, UNSET), after.get(key, UNSET), (*path, key))
    elif not _same(before, after):
        yield Difference(path=path, before=before, after=after)


def _same(one: Plain, other: Plain) -> bool:
    """As JSON tells them apart: 1, 1.0 and true are three values."""
    if one is UNSET or other is UNSET:
        return one is other
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def applied(value: Plain, changes: Iterable[Difference]) -> Plain:
    """``value`` after ``changes``; what was given stays as it is. Raises KeyError where they do not belong to it."""
    for change in changes:
        value = _put(value, change.path, change.after)
    return value


def _put(value: Plain, path: tuple[str, ...], after: Plain) -> Plain:
    if not path:
        return after
    if not isinstance(value, dict):
        raise KeyError(path[0])
    head, rest = path[0], path[1:]
    changed = {**value, head: _put(value[head] if rest else None, rest, after)}
    if changed[head] is UNSET:
        del changed[head]
    return changed


def plain(value: object) -> Plain:
    """``value`` as JSON has it; UNSET for None, which stands for a document that is not there."""
    return UNSET if value is None else msgspec.to_builtins(value)


def in_words(change: Difference) -> str:
    """One change for people: ``castes.web.count: 2 -> 3``."""
    name = ".".join(change.path) or "all of it"
    if change.before is UNSET:
        return f"{name}: {_short(change.after)} is new"
    if change.after is UNSET:
        return f"{name}: {_short(change.before)} is gone"
    return f"{name}: {_short(change.before)} -> {_short(change.after)}"


def _short(value: Plain) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."
