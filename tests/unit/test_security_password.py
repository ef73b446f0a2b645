from __future__ import annotations

import hashlib

import pytest

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.password import MAX_LENGTH, hash_password, verify_password

STORED = hash_password("correct horse", b"s" * 16)


def test_verifies_the_right_password_only() -> None:
    assert verify_password("correct horse", STORED)
    assert not verify_password("correct horsE", STORED)
    assert not verify_password("", STORED)


def test_the_hash_is_scrypt_and_salted() -> None:
    assert STORED.startswith("scrypt$14$8$5$")
    assert hash_password("correct horse") != hash_password("correct horse")
    assert "correct" not in STORED


@pytest.mark.parametrize("stored", [None, "", "plain", "scrypt$14$8$5$x$y", STORED[:-1], "md5$" + STORED])
def test_unknown_users_and_damaged_hashes_cost_one_hash_and_fail(
    stored: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = hashlib.scrypt

    def counted(*args, **kwargs):  # type: ignore[no-untyped-def]
        calls.append((kwargs["n"], kwargs["r"], kwargs["p"]))
        return real(*args, **kwargs)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    assert not verify_password("correct horse", stored)
    assert not verify_password("correct horsE", STORED)
    assert calls[0] == calls[1], "the work tells whether the user exists"


@pytest.mark.parametrize("parameters", ["30$8$5", "14$99$99", "00$8$5", "14$0$5", "99$8$1", "14$8$99"])
def test_planted_parameters_neither_crash_nor_eat_memory(parameters: str) -> None:
    assert not verify_password("correct horse", STORED.replace("14$8$5", parameters))


@pytest.mark.parametrize("password", ["", "short", "x" * (MAX_LENGTH + 1), "é" * MAX_LENGTH])
def test_too_short_and_too_long_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        hash_password(password)
    assert not password or password not in str(caught.value)


def test_an_overlong_attempt_does_not_match_its_beginning() -> None:
    stored = hash_password("x" * MAX_LENGTH)
    assert verify_password("x" * MAX_LENGTH, stored)
    assert not verify_password("x" * (MAX_LENGTH + 1), stored)


def test_odd_characters_are_passwords_too() -> None:
    odd = "pässwörd \ud800\N{SNOWMAN}"
    assert verify_password(odd, hash_password(odd))
