"""Lists in pages, and with chosen fields only.

A page goes on after the last item of the one before, by a key of the item that never changes. So whatever comes and
goes between two pages, no item that was there all the time is left out or told twice. A cursor says that key and which
question it belongs to; it opens nothing, so it is not signed.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from fastapi import Depends, Query

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import InvalidInput
from aware_agent.gateway.numbers import STRICT

MAX_PAGE = 1000
_MAX_CURSOR = 1024
T = TypeVar("T")

Cursor = Annotated[str | None, Query(max_length=_MAX_CURSOR, description="`next` of the page before")]
Fields = Annotated[
    str | None, Query(max_length=1000, description="only these fields of each item, with commas between")
]


class Page(NamedTuple):
    """What is asked of a list: at most ``limit`` items (None: all), those after ``cursor``, only these ``fields``."""

    limit: int | None = None
    cursor: str | None = None
    fields: str | None = None


async def page_of(
    limit: Annotated[int | None, STRICT, Query(ge=1, le=MAX_PAGE, description="at most so many items")] = None,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Page:
    """The part of a query that every list takes."""
    return Page(limit, cursor, fields)


Paged = Annotated[Page, Depends(page_of)]


def cut(
    page: Page, items: Sequence[T], key: Callable[[T], Any], kind: Any, question: tuple[object, ...]
) -> tuple[list[T], str | None]:
    """The items of a page and the cursor of the next one, None when nothing is left.

    ``key`` gives a value of type ``kind`` that tells items apart and never changes; pages are in its order. A list that
    is asked for whole keeps its own order. ``question`` names the list and how it is filtered. Raises InvalidInput for
    a cursor of another question.
    """
    if page.limit is None and page.cursor is None:
        return list(items), None
    left = sorted(items, key=key)
    if page.cursor is not None:
        last = after(page.cursor, kind, question)
        left = [item for item in left if key(item) > last]
    if page.limit is None or len(left) <= page.limit:
        return left, None
    found = left[: page.limit]
    return found, cursor(key(found[-1]), question)


def cursor(key: object, question: tuple[object, ...]) -> str:
    """A cursor that goes on after ``key``."""
    return urlsafe_b64encode(msgspec.json.encode([_mark(question), key])).rstrip(b"=").decode()


def after(text: str, kind: Any, question: tuple[object, ...]) -> Any:
    """The key a cursor goes on after. Raises InvalidInput."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        mark, key = from_json(raw, tuple[str, kind])
    except (binascii.Error, UnicodeEncodeError, *UNDECODABLE):
        mark, key = "", None
    if mark != _mark(question):
        raise InvalidInput(
            "this cursor is of no page of this list, or of other filters",
            field="cursor",
            hint="begin without a cursor; then repeat the same filters with `next` of the answer",
        )
    return key


def _mark(question: tuple[object, ...]) -> str:
    return hashlib.blake2b(msgspec.json.encode(question, order="sorted"), digest_size=6).hexdigest()


def select(document: msgspec.Struct, member: str, item: type, fields: str) -> dict[str, Any]:
    """``document`` with only these ``fields`` of each ``item`` in its list ``member``. Raises InvalidInput."""
    known = [field.encode_name for field in msgspec.structs.fields(item)]
    chosen = [name.strip() for name in fields.split(",")]
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise InvalidInput(
            f"there is no field {unknown[0][:80]!r} in {member}", field="fields", hint=f"choose of: {', '.join(known)}"
        )
    whole: dict[str, Any] = msgspec.to_builtins(document)
    whole[member] = [{name: one[name] for name in chosen if name in one} for one in whole[member]]
    return whole
