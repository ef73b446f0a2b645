from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.token import (
    RANDOM_BYTES,
    JoinToken,
    TokenRecord,
    TokenRefused,
    beacon_key,
    check_token,
    make_token,
    parse_token,
    spend,
    verifier,
)

PIN = "A" * 43
TOKEN = make_token(PIN, bytes(range(RANDOM_BYTES)))
NOW = 1000.0


def record(**changes: object) -> TokenRecord:
    base = TokenRecord(id=TOKEN.id, verifier=verifier(TOKEN), beacon_key=b"sealed", created_at=0.0, created_by="admin")
    return msgspec.structs.replace(base, **changes)


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_text_and_back(randomness: bytes) -> None:
    token = make_token(PIN, randomness)
    assert parse_token(f"  {token}\n") == token
    assert token.secret_bytes == randomness[8:]


@given(st.one_of(st.text(max_size=120), st.lists(st.text(max_size=20), max_size=6).map("aware1.".join)))
def test_any_other_text_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_token(text)
    assert caught.value.field == "token"
    assert len(text) < 30 or text not in str(caught.value)


@pytest.mark.parametrize(
    "damage", [lambda t: t[:-1], lambda t: t + "A", lambda t: t.upper(), lambda t: t.replace(".", "..", 1)]
)
def test_a_damaged_token_is_refused(damage) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput):
        parse_token(damage(str(TOKEN)))


def test_representations_hide_the_secret() -> None:
    assert TOKEN.secret not in repr(TOKEN)
    assert TOKEN.secret in str(TOKEN)


def test_what_is_stored_is_neither_the_secret_nor_the_beacon_key() -> None:
    stored = verifier(TOKEN)
    assert TOKEN.secret not in stored
    assert TOKEN.secret_bytes.hex() != stored != beacon_key(TOKEN).hex()


def test_a_good_token_passes() -> None:
    check_token(record(), TOKEN.id, TOKEN.secret, name="a", now=NOW)
    check_token(record(expires_at=NOW + 1, uses_left=1, node_name="a"), TOKEN.id, TOKEN.secret, name="a", now=NOW)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"expires_at": NOW}, "expired"),
        ({"uses_left": 0}, "used up"),
        ({"node_name": "b"}, "another node name"),
    ],
)
def test_a_genuine_token_is_refused_with_its_reason(changes: dict[str, object], word: str) -> None:
    with pytest.raises(TokenRefused, match=word) as caught:
        check_token(record(**changes), TOKEN.id, TOKEN.secret, name="a", now=NOW)
    assert (caught.value.exit_code, caught.value.status) == (12, 403)


def test_a_node_that_asks_again_needs_no_further_use_but_all_else() -> None:
    check_token(record(uses_left=0), TOKEN.id, TOKEN.secret, name="a", now=NOW, again=True)
    for stored, secret in (
        (record(expires_at=NOW), TOKEN.secret),
        (record(), TOKEN.secret[::-1]),
        (None, TOKEN.secret),
    ):
        with pytest.raises(TokenRefused):
            check_token(stored, TOKEN.id, secret, name="a", now=NOW, again=True)


def test_unknown_and_wrong_say_the_same_even_of_an_expired_token() -> None:
    other = make_token(PIN, b"\1" * RANDOM_BYTES)
    said = set()
    for stored, token_id, secret in [
        (None, TOKEN.id, TOKEN.secret),
        (record(), TOKEN.id, other.secret),
        (record(expires_at=0.0), TOKEN.id, other.secret),
        (record(), other.id, TOKEN.secret),
        (record(), TOKEN.id, ""),
        (record(), "ü" * 16, "§" * 43),
        (record(), TOKEN.id, TOKEN.secret + "\n"),
    ]:
        with pytest.raises(TokenRefused) as caught:
            check_token(stored, token_id, secret, name="a", now=NOW)
        said.add(str(caught.value))
    assert len(said) == 1


def test_the_placeholder_for_unknown_tokens_opens_nothing() -> None:
    with pytest.raises(TokenRefused):
        check_token(None, "0" * 16, "A" * 43, name="a", now=NOW)


def test_spending_counts_down_only_what_is_counted() -> None:
    assert spend(record()) == record()
    assert spend(record(uses_left=2)).uses_left == 1


def test_the_record_survives_json() -> None:
    kept = record(beacon_key=b'{"v":1}', uses_left=3)
    assert msgspec.json.decode(msgspec.json.encode(kept), type=TokenRecord) == kept


def test_ids_are_bound_into_the_verifier() -> None:
    same_secret = JoinToken(id="f" * 16, secret=TOKEN.secret, ca_pin=PIN)
    assert verifier(same_secret) != verifier(TOKEN)
