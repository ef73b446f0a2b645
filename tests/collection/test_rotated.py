"""Modules and the inventory plugin follow a rotation of the colony's CAs, as the command line does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aware_agent.security.keyring import fingerprint
from tests.unit.cli_support import Authority, Colony, Reply, colony

from . import conftest  # Ansible's loader first
from .conftest import ROOT


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Colony]:
    with colony(tmp_path) as made:
        yield made


def client_of(demo: Colony, *endpoints: str) -> Any:
    from ansible_collections.aware.cluster.plugins.module_utils import _client, _context

    link = _context.connection_from({"context": str(demo.context(*endpoints)), "deadline": 1.0}, environ={})
    return _client.GatewayClient(link)


def believing(member: Any, bundle: bytes, role: str = "queen") -> None:
    headers = {"X-Aware-Role": role, "X-Aware-CA": fingerprint(bundle)}
    member.routes["GET /v1/queen"] = lambda _: Reply({}, headers=headers)
    member.routes["GET /v1/ca"] = lambda _: Reply(raw=bundle)


def test_the_ca_file_follows_the_queen(demo: Colony, tmp_path: Path) -> None:
    assert conftest.ROOT == ROOT
    new, file = Authority(tmp_path / "new"), demo.authority.ca_file
    before, after = demo.gateway(), demo.gateway(new)
    both = file.read_bytes() + new.ca_file.read_bytes()
    believing(before, both, role="heir")
    client_of(demo, before.url).get("/v1/queen")
    assert file.read_bytes() != both, "she alone is believed in this"
    believing(before, both)
    believing(after, new.ca_file.read_bytes())
    client = client_of(demo, before.url, after.url)
    client.get("/v1/queen")
    assert file.read_bytes() == both
    before.redirect_to = after.url
    client.get("/v1/queen")
    assert file.read_bytes() == new.ca_file.read_bytes()


def test_what_was_missed_is_told_with_the_way_out(demo: Colony, tmp_path: Path) -> None:
    from ansible_collections.aware.cluster.plugins.module_utils._outcomes import Unreachable

    after = demo.gateway(Authority(tmp_path / "new"))
    with pytest.raises(Unreachable, match=r"copy state/ca\.crt of any of its nodes to .*ca\.crt, then aware login"):
        client_of(demo, after.url).get("/v1/queen")
