from __future__ import annotations

import base64
import json
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.security.derive import derive
from aware_agent.security.jwt import BARE_TTL_S, LEEWAY_S, MAX_CHARACTERS, TokenSigner, Unauthenticated
from aware_agent.security.roles import Role

SECRET = b"colony secret, thirty-two bytes!!"
NOW = 1_800_000_000.0
SIGNER = TokenSigner("demo", SECRET)
KEY = derive(SECRET, "jwt/demo")


def claims(**changes: Any) -> dict[str, Any]:
    base = {"iss": "aware", "aud": "demo", "sub": "eva", "role": "viewer", "kind": "access", "jti": "1", "sid": "s"}
    return {**base, "iat": NOW, "nbf": NOW, "exp": NOW + 60, **changes}


def refused(token: str, *, now: float = NOW, kind: Any = "access") -> str:
    with pytest.raises(Unauthenticated) as caught:
        SIGNER.verify(token, now=now, kind=kind)
    assert caught.value.status == 401
    assert token not in str(caught.value)
    return str(caught.value)


def test_verifies_what_it_issued() -> None:
    issued = SIGNER.issue("eva", Role.OPERATOR, now=NOW, ttl_s=60, scopes=("spec",))
    principal = SIGNER.verify(issued.token, now=NOW)
    assert principal == issued.principal
    assert (principal.name, principal.role, principal.exp, principal.scopes) == ("eva", "operator", NOW + 60, ("spec",))


def test_every_token_has_its_own_id() -> None:
    assert len({SIGNER.issue("eva", Role.VIEWER, now=NOW, session="s").principal.jti for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("now", "good"),
    [(NOW - LEEWAY_S - 1, False), (NOW - LEEWAY_S, True), (NOW + 60, True), (NOW + 60 + LEEWAY_S, False)],
)
def test_times_have_a_small_leeway(now: float, good: bool) -> None:
    token = SIGNER.issue("eva", Role.VIEWER, now=NOW, session="s", ttl_s=60).token
    if good:
        assert SIGNER.verify(token, now=now).name == "eva"
    else:
        refused(token, now=now)


def test_a_refresh_token_is_no_access_token_and_the_other_way_round() -> None:
    assert "refresh token" in refused(SIGNER.issue("eva", Role.VIEWER, now=NOW, session="s", kind="refresh").token)
    assert "access token" in refused(SIGNER.issue("eva", Role.VIEWER, now=NOW, session="s").token, kind="refresh")


def test_a_token_of_no_session_lives_for_minutes_and_refreshes_nothing() -> None:
    assert SIGNER.verify(SIGNER.issue("eva", Role.ADMIN, now=NOW, ttl_s=BARE_TTL_S).token, now=NOW).session == ""
    assert "no session" in refused(SIGNER.issue("eva", Role.ADMIN, now=NOW, ttl_s=BARE_TTL_S + 1).token)
    bare = SIGNER.issue("eva", Role.ADMIN, now=NOW, ttl_s=60, kind="refresh").token
    assert "no session" in refused(bare, kind="refresh")


def test_a_token_names_its_session_and_turn() -> None:
    token = SIGNER.issue("eva", Role.VIEWER, now=NOW, kind="refresh", session="s", turn=7).token
    shown = SIGNER.verify(token, now=NOW, kind="refresh")
    assert (shown.session, shown.turn) == ("s", 7)


def test_other_colonies_and_other_secrets_are_strangers() -> None:
    refused(TokenSigner("other", SECRET).issue("eva", Role.ADMIN, now=NOW).token)
    refused(TokenSigner("demo", b"another" * 5).issue("eva", Role.ADMIN, now=NOW).token)
    refused(pyjwt.encode(claims(aud="other"), KEY, algorithm="HS256"))


def test_the_header_does_not_choose_the_algorithm() -> None:
    refused(pyjwt.encode(claims(role="admin"), None, algorithm="none"))
    refused(pyjwt.encode(claims(role="admin"), KEY + b"\0" * 32, algorithm="HS512"))
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
    refused(f"{header}.{body}.")


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "role", "kind", "jti", "iat", "nbf", "exp"])
def test_every_claim_is_needed(missing: str) -> None:
    payload = claims()
    del payload[missing]
    refused(pyjwt.encode(payload, KEY, algorithm="HS256"))


@pytest.mark.parametrize(
    "change",
    [
        {"role": "root"},
        {"role": "node"},
        {"iss": "x"},
        {"kind": "x"},
        {"exp": "soon"},
        {"exp": None},
        {"aud": ["demo"]},
        {"nbf": NOW + 99},
    ],
)
def test_signed_nonsense_is_refused_too(change: dict[str, Any]) -> None:
    refused(pyjwt.encode(claims(**change), KEY, algorithm="HS256"))


@given(st.data())
def test_a_changed_payload_is_refused(data: st.DataObject) -> None:
    head, body, tail = SIGNER.issue("eva", Role.VIEWER, now=NOW, session="s", jti="1").token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(body + "=="))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    refused(f"{head}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}.{tail}")


@given(st.text(max_size=200))
def test_any_text_is_refused_quietly(text: str) -> None:
    with pytest.raises(Unauthenticated):
        SIGNER.verify(text, now=NOW)


def test_an_endless_token_is_refused_before_it_is_parsed() -> None:
    refused("a" * (MAX_CHARACTERS + 1))


def test_nodes_get_no_tokens_and_keys_are_not_shown() -> None:
    with pytest.raises(ValueError, match="certificate"):
        SIGNER.issue("x", Role.NODE, now=NOW)
    assert repr(SIGNER) == "TokenSigner('demo')"
