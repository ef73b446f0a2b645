"""What changed between two documents is all that is needed to get from one to the other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from aware_agent.colony.difference import Difference, applied, differences, in_words

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 2.5]) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=12,
)


def _encoded(value: Any) -> bytes:
    return b"nothing" if value is UNSET else msgspec.json.encode(value, order="sorted")


@given(before=DOCUMENTS | st.just(UNSET), after=DOCUMENTS | st.just(UNSET))
def test_applied_to_what_was_it_gives_what_is(before: Any, after: Any) -> None:
    was = _encoded(before)
    changes = differences(before, after)
    # As history keeps them.
    kept = msgspec.json.decode(msgspec.json.encode(changes), type=list[Difference])
    assert _encoded(applied(before, kept)) == _encoded(after)
    assert _encoded(before) == was, "what was given is not touched"
    assert (changes == []) == (_encoded(before) == _encoded(after))


def test_one_of_another_document_is_refused() -> None:
    with pytest.raises(KeyError):
        applied({"a": 1}, [Difference(path=("a", "b"), after=2)])


def test_changes_are_said_in_words() -> None:
    before, after = {"a": {"b": 1}, "c": True}, {"a": {"b": 2}, "d": ["x"]}
    assert [in_words(change) for change in differences(before, after)] == [
        "a.b: 1 -> 2",
        "c: true is gone",
        'd: ["x"] is new',
    ]
    assert in_words(Difference(path=(), after="y" * 100)).startswith('all of it: "yyy')
