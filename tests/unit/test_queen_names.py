"""The queen judges names herself, whoever asks: with a real etcd under her writer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.node import Record
from aware_agent.colony.spec import CasteSpec, Spec
from aware_agent.queen import overview
from aware_agent.queen.access import AccessCommands
from aware_agent.queen.admission import Admission
from aware_agent.queen.sessions import SessionCommands
from aware_agent.queen.wishes import WishCommands
from aware_agent.security.joining import JoinRequest, NameTaken
from tests.unit.test_queen_jobs import QueenSeen, etcd, queen_record  # noqa: F401 - fixtures

pytestmark = pytest.mark.etcd


async def test_nodes_and_castes(queen_record: QueenSeen) -> None:  # noqa: F811
    queen = await queen_record()
    node = Record(id="x", name="store", joined_at=1.0)
    await queen.projection.wait_revision(
        await queen.client.put(queen.keys.key("nodes", "x"), msgspec.json.encode(node)), 20.0
    )
    wishes = WishCommands(queen.writer, "q", lambda wish: None)
    wish = Spec(colony=queen.keys.colony, size=3, castes={"store": CasteSpec(count=1)})
    before = queen.spec
    for write in (wishes.put_spec(wish, if_revision=None, actor="otto"), _soon(overview.plan_spec, queen.reader, wish)):
        with pytest.raises(InvalidInput, match="caste 'store' is called like a node"):
            await write
    assert queen.spec == before

    admission = Admission(queen.writer, None, None, dict)  # type: ignore[arg-type]
    for name in ("web", "demo-1"):  # a caste's, another node's
        with pytest.raises(NameTaken):
            admission._refuse_others(_request(name), None)
    admission._refuse_others(_request("web-1"), None)


@pytest.mark.parametrize("name", ["web-", "Web", "all", "..", "", "a/b", "colony"])
async def test_users_and_tokens(queen_record: QueenSeen, name: str) -> None:  # noqa: F811
    queen = await queen_record()
    access = AccessCommands(
        queen.writer,
        queen.client,
        None,  # type: ignore[arg-type]
        SessionCommands(queen.writer),
    )
    with pytest.raises(InvalidInput, match="cannot be the name of a user"):
        await access.put_user(name, password_hash="x", role="viewer", actor="otto")
    with pytest.raises(InvalidInput, match="cannot be the name of a node"):
        await access.create_token(ttl_s=60, uses=1, node_name=name, actor="otto")
    assert queen.events("") == []


async def _soon(call: Any, *arguments: Any) -> Any:
    return call(*arguments)


def _request(name: str) -> JoinRequest:
    return JoinRequest(
        colony="demo",
        token_id="0" * 16,
        secret="s",
        csr="-----BEGIN",
        node_id="0" * 26,
        name=name,
        address="127.0.0.1",
        url="https://127.0.0.1:1",
        box_key=b"k" * 32,
    )
