"""What decoders say, in plain words: of every kind of mistake that a decoder of ours can meet."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
import pytest

from aware_agent.colony.decoding import from_json
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.plain_words import in_words
from aware_agent.colony.spec import parse_spec


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0
    names: Annotated[list[str], msgspec.Meta(max_length=2)] = []


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    word: Annotated[str, msgspec.Meta(max_length=3)] = ""
    level: Literal["low", "high"] = "low"
    inner: Inner | None = None
    more: dict[str, Inner] = {}
    share: float = 0.5
    on: bool = False


@pytest.mark.parametrize(
    ("raw", "message", "field"),
    [
        ("[]", "it must be a mapping, not a list", ""),
        ("{}", "size is missing", "size"),
        ('{"sise": 1}', "there is no field sise", "sise"),
        ('{"size": true}', "size must be a whole number, not true or false", "size"),
        ('{"size": "3"}', "size must be a whole number, not text", "size"),
        ('{"size": 1.5}', "size must be a whole number, not a fraction", "size"),
        ('{"size": null}', "size must be a whole number, not nothing", "size"),
        ('{"size": 1, "word": "long"}', "word must have at most 3 characters", "word"),
        ('{"size": 1, "level": "loud"}', "level cannot be 'loud'", "level"),
        ('{"size": 1, "inner": 3}', "inner must be a mapping or nothing, not a whole number", "inner"),
        ('{"size": 1, "inner": {"count": -1}}', "inner.count must be at least 0", "inner.count"),
        ('{"size": 1, "inner": {"count": 10}}', "inner.count must be at most 9", "inner.count"),
        ('{"size": 1, "inner": {"cuont": 1}}', "there is no field inner.cuont", "inner.cuont"),
        ('{"size": 1, "inner": {"names": ["a", "b", "c"]}}', "inner.names must have at most 2 entries", "inner.names"),
        ('{"size": 1, "inner": {"names": [1]}}', "inner.names[0] must be text, not a whole number", "inner.names[0]"),
        ('{"size": 1, "more": {"a": {"count": "x"}}}', "more.*.count must be a whole number, not text", "more.*.count"),
        ('{"size": 1, "more": []}', "more must be a mapping, not a list", "more"),
        ('{"size": 1, "share": "half"}', "share must be a number, not text", "share"),
        ('{"size": 1, "on": 1}', "on must be true or false, not a whole number", "on"),
        ('{"size": 1, "word": "\\u0007"}', "word has control characters", "word"),
    ],
)
def test_a_mistake_is_said_as_a_person_would(raw: str, message: str, field: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        from_json(raw, Whole)
    said = in_words(raised.value)
    assert (said.message, said.field) == (message, field)
    assert re.search(r"`(int|object|array|null)`", said.message) is None


@pytest.mark.parametrize(
    ("castes", "said"),
    [
        ('{"db": {"count": 1}, "web": {"cuont": 1}}', "there is no field castes.web.cuont"),
        ('{"db": {"count": 1}, "web": 2}', "castes.web must be a mapping, not a whole number"),
        ('{"web": {"count": "2"}, "db": {"count": "1"}}', "castes.web.count must be a whole number, not text"),
        ('["web"]', "castes must be a mapping, not a list"),
    ],
)
def test_a_spec_names_the_caste(castes: str, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_spec(f'{{"colony": "demo", "size": 3, "castes": {castes}}}'.encode())
    assert raised.value.message == f"spec: {said}"
    assert raised.value.field == said.removeprefix("there is no field ").split(" must ")[0]
