"""The one way in for what somebody else wrote: bytes become values here, or they are refused. Pure.

Formats allow more than anybody here can use. msgpack carries numbers that are none (NaN, the infinities), which no JSON
can say again: written into a record they would come out as ``null``, and nobody could read that record. Whole numbers
that need more than 64 bits break the next decoder on the way, and control characters a terminal or a line of a log.
So all of them are refused at the door, by one rule for every format, and not by each reader in its own way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Annotated, Any, TypeVar, overload

import msgspec

T = TypeVar("T")

# Nothing but text in the wrong shape raises the last: thousands of brackets use up the decoder's stack.
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

CONTROLS = "Control characters in a `str`"
WHOLE = (-(2**63), 2**64 - 1)  # what every decoder on a value's way can hold; etcd's ids of members need all of it
# Tabs and ends of lines are in certificates and texts of several lines; the others only steer terminals.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# In one line nothing may end it, nor turn the direction in which it is read.
_ONE_LINE = "^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\\Z"
_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
_LONG = b"0" * 19  # digits: fewer are a whole number of 64 bits

# Texts that are shown in one line: a name, an address, a version; a sentence.
MAX_WORD, MAX_LINE = 255, 1000
Word = Annotated[str, msgspec.Meta(max_length=MAX_WORD, pattern=_ONE_LINE)]
Line = Annotated[str, msgspec.Meta(max_length=MAX_LINE, pattern=_ONE_LINE)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]  # as far as every reader of JSON counts exactly
Moment = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]  # Unix seconds, as far as calendars go


@overload
def from_json(raw: bytes | bytearray | memoryview | str, kind: type[T]) -> T: ...
@overload
def from_json(raw: bytes | bytearray | memoryview | str, kind: Any = Any) -> Any: ...
def from_json(raw: bytes | bytearray | memoryview | str, kind: Any = Any) -> Any:
    """JSON as a value of ``kind``. Raises :data:`UNDECODABLE`."""
    value = _json(kind).decode(raw)
    return value if isinstance(raw, bytes) and _is_plain(raw) else checked(value)


@overload
def from_msgpack(raw: bytes | bytearray | memoryview, kind: type[T]) -> T: ...
@overload
def from_msgpack(raw: bytes | bytearray | memoryview, kind: Any = Any) -> Any: ...
def from_msgpack(raw: bytes | bytearray | memoryview, kind: Any = Any) -> Any:
    """msgpack as a value of ``kind``. Raises :data:`UNDECODABLE`."""
    return checked(_msgpack(kind).decode(raw))


@overload
def from_plain(value: object, kind: type[T], *, strict: bool = True) -> T: ...
@overload
def from_plain(value: object, kind: Any, *, strict: bool = True) -> Any: ...
def from_plain(value: object, kind: Any, *, strict: bool = True) -> Any:
    """What another decoder made (of TOML, of a token) as a value of ``kind``. Raises ValueError, RecursionError."""
    return checked(msgspec.convert(value, kind, strict=strict))


def checked(value: T) -> T:
    """``value`` if nothing in it is absurd. Raises :data:`UNDECODABLE`, naming the place as msgspec does."""
    if not _is_sound(value):
        complaint, place = _absurd(value)
        raise msgspec.ValidationError(f"{complaint} - at `${place}`" if place else complaint)
    return value


def _is_sound(value: object) -> bool:
    """Quick, for it is asked of all that comes; what is wrong, and where, is looked for afterwards."""
    match value:
        case str():
            return value.isprintable() or _CONTROL.search(value) is None
        case int():
            return WHOLE[0] <= value <= WHOLE[1]
        case float():
            return math.isfinite(value)
        case dict():
            parts: Iterable[object] = chain(value, value.values())
        case list() | tuple() | set() | frozenset():
            parts = value
        case msgspec.Struct():
            parts = msgspec.structs.astuple(value)
        case _:
            return True
    return all(map(_is_sound, parts))


def _absurd(value: object) -> tuple[str, str]:
    """What is wrong in ``value``, and where below it."""
    if isinstance(value, str):
        return CONTROLS, ""
    if isinstance(value, int | float):
        return "Number out of range", ""
    place, part = next((place, part) for place, part in _parts(value) if not _is_sound(part))
    complaint, below = _absurd(part)
    return complaint, place + below


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """What ``value`` is made of, and where it stands. Keys are somebody's words too, so they are not shown."""
    match value:
        case dict():
            yield from (("[...]", part) for part in chain(value, value.values()))
        case list() | tuple() | set() | frozenset():
            yield from ((f"[{number}]", part) for number, part in enumerate(value))
        case msgspec.Struct():
            yield from ((f".{name}", getattr(value, name)) for name in value.__struct_fields__)


def _is_plain(raw: bytes) -> bool:
    """Whether nothing in this JSON can be absurd, seen without looking at each value: most documents are like that.

    JSON knows no NaN, its decoder refuses what is larger than a float, and control characters come escaped or as DEL.
    """
    return raw.isascii() and b"\\" not in raw and b"\x7f" not in raw and _LONG not in raw.translate(_DIGITS)


def json_to_show(raw: bytes | str, kind: Any = Any) -> Any:
    """JSON for a program that only shows it to a person, and cleans what it prints: one odd letter in a node's log must
    not hide all else from who looks for a fault. Raises :data:`UNDECODABLE`.
    """
    return _json(kind).decode(raw)


def cleaned(value: Any) -> Any:
    """What plain containers hold, without what :func:`checked` refuses: for answers that were gathered anywhere."""
    match value:
        case str():
            return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
        case dict():
            return {cleaned(key): cleaned(part) for key, part in value.items()}
        case list() | tuple():
            return [cleaned(part) for part in value]
    return value if _is_sound(value) else None


@lru_cache(maxsize=256)
def _json(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@lru_cache(maxsize=256)
def _msgpack(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


_PREFIXES = ("Value error, ", "Assertion failed, ")  # what pydantic puts before the words of a check


def plain_reason(text: str) -> str:
    """``text`` of a library that checks input, as a sentence for people: without the name of its error before it."""
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return text
