"""What the colony makes of whom a provider names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import Kind, is_name
from aware_agent.security.providers import (
    KeystoneProvider,
    OidcProvider,
    Provider,
    Rule,
    check_provider,
    provider_sealer,
    role_of,
    user_name,
)
from aware_agent.security.roles import Role

RULES = (
    Rule(role=Role.VIEWER, values=("staff",)),
    Rule(role=Role.ADMIN, values=("admins", "boss")),
    Rule(role=Role.OPERATOR, claim="realm.roles", values=("ops",)),
    Rule(role=Role.OPERATOR, claim="https://example.org/team", values=("ops",)),
    Rule(role=Role.ADMIN, claim="email", values=("ada@example.org",)),
    Rule(role=Role.VIEWER, claim="sub", values=("repo:a/b:*", "exactly")),
)
GOOD = OidcProvider(issuer="https://id.example.org/realm", audiences=("colony",), rules=RULES)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({}, None),
        ({"groups": []}, None),
        ({"groups": ["Admins", "admin", "admins ", "adminss"]}, None),
        ({"groups": "staff"}, Role.VIEWER),
        ({"groups": ["boss", "staff"]}, Role.ADMIN),
        ({"groups": ["staff", ["admins"], {"admins": 1}, None, 7]}, Role.VIEWER),
        ({"groups": {"admins": True}}, None),
        ({"realm": {"roles": ["ops"]}}, Role.OPERATOR),
        ({"realm": ["roles"]}, None),
        ({"realm.roles": ["ops"]}, Role.OPERATOR),
        ({"https://example.org/team": "ops"}, Role.OPERATOR),
        ({"email": "ada@example.org"}, None),
        ({"email": "ada@example.org", "email_verified": False}, None),
        ({"email": "ada@example.org", "email_verified": "true"}, None),
        ({"email": "ada@example.org", "email_verified": 1}, None),
        ({"email": "ada@example.org", "email_verified": True}, Role.ADMIN),
        ({"email": "Ada@example.org", "email_verified": True}, None),
        ({"sub": "repo:a/b:ref"}, Role.VIEWER),
        ({"sub": "repo:a/bc:ref"}, None),
        ({"sub": "exactly"}, Role.VIEWER),
        ({"sub": "exactly so"}, None),
    ],
)
def test_the_highest_rule_that_matches_gives_the_role_and_without_one_there_is_none(
    claims: dict[str, Any], role: Role | None
) -> None:
    assert role_of(RULES, claims) is role


def test_a_star_is_a_letter_where_no_subject_is_meant() -> None:
    rules = (Rule(role=Role.ADMIN, values=("adm*",)),)
    assert role_of(rules, {"groups": ["admins"]}) is None
    assert role_of(rules, {"groups": ["adm*"]}) is Role.ADMIN


SUBJECTS = st.one_of(st.text(), st.from_regex(r"[a-z~:/.@-]{1,70}", fullmatch=True))


@given(SUBJECTS, SUBJECTS, st.sampled_from(["corp", "corp-2"]), st.sampled_from(["corp", "corp-2"]))
def test_a_name_is_one_users_alone_and_no_local_users(one: str, two: str, here: str, there: str) -> None:
    first, second = user_name(here, one), user_name(there, two)
    assert (first == second) == ((here, one) == (there, two))
    assert not is_name(Kind.USER, first)
    assert "/" not in first
    assert first.isprintable()
    assert first.isascii()
    assert len(first) < 128


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rules": ()}, "rules"),
        ({"rules": (Rule(role=Role.NODE, values=("a",)),)}, "rules.role"),
        ({"rules": (Rule(role=Role.VIEWER, values=()),)}, "rules.values"),
        ({"rules": (Rule(role=Role.VIEWER, values=("",)),)}, "rules"),
        ({"rules": (Rule(role=Role.VIEWER, claim="sub", values=("*",)),)}, "rules.values"),
        ({"rules": RULES * 20}, "rules"),
        ({"issuer": "http://id.example.org"}, "issuer"),
        ({"issuer": "http://localhost"}, "issuer"),
        ({"issuer": "https://user:word@id.example.org"}, "issuer"),
        ({"issuer": "https://id.example.org/?a=b"}, "issuer"),
        ({"issuer": "https://id.example.org:port"}, "issuer"),
        ({"issuer": "file:///etc/passwd"}, "issuer"),
        ({"issuer": "https://id.example.org/\n"}, "issuer"),
        ({"issuer": "https://" + "a" * 600}, "issuer"),
        ({"issuer": "https://169.254.169.254"}, "issuer"),
        ({"issuer": "https://[fe80::1]/realm"}, "issuer"),
        ({"audiences": ()}, "client_id"),
        ({"audiences": ("",)}, "audiences"),
        ({"client_id": "aware"}, "public_url"),
        ({"public_url": "https://aware.example.org"}, "public_url"),
        ({"client_id": "aware", "public_url": "https://aware.example.org/v1"}, "public_url"),
        ({"client_id": "aware", "public_url": "http://aware.example.org"}, "public_url"),
        ({"client_id": "aware", "public_url": "https://a.example", "scopes": ("email",)}, "scopes"),
        ({"session_s": 1.0}, "session_s"),
        ({"session_s": 1e9}, "session_s"),
        ({"ca": "x" * 100_000}, "ca"),
    ],
)
def test_what_could_not_work_or_would_let_everybody_in_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    check_provider("corp", GOOD)
    with pytest.raises(InvalidInput) as caught:
        check_provider("corp", msgspec.structs.replace(GOOD, **changes))
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["", "Corp", "corp:x", "a/b", "-a", "a" * 33, "corp\n"])
def test_names_of_providers(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_provider(name, GOOD)


def test_a_keystone_needs_its_address() -> None:
    for url in (
        "https://cloud:5000/v3",
        "https://10.0.0.5:5000/v3",
        "https://[fd12::5]:5000/v3",
        "http://127.0.0.1:5000",
    ):
        check_provider("cloud", KeystoneProvider(url=url, rules=RULES))
    with pytest.raises(InvalidInput, match="metadata"):
        check_provider("cloud", KeystoneProvider(url="https://[::ffff:169.254.169.254]/v3", rules=RULES))
    with pytest.raises(InvalidInput):
        check_provider("cloud", KeystoneProvider(url="http://cloud:5000/v3", rules=RULES))


def test_a_record_is_read_as_it_was_written_and_its_secret_is_in_no_repr() -> None:
    provider: Provider = msgspec.structs.replace(GOOD, client_secret=b"sealed")
    assert msgspec.json.decode(msgspec.json.encode(provider), type=Provider) == provider
    assert "sealed" not in repr(provider)


def test_a_seal_of_client_secrets_opens_with_the_same_secret_only() -> None:
    sealed = provider_sealer(b"a" * 32).seal(b"secret", b"place")
    assert provider_sealer(b"b" * 32, b"a" * 32).open(sealed, b"place") == b"secret"
    from aware_agent.security.sealed import SealBroken, colony_sealer

    for stranger in (provider_sealer(b"b" * 32), colony_sealer(b"a" * 32)):
        with pytest.raises(SealBroken):
            stranger.open(sealed, b"place")
