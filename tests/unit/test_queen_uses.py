"""When tokens of service accounts were used, as the queen keeps it: seldom, bounded, and no longer than the account."""

from __future__ import annotations

import msgspec
import pytest
from queen_support import Queen, refused

from aware_agent.colony.errors import Deposed
from aware_agent.queen import commands as do
from aware_agent.queen.service_accounts import ServiceAccountCommands, orphans
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.service_account import USE_S, ServiceAccount, ServiceToken, TokenUses

NOW = 1_800_000_000.0


@pytest.fixture
def queen() -> Queen:
    queen = Queen()
    record = UserRecord(name="ada", role=Role.SECURITY_ADMIN, password_hash="h", created_at=1.0, id="1")
    queen.colony.put(queen.colony.keys.key("users", "ada"), record)
    put(queen, "deploy")
    return queen


def put(queen: Queen, name: str, owner: str = "ada", owner_id: str = "1") -> None:
    tokens = tuple(
        ServiceToken(id=letter * 16, verifier="0" * 64, created_at=1.0, created_by=owner, expires_at=9e9)
        for letter in "ab"
    )
    account = ServiceAccount(
        name=name, id="2", role=Role.VIEWER, owner=owner, owner_id=owner_id, created_at=1.0, tokens=tokens
    )
    queen.colony.put(queen.colony.keys.key("service-accounts", name), account)


def kept(queen: Queen, name: str = "deploy") -> TokenUses | None:
    return queen.colony.reader.one(f"service-account-uses/{name}", TokenUses)


def at(queen: Queen, now: float) -> ServiceAccountCommands:
    return ServiceAccountCommands(queen.colony.writer(), lambda: now)


async def test_an_account_is_written_at_most_once_an_hour_and_nothing_is_lost(queen: Queen) -> None:
    a, b = "a" * 16, "b" * 16
    assert (await at(queen, NOW).note_uses({"deploy": {a: NOW - 10}}, member="m")).changed
    before = queen.colony.etcd.revision
    for later in (1.0, USE_S / 2, USE_S - 1):
        told = await at(queen, NOW + later).note_uses({"deploy": {a: NOW + later, b: NOW + later}}, member="m")
        assert not told.changed
    assert queen.colony.etcd.revision == before
    assert (await at(queen, NOW + USE_S).note_uses({"deploy": {b: NOW + 5}}, member="m")).changed
    assert kept(queen) == TokenUses(noted_at=NOW + USE_S, used_at={a: NOW - 10, b: NOW + 5})
    again = await at(queen, NOW + 3 * USE_S).note_uses({"deploy": {b: NOW}}, member="m")
    assert not again.changed, "nothing newer"
    assert queen.events() == [], "no history is filled by it"


async def test_what_is_told_is_not_believed_beyond_what_can_be(queen: Queen) -> None:
    uses = {"deploy": {"a" * 16: NOW + 1e6, "c" * 16: NOW}, "nobody": {"a" * 16: NOW}, "../users": {}}
    await at(queen, NOW).note_uses(uses, member="m")
    assert kept(queen) == TokenUses(noted_at=NOW, used_at={"a" * 16: NOW})
    assert set(queen.colony.reader.many("service-account-uses/", TokenUses)) == {"deploy"}


async def test_many_accounts_go_a_few_at_a_time(queen: Queen) -> None:
    for number in range(100):
        put(queen, f"p{number}")
    uses = {f"p{number}": {"a" * 16: NOW} for number in range(100)}
    for _ in range(4):
        assert (await at(queen, NOW).note_uses(uses, member="m")).changed
    assert not (await at(queen, NOW).note_uses(uses, member="m")).changed
    assert len(queen.colony.reader.many("service-account-uses/", TokenUses)) == 100


async def test_only_who_reigns_writes_it(queen: Queen) -> None:
    late = at(queen, NOW)
    queen.colony.begin_reign(1)
    with pytest.raises(Deposed):
        await late.note_uses({"deploy": {"a" * 16: NOW}}, member="m")
    assert kept(queen) is None


async def test_it_goes_with_the_account(queen: Queen) -> None:
    put(queen, "other")
    uses = {"deploy": {"a" * 16: NOW}, "other": {"a" * 16: NOW}}
    await queen.run(do.NoteUses(uses=uses), actor="m")
    await queen.run(do.DeleteServiceAccount(name="deploy"))
    assert kept(queen) is None
    assert orphans(queen.colony.writer()) == []
    await refused(queen, do.DeleteUser(name="ada"), Exception)  # the last security-admin
    queen.colony.put(
        queen.colony.keys.key("users", "sara"),
        UserRecord(name="sara", role=Role.SECURITY_ADMIN, password_hash="h", created_at=1.0),
    )
    await queen.run(do.DeleteUser(name="ada"), actor="sara")
    queen.colony.etcd.txn([], orphans(queen.colony.writer()))
    assert kept(queen, "other") is None


async def test_an_owner_whose_record_cannot_be_read_is_not_gone(queen: Queen) -> None:
    queen.colony.put(queen.colony.keys.key("users", "ada"), {"of": "another release"})
    assert orphans(queen.colony.writer()) == []
    queen.colony.delete(queen.colony.keys.key("users", "ada"))
    assert len(orphans(queen.colony.writer())) == 1


def test_a_record_of_uses_is_small() -> None:
    """256 accounts of 16 tokens each."""
    uses = TokenUses(noted_at=NOW, used_at={f"{number:016x}": NOW + 0.123456 for number in range(16)})
    assert len(msgspec.json.encode(uses)) < 1024
