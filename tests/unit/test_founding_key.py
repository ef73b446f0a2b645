"""The founding key: one text, everything derived, every mistake one line that does not repeat it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.cli.files import write_new_secret
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.security import pki
from aware_agent.security.files import StateUnusable
from aware_agent.security.founding_key import make_founding_key, parse_founding_key, read_founding_key
from aware_agent.security.pem import derived_key

KEY = make_founding_key("demo", bytes(range(32)))


def test_text_and_back() -> None:
    assert parse_founding_key(KEY.text() + "\n") == KEY
    assert KEY.text().startswith("aware-found1.demo.")
    assert KEY.text().split(".")[2] not in repr(KEY)


def test_everything_is_derived_and_nothing_is_like_another() -> None:
    again, other = make_founding_key("demo", KEY.secret), make_founding_key("other", KEY.secret)
    values = [KEY.beacon_key, KEY.colony_secret, KEY.token_bytes, KEY.id.encode(), KEY.secret]
    assert len({value[:8] for value in values}) == len(values)
    assert (again.colony_secret, again.token_bytes, again.id) == (KEY.colony_secret, KEY.token_bytes, KEY.id)
    assert other.colony_secret != KEY.colony_secret, "the name is part of it"


def test_the_ca_of_two_founders_has_one_pin() -> None:
    one = pki.create_ca("demo", 1e9, key=KEY.ca_key())
    two = pki.create_ca("demo", 2e9, key=make_founding_key("demo", KEY.secret).ca_key())
    assert one.certificate != two.certificate
    assert pki.ca_pin(one.certificate) == pki.ca_pin(two.certificate)
    leaf = pki.issue(one, pki.make_key(), common_name="x", sans=[], now=1e9)
    assert pki.is_issued_by(leaf.certificate, two.certificate)


def test_a_key_is_derived_from_enough_bytes() -> None:
    assert derived_key(b"s" * 48) == derived_key(b"s" * 48) != derived_key(b"t" * 48)
    with pytest.raises(ValueError, match="48 bytes"):
        derived_key(b"s" * 32)


@given(at=st.integers(0, 200), letter=st.sampled_from("abcXYZ019-_."))
def test_a_typo_is_found(at: int, letter: str) -> None:
    text = KEY.text()
    at %= len(text)
    damaged = text[:at] + letter + text[at + 1 :]
    if damaged == text:
        return
    with pytest.raises(InvalidInput) as refused:
        parse_founding_key(damaged)
    secret = KEY.text().split(".")[2]
    assert secret[:12] not in str(refused.value)
    assert secret[-12:] not in str(refused.value)


@pytest.mark.parametrize("text", ["", "aware1.x.y.z", "aware-found1.demo", "hello", KEY.text()[:-1], KEY.text() + "x"])
def test_what_is_no_key_is_said(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"not a founding key|has a typo"):
        parse_founding_key(text)


def test_the_file_is_ours_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new_secret(path, KEY.text().encode())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(Conflict, match="is there already and was left alone"):
        write_new_secret(path, b"other")
    assert read_founding_key(path, "demo") == KEY
    with pytest.raises(InvalidInput, match="cannot write"):
        write_new_secret(tmp_path / "nowhere" / "key", b"x")


def test_what_a_node_refuses(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(StateUnusable, match="there is no founding key"):
        read_founding_key(path, "demo")
    path.write_text(KEY.text())
    path.chmod(0o644)
    with pytest.raises(StateUnusable, match="lets other users read it"):
        read_founding_key(path, "demo")
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match="is of colony 'demo', this node is to be of 'web'"):
        read_founding_key(path, "web")


def test_a_name_no_colony_has_makes_no_key() -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a colony"):
        make_founding_key("No!", os.urandom(32))
