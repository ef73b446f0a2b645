"""A client follows a rotation of the CAs by itself, from the queen alone; one that missed it says what to do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aware_agent.cli.client import Gateway
from aware_agent.cli.context import load_context
from aware_agent.cli.errors import Unreachable
from aware_agent.security import pki
from aware_agent.security.keyring import fingerprint
from tests.unit.cli_support import Authority, Colony, FakeGateway, Reply


@pytest.fixture
def new(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "new")


def client_of(demo: Colony, *endpoints: str) -> Gateway:
    return Gateway(load_context(demo.context(*endpoints)), deadline_s=0.5, timeout_s=3.0)


def believing(member: FakeGateway, bundle: bytes, *, role: str = "queen", mark: str = "") -> None:
    headers = {"X-Aware-Role": role, "X-Aware-CA": mark or fingerprint(bundle)}
    member.routes["GET /v1/queen"] = lambda _: Reply({}, headers=headers)
    member.routes["GET /v1/ca"] = lambda _: Reply(raw=bundle)


def both(demo: Colony, new: Authority) -> bytes:
    return demo.authority.ca_file.read_bytes() + new.ca_file.read_bytes()


def test_what_the_queen_believes_is_believed_from_the_next_connection_on(demo: Colony, new: Authority) -> None:
    before, after = demo.gateway(), demo.gateway(new)
    bundle = both(demo, new)
    believing(before, bundle)
    believing(after, new.ca_file.read_bytes())
    with client_of(demo, before.url, after.url) as client:
        client.get("/v1/queen")
        assert demo.authority.ca_file.read_bytes() == bundle
        before.redirect_to = after.url
        client.get("/v1/queen")  # the same client, whose process began with the old CA alone
    assert demo.authority.ca_file.read_bytes() == new.ca_file.read_bytes(), "the old one is forgotten too"
    with client_of(demo, after.url) as client:
        client.get("/v1/queen")
    assert after.paths().count("GET /v1/ca") == 1, "nothing is fetched that is there"
    assert all("Authorization" not in ask.headers for ask in after.asked if ask.path == "/v1/ca")


@pytest.mark.parametrize("wrong", ["member", "other content", "no CA", "a mixed file"])
def test_nothing_else_is_taken_for_it(demo: Colony, new: Authority, wrong: str) -> None:
    queen, file = demo.gateway(), demo.authority.ca_file
    bundle = b"no certificate" if wrong == "no CA" else both(demo, new)
    mark = fingerprint(b"something else") if wrong == "other content" else ""
    believing(queen, bundle, role="member" if wrong == "member" else "queen", mark=mark)
    if wrong == "a mixed file":  # what a user keeps for other servers too
        file.write_bytes(file.read_bytes() + pki.create_council_ca("demo", time.time()).certificate)
    before = file.read_bytes()
    with client_of(demo, queen.url) as client:
        assert client.get("/v1/queen").status == 200
    assert file.read_bytes() == before


def test_a_client_that_missed_it_is_told_what_to_do(demo: Colony, new: Authority) -> None:
    after = demo.gateway(new)
    with client_of(demo, after.url) as client, pytest.raises(Unreachable) as told:
        client.get("/v1/queen")
    assert told.value.hint == (
        f"were its CAs rotated meanwhile? copy state/ca.crt of any of its nodes to {demo.authority.ca_file}, "
        "then aware login"
    )
