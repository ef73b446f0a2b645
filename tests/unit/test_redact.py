"""Nothing that is secret passes a redactor, in no way of writing it; what is not secret stays readable."""

from __future__ import annotations

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.security.redact import REMOVED, Redactor, is_secret_name

SECRET = b"\x00\xffcorrect horse\x80battery\xfe"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49\n-----END PRIVATE KEY-----\n"


@given(st.binary(min_size=16, max_size=48), st.binary(max_size=5), st.binary(max_size=5))
def test_a_known_secret_is_found_however_it_is_encoded(secret: bytes, before: bytes, after: bytes) -> None:
    redactor = Redactor([secret])
    whole = before + secret + after
    for text in (
        base64.b64encode(whole).decode(),
        base64.urlsafe_b64encode(whole).decode(),
        base64.urlsafe_b64encode(whole).decode().rstrip("="),
        whole.hex(),
        whole.hex().upper(),
    ):
        cleaned = redactor.known(f"x {text} y")
        assert REMOVED in cleaned, text
        # Of what is left too little is the secret's to be of use: the edges share bits with their neighbours.
        assert all(part not in cleaned for part in (text[8:-8],) if len(part) > 8)


@pytest.mark.parametrize("secret", ["correct-horse-battery", "pass wörd mit Umlaut"])
def test_text_is_found_in_text(secret: str) -> None:
    assert Redactor([secret.encode()]).text(f'{{"a": "x{secret}y"}}') == f'{{"a": "x{REMOVED}y"}}'


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        (f"key:\n{PEM}end", "MIGHAgEAMBMGByqGSM49"),
        (PEM.replace("-----END PRIVATE KEY-----", ""), "AgEGCCqGSM49"),  # a log that was cut
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl.", "eyJzdWIiOiJhIn0"),
        ("aware1.0123456789abcdef." + "A" * 43 + "." + "B" * 43, "A" * 43),
        ("aware-found1.demo." + "C" * 43 + ".ab12", "C" * 43),
        ("aware-backup-key." + "D" * 43, "D" * 43),
        ("https://user:hunter22@example.org/x", "hunter22"),
        ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
        ("authorization=Basic dXNlcjpodW50ZXIyMg==", "dXNlcjpodW50ZXIyMg"),
        ("GET /v1/hooks/x?sig=0123456789abcdef&a=1", "0123456789abcdef"),
        ("admin_password: hunter22", "hunter22"),
        ('"client_secret": "hunter22",', "hunter22"),
        ("AWS_SECRET_ACCESS_KEY=hunter22", "hunter22"),
        ("password='two words'", "two words"),
    ],
)
def test_what_looks_like_a_secret_is_removed(text: str, gone: str) -> None:
    cleaned = Redactor().text(text)
    assert gone not in cleaned
    assert REMOVED in cleaned


def test_what_is_no_secret_stays() -> None:
    text = "queen hive-1 of term 42 reigns at https://192.0.2.1:8443, min_length=8 token_file=/etc/aware/join.token"
    assert Redactor([os.urandom(32)]).text(text) == text
    document = {
        "name": "web",
        "labels": {"disk": "ssd"},
        "token_file": "/a",
        "uses_left": 2,
        "keys": [],
        "secret": None,
    }
    assert Redactor().document(document) == document


def test_fields_that_hold_secrets_are_emptied_at_any_depth_and_the_rest_is_json_still() -> None:
    document = {"a": [{"Password": "hunter22", "b": {"client-secret": ["x", "y"], "n": 3}}], "hunter22": "hunter22"}
    cleaned = Redactor([b"hunter22"]).document(document)
    assert cleaned == {"a": [{"Password": REMOVED, "b": {"client-secret": REMOVED, "n": 3}}], REMOVED: REMOVED}
    deep: object = "hunter22"
    for _ in range(200):
        deep = [deep]
    assert "hunter22" not in json.dumps(Redactor().document(deep))


def test_names_of_secrets() -> None:
    for name in (
        "password",
        "AWARE_TOKEN",
        "client_secret",
        "s3-secret-key",
        "Authorization",
        "api_key",
        "private_key",
    ):
        assert is_secret_name(name), name
    for name in ("token_file", "token_ids", "min_length", "password_min_length", "tokens_count", "name", "keyboard"):
        assert not is_secret_name(name), name


def test_it_does_not_show_what_it_knows() -> None:
    assert "hunter22" not in repr(Redactor([b"hunter22"]))
