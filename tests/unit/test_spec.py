"""Specs: what is accepted, and that a refusal names the field and what to do."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import RESERVED
from aware_agent.colony.scale import MAX_NODES
from aware_agent.colony.spec import CasteSpec, CouncilSpec, Policies, Requirements, Spec, parse_spec

GOOD = b'{"colony":"demo","size":5,"castes":{"web":{"count":2,"requires":{"vcpus":2}},"store":{"count":1}}}'


def refused(raw: bytes) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_spec(raw)
    assert "\n" not in str(caught.value), "one clear line"
    return caught.value


def test_good() -> None:
    spec = parse_spec(GOOD)
    assert spec.castes["web"] == CasteSpec(count=2, requires=Requirements(vcpus=2))
    assert spec.policies == Policies()
    assert parse_spec(msgspec.json.encode(spec)) == spec


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"colony":"Demo","size":5}', "colony"),
        (b'{"colony":"","size":5}', "colony"),
        (b'{"colony":"demo\\n","size":5}', "colony"),
        (b'{"colony":"demo","size":0}', "size"),
        (b'{"colony":"demo","size":%d}' % (MAX_NODES + 1), "size"),
        (b'{"colony":"demo","size":1,"castes":{"web":{"count":2}}}', "castes"),
        (b'{"colony":"demo","size":1,"castes":{"web":{"count":-1}}}', "castes.web.count"),
        (b'{"colony":"demo","size":1,"castes":{"Web":{"count":1}}}', "castes.Web"),
        (b'{"colony":"demo","size":1,"castes":{"web\\n":{"count":1}}}', "castes.web\n"),
        (
            b'{"colony":"demo","size":1,"castes":{"web":{"count":1,"requires":{"vcpus":-1}}}}',
            "castes.web.requires.vcpus",
        ),
        (b'{"colony":"demo","size":5,"council":{"size":4}}', "council.size"),
        (b'{"colony":"demo","size":5,"council":{"size":0}}', "council.size"),
        (b'{"colony":"demo","size":9,"council":{"size":9}}', "council.size"),
        (b'{"colony":"demo","size":3,"council":{"size":5}}', "council.size"),
        (b'{"colony":"demo","size":3,"council":{"size":3,"replace_after_s":1}}', "council.replace_after_s"),
        (b'{"colony":"demo","size":3,"council":{"size":3,"replace_after_s":-1}}', "council.replace_after_s"),
        (b'{"colony":"demo","size":1,"policies":{"dead_after_s":0.5}}', "policies.dead_after_s"),
        (b'{"colony":"demo","size":1,"policies":{"keep_events":999}}', "policies.keep_events"),
    ],
)
def test_rules_name_the_field(raw: bytes, field: str) -> None:
    assert refused(raw).field == field


def test_a_council_is_part_of_the_wish_and_may_be_left_out() -> None:
    assert parse_spec(GOOD).council is None
    never = parse_spec(b'{"colony":"demo","size":3,"council":{"size":3,"replace_after_s":0}}')
    assert never.council == CouncilSpec(size=3, replace_after_s=0)
    assert parse_spec(b'{"colony":"demo","size":1,"council":{"size":1}}').council == CouncilSpec(size=1)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_with_a_meaning_of_their_own_are_no_castes(name: str) -> None:
    error = refused(msgspec.json.encode({"colony": "demo", "size": 1, "castes": {name: {"count": 1}}}))
    assert "not one of" in error.hint


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"colony":"demo","size":"five"}', "size must be a whole number, not text"),
        (b'{"colony":"demo","size":5,"sise":6}', "sise"),
        (b'{"colony":"demo"}', "size"),
        (b'{"colony":"demo","size":1,"castes":{"web":{"count":1,"requires":{"cpu":2}}}}', "cpu"),
        (b'{"colony":"demo","size":1,"policies":{"replace_dead":"later"}}', "later"),
        (b"[]", "not a list"),
        (b"", "not JSON"),
        (b'{"colony":', "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_shape(raw: bytes, says: str) -> None:
    error = refused(raw)
    assert says in f"{error} {error.field}"


def _parsed(raw: bytes) -> Spec | InvalidInput:
    try:
        return parse_spec(raw)
    except InvalidInput as error:
        return error


@given(st.binary(max_size=200))
def test_any_bytes_are_a_spec_or_one_clear_error(raw: bytes) -> None:
    assert isinstance(_parsed(raw), Spec | InvalidInput)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(("colony", "size", "castes", "policies", "web")), x),
        max_leaves=8,
    )
)
def test_any_json_is_a_spec_or_one_clear_error(value: object) -> None:
    assert isinstance(_parsed(msgspec.json.encode(value)), Spec | InvalidInput)
