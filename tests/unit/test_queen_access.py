"""Users, access tokens and join tokens, as the queen keeps them."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from queen_support import Queen, refused

from aware_agent.colony.errors import Conflict, Deposed, InvalidInput, NotFound
from aware_agent.queen import commands as do
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.token import TokenRecord, beacon_key, check_token, parse_token
from aware_agent.store import ops


@pytest.fixture
def queen() -> Queen:
    queen = Queen()
    for name, role in (("ada", Role.SECURITY_ADMIN), ("vera", Role.VIEWER)):
        record = UserRecord(name=name, role=role, password_hash=f"hash of {name}", created_at=1.0)
        queen.colony.put(queen.colony.keys.key("users", name), record)
    return queen


def user(queen: Queen, name: str) -> UserRecord | None:
    return queen.colony.reader.one(f"users/{name}", UserRecord)


def put(name: str, role: str, password_hash: str | None = None) -> do.PutUser:
    return do.PutUser(name=name, role=role, password_hash=password_hash)


async def test_a_user_is_made_changed_and_deleted_and_each_is_on_record(queen: Queen) -> None:
    made = await queen.run(put("nina", "operator", "h1"))
    assert (made.changed, made.term) == (True, queen.colony.term)
    first = user(queen, "nina")
    assert first is not None
    assert (first.role, first.password_hash, first.password_at) == (Role.OPERATOR, "h1", 0.0)
    await queen.run(put("nina", "viewer"))
    second = user(queen, "nina")
    assert second is not None
    assert (second.role, second.password_hash) == (Role.VIEWER, "h1"), "the password stays"
    await queen.run(put("nina", "viewer", "h2"))
    third = user(queen, "nina")
    assert third is not None
    assert third.password_at >= first.created_at, "tokens of before end with the password of before"
    assert (third.created_at, third.id) == (first.created_at, first.id)
    assert len(first.id) == 32
    await queen.run(do.DeleteUser(name="nina"))
    assert user(queen, "nina") is None
    assert queen.told() == ["user.changed"] * 4
    assert {event.actor for event in queen.events()} == {"ada"}
    assert not any("h1" in str(event) or "h2" in str(event) for event in queen.events())


async def test_what_is_so_already_is_no_write(queen: Queen) -> None:
    before = queen.colony.etcd.revision
    assert not (await queen.run(put("vera", "viewer"))).changed
    assert queen.colony.etcd.revision == before


async def test_the_last_security_admin_stays(queen: Queen) -> None:
    assert "last security-admin" in await refused(queen, do.DeleteUser(name="ada"), Conflict)
    assert "last security-admin" in await refused(queen, put("ada", "operator"), Conflict)
    assert "last security-admin" in await refused(queen, put("ada", "viewer", "new"), Conflict)
    await queen.run(put("ada", "security-admin", "new"))  # her password she may change
    await queen.run(put("vera", "security-admin"))
    await queen.run(put("ada", "viewer"))
    assert "last security-admin" in await refused(queen, do.DeleteUser(name="vera"), Conflict)
    await queen.run(do.DeleteUser(name="ada"))
    assert user(queen, "vera") is not None


async def test_of_two_admins_that_delete_each_other_at_once_one_stays(queen: Queen) -> None:
    await queen.run(put("vera", "security-admin"))
    each = queen.run(do.DeleteUser(name="ada"), actor="vera"), queen.run(do.DeleteUser(name="vera"), actor="ada")
    outcome = await asyncio.gather(*each, return_exceptions=True)
    assert [type(one) for one in outcome] == [do.Written, Conflict]
    assert user(queen, "vera") is not None


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (put("nina", "viewer"), InvalidInput),
        (put("Not A Name", "viewer", "h"), InvalidInput),
        (do.DeleteUser(name="nobody"), NotFound),
        (do.RevokeToken(token="0" * 16), NotFound),
        (do.CreateToken(ttl_s=0.5), InvalidInput),
        (do.CreateToken(ttl_s=400 * 86400.0), InvalidInput),
        (do.CreateToken(uses=0), InvalidInput),
        (do.CreateToken(node_name="no name"), InvalidInput),
        (do.CreateToken(addresses=("not an address",)), InvalidInput),
    ],
    ids=str,
)
async def test_what_cannot_be(queen: Queen, command: object, error: type[Exception]) -> None:
    assert await refused(queen, command, error)


async def test_what_is_revoked_is_remembered_as_long_as_it_would_have_lived(queen: Queen) -> None:
    await queen.run(do.RevokeAccess(jti="j1", expires_at=time.time() + 100), actor="vera")
    await queen.run(do.RevokeAccess(jti="j2", expires_at=time.time() - 5), actor="vera")
    first, second = (queen.colony.projection.get(queen.colony.keys.key("revoked", jti)) for jti in ("j1", "j2"))
    assert first is not None
    assert second is not None, "clocks differ: it is refused for a while all the same"
    queen.colony.etcd.advance(queen.colony.etcd.now + 62)
    assert queen.colony.projection.get(second.key) is None
    assert queen.colony.projection.get(first.key) is not None
    queen.colony.etcd.advance(queen.colony.etcd.now + 120)
    assert queen.colony.projection.get(first.key) is None
    assert [event.message for event in queen.events()] == ["vera revoked a token or signed URL"] * 2


async def test_a_join_token_is_kept_as_what_verifies_it_only(queen: Queen) -> None:
    made = await queen.run(do.CreateToken(ttl_s=60.0, uses=2, node_name="db-1", eligible=True))
    token = parse_token(made.text)
    stored = queen.colony.projection.get(queen.colony.keys.key("tokens", token.id))
    assert stored is not None
    assert token.secret.encode() not in stored.value
    record = msgspec.json.decode(stored.value, type=TokenRecord)
    assert (record.uses_left, record.node_name, record.eligible, record.created_by) == (2, "db-1", True, "ada")
    check_token(record, token.id, token.secret, name="db-1", now=time.time())
    assert queen.reign.seek_key(token.id) == beacon_key(token)
    await queen.run(do.RevokeToken(token=token.id))
    assert queen.colony.projection.get(stored.key) is None
    assert queen.reign.seek_key(token.id) is None
    assert queen.told() == ["token.created", "token.revoked"]
    assert not any(token.secret in str(event) for event in queen.events())


async def test_a_queen_that_was_deposed_writes_nothing(queen: Queen) -> None:
    """Another term runs: she does not know, and her transaction is refused."""
    queen.colony.etcd.txn([], [ops.delete(queen.colony.keys.queen)])
    queen.colony.begin_reign(1)
    for command in (put("nina", "viewer", "h"), do.CreateToken(), do.RevokeAccess(jti="j", expires_at=time.time())):
        await refused(queen, command, Deposed)


async def test_a_reign_that_was_closed_sends_nothing(queen: Queen) -> None:
    queen.reign.close()
    await refused(queen, put("nina", "viewer", "h"), Deposed)
