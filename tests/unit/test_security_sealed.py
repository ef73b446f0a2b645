from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.security.sealed import SealBroken, Sealer, colony_sealer

KEY, OTHER = b"k" * 32, b"o" * 32
PLACE = b"/aware/demo/ca"


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_opens_what_it_sealed(plaintext: bytes, context: bytes) -> None:
    sealer = colony_sealer(b"secret of the colony")
    sealed = sealer.seal(plaintext, context)
    assert sealer.open(sealed, context) == plaintext
    assert set(json.loads(sealed)) == {"v", "kid", "n", "c"}


def test_the_same_value_is_sealed_differently_each_time() -> None:
    sealer = colony_sealer(b"s")
    assert sealer.seal(b"x", PLACE) != sealer.seal(b"x", PLACE)


def test_a_value_moved_to_another_key_does_not_open() -> None:
    sealer = colony_sealer(b"s")
    with pytest.raises(SealBroken, match="changed or moved"):
        sealer.open(sealer.seal(b"x", PLACE), b"/aware/demo/users/admin")


@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    sealer = colony_sealer(b"s")
    sealed = bytearray(sealer.seal(b"payload", PLACE))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(SealBroken):  # base64 has spare bits, so a few changes mean the same
        assert sealer.open(bytes(sealed), PLACE) == b"payload"


@given(st.binary(max_size=200))
def test_rubbish_is_a_typed_error(rubbish: bytes) -> None:
    with pytest.raises(SealBroken):
        colony_sealer(b"s").open(rubbish, PLACE)


@pytest.mark.parametrize("change", [{"v": 2}, {"kid": "zz"}, {"n": ""}, {"n": "AAAA"}, {"c": ""}, {"extra": 1}])
def test_a_changed_envelope_is_refused(change: dict[str, object]) -> None:
    sealer = colony_sealer(b"s")
    envelope = {**json.loads(sealer.seal(b"x", PLACE)), **change}
    with pytest.raises(SealBroken):
        sealer.open(json.dumps(envelope).encode(), PLACE)


def test_rotation_opens_old_and_seals_with_new() -> None:
    old, both = Sealer({"1": KEY}, "1"), Sealer({"1": KEY, "2": OTHER}, "2")
    assert both.open(old.seal(b"x", PLACE), PLACE) == b"x"
    assert json.loads(both.seal(b"x", PLACE))["kid"] == "2"
    with pytest.raises(SealBroken, match="does not have"):
        old.open(both.seal(b"x", PLACE), PLACE)


def test_another_secret_is_told_apart_by_its_key_id() -> None:
    with pytest.raises(SealBroken, match="does not have"):
        colony_sealer(b"b").open(colony_sealer(b"a").seal(b"x", PLACE), PLACE)


@pytest.mark.parametrize(("keys", "current"), [({"1": KEY}, "2"), ({"1": b"short"}, "1")])
def test_impossible_sealers_are_refused(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(ValueError, match="32-byte"):
        Sealer(keys, current)


def test_representation_has_no_key() -> None:
    assert repr(Sealer({"1": KEY}, "1")) == "Sealer(current='1')"
