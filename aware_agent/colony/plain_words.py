"""What a decoder says of a value in the wrong shape, as a person would say it, and where that value stands. Pure.

msgspec speaks of `int` and `object`, and of a place as ``$.castes[...].count``; whoever wrote the value wrote YAML,
JSON or TOML, and knows whole numbers and mappings. Texts it has that are not known here are passed on as they are.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aware_agent.colony.decoding import CONTROLS

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
    "bytes": "base64 text",
}
_EXPECTED = re.compile(r"Expected `([a-z |]+)`, got `([a-z]+)`")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_BOUND = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (-?[0-9.e+]+)")
_LENGTH = re.compile(r"Expected `(str|array|object|bytes)` of length (>=|<=) ([0-9]+)")
_CHOICE = re.compile(r"Invalid enum value '?([^']*)'?")
_SIGNS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_PARTS = {"str": "characters", "bytes": "characters", "array": "entries", "object": "entries"}


class Complaint(NamedTuple):
    """One sentence that begins with the field, and the field as ``castes.*.count``; "" for the whole."""

    message: str
    field: str


def in_words(error: Exception) -> Complaint:
    """What a ``msgspec.ValidationError`` says, in plain words."""
    said, _, place = str(error).partition(" - at ")
    field = place.strip("`").removeprefix("$").replace("[...]", ".*").lstrip(".")
    for pattern in (_MISSING, _UNKNOWN):
        if found := pattern.fullmatch(said):
            inner = f"{field}.{found[1]}".lstrip(".")
            return Complaint(f"{inner} is missing" if pattern is _MISSING else f"there is no field {inner}", inner)
    subject = field or "it"
    if found := _EXPECTED.fullmatch(said):
        wanted = " or ".join(_KINDS.get(kind, kind) for kind in found[1].split(" | "))
        got = "a fraction" if found[2] == "float" else _KINDS.get(found[2], found[2])
        return Complaint(f"{subject} must be {wanted}, not {got}", field)
    if found := _BOUND.fullmatch(said):
        return Complaint(f"{subject} must be {_SIGNS[found[1]]} {found[2]}", field)
    if found := _LENGTH.fullmatch(said):
        return Complaint(f"{subject} must have {_SIGNS[found[2]]} {found[3]} {_PARTS[found[1]]}", field)
    if found := _CHOICE.fullmatch(said):
        return Complaint(f"{subject} cannot be {found[1]!r}", field)
    if said == CONTROLS:
        said = f"{subject} has control characters"
    elif field:
        said = f"{subject}: {said}"
    return Complaint(said, field)
