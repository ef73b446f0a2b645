"""Signed URLs: what was signed holds, anything else is refused and says the same."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.hook import HookOperation, Order
from aware_agent.security.signed_url import CLOCKS_S, Permit, SignatureRefused, sign, signing_keys, verify
from aware_agent.security.token import base64url

KEYS = signing_keys(b"s" * 32)
PATH = "/v1/hooks/heat/demo"
NOW = 1_700_000_000
PERMIT = Permit(
    order=Order(operation=HookOperation.SCALE, delta=2, caste="web", max_size=10),
    actor="otto",
    nonce=base64url(b"n" * 16),
    issued_at=NOW,
    expires_at=NOW + 3600,
    uses=3,
)


def _query(permit: Permit = PERMIT, path: str = PATH) -> str:
    return sign(KEYS, "POST", path, permit).partition("?")[2]


def _check(query: str | bytes, *, method: str = "POST", path: str = PATH, now: float = NOW) -> Permit:
    return verify(KEYS, method, path, query if isinstance(query, bytes) else query.encode(), now)


def _changed(**values: str) -> str:
    return urlencode({**dict(parse_qsl(_query(), keep_blank_values=True)), **values})


def test_what_was_signed_comes_back_whole() -> None:
    assert _check(_query()) == PERMIT


@pytest.mark.parametrize("operation", [HookOperation.JOIN, HookOperation.VERIFY])
def test_other_operations_need_no_numbers(operation: HookOperation) -> None:
    permit = Permit(
        order=Order(operation=operation), actor="otto", nonce=PERMIT.nonce, issued_at=NOW, expires_at=NOW + 1
    )
    query = _query(permit)
    assert "delta" not in query
    assert _check(query) == permit


def test_the_order_of_the_query_does_not_matter() -> None:
    pairs = parse_qsl(_query(), keep_blank_values=True)
    assert _check(urlencode(pairs[::-1])) == PERMIT


@pytest.mark.parametrize(
    "changes",
    [
        {"op": "verify"}, {"delta": "3"}, {"max": "11"}, {"caste": "db"}, {"exp": str(NOW + 9999)},
        {"iat": str(NOW - 1)}, {"by": "ada"}, {"uses": "99"}, {"nonce": base64url(b"m" * 16)}, {"kid": "2"},
        {"kid": ""}, {"sig": ""}, {"sig": "A" * 43}, {"more": "1"}, {"delta": "02"}, {"by": "ö"},
    ],
    ids=str,
)  # fmt: skip
def test_every_change_is_refused_alike(changes: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused, match="no URL this colony signed"):
        _check(_changed(**changes))


def test_other_method_path_or_colony_is_refused() -> None:
    for place in ({"method": "PUT"}, {"path": "/v1/hooks/heat/other"}, {"path": PATH + "/"}):
        with pytest.raises(SignatureRefused, match="no URL"):
            _check(_query(), **place)
    with pytest.raises(SignatureRefused, match="no URL"):
        verify(signing_keys(b"t" * 32), "POST", PATH, _query().encode(), NOW)


@pytest.mark.parametrize("name", ["delta", "sig", "op", "kid"])
def test_repeated_parameters_are_refused(name: str) -> None:
    value = dict(parse_qsl(_query()))[name]
    for query in (f"{_query()}&{name}={value}", f"{name}={value}&{_query()}"):
        with pytest.raises(SignatureRefused, match="no URL"):
            _check(query)


@pytest.mark.parametrize("name", ["delta", "exp", "iat", "by", "uses", "nonce", "kid", "sig", "op"])
def test_missing_parameters_are_refused(name: str) -> None:
    left = {key: value for key, value in parse_qsl(_query(), keep_blank_values=True) if key != name}
    with pytest.raises(SignatureRefused, match="no URL"):
        _check(urlencode(left))


def test_time_bounds_it_on_both_sides() -> None:
    assert _check(_query(), now=NOW + 3599.9) == PERMIT
    assert _check(_query(), now=NOW - CLOCKS_S) == PERMIT
    with pytest.raises(SignatureRefused, match="expired"):
        _check(_query(), now=NOW + 3600)
    with pytest.raises(SignatureRefused, match="future"):
        _check(_query(), now=NOW - CLOCKS_S - 1)


def test_genuine_signature_over_nonsense_is_refused() -> None:
    """A key holder of another version may sign more than we understand; it is refused, not a crash."""
    odd = (
        Permit(order=PERMIT.order, actor="otto", nonce="short", issued_at=NOW, expires_at=NOW + 1),
        Permit(order=PERMIT.order, actor="otto", nonce=PERMIT.nonce, issued_at=NOW, expires_at=10**12),
    )
    for permit in odd:
        with pytest.raises(SignatureRefused, match="no URL"):
            _check(_query(permit))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_way(query: bytes) -> None:
    with pytest.raises(SignatureRefused, match="no URL"):
        _check(query)


@given(st.integers(0, 400), st.integers(1, 255))
def test_any_flipped_byte_is_refused(position: int, flip: int) -> None:
    query = bytearray(_query().encode())
    query[position % len(query)] ^= flip
    try:
        changed = dict(parse_qsl(query.decode("ascii"), keep_blank_values=True))
    except (UnicodeDecodeError, ValueError):
        changed = {}
    if changed == dict(parse_qsl(_query(), keep_blank_values=True)):
        return  # such as %2d for %2D: the same meaning
    with pytest.raises(SignatureRefused):
        _check(bytes(query))


def test_secrets_do_not_show() -> None:
    assert PERMIT.nonce not in repr(PERMIT)
