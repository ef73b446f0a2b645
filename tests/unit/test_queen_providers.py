"""Identity providers and their users, as the queen keeps them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from queen_support import Queen, refused

from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.session import Session
from aware_agent.queen import commands as do
from aware_agent.queen.providers import sealed_anew, stale_providers
from aware_agent.queen.service_accounts import orphans
from aware_agent.queen.sessions import KEEP_USER_S, SessionCommands
from aware_agent.queen.writer import RevisionChanged
from aware_agent.security.grant import Grant
from aware_agent.security.jwt import Unauthenticated
from aware_agent.security.providers import MAX_PROVIDERS, OidcProvider, ProviderRecord, Rule, provider_sealer
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Forbidden, Role
from aware_agent.security.service_account import ServiceAccount
from tests.memory_colony import SECRET

RULES = (
    Rule(role=Role.VIEWER, values=("staff",)),
    Rule(role=Role.OPERATOR, values=("ops",)),
    Rule(role=Role.ADMIN, values=("admins",)),
)
CORP = OidcProvider(issuer="https://id.example.org", audiences=("colony",), rules=RULES, session_s=600.0)


@pytest.fixture
def queen() -> Queen:
    queen = Queen()
    for name, role in (("ada", Role.SECURITY_ADMIN), ("anna", Role.ADMIN)):
        record = UserRecord(name=name, role=role, password_hash="h", created_at=1.0)
        queen.colony.put(queen.colony.keys.key("users", name), record)
    return queen


ABOVE = msgspec.structs.replace(CORP, rules=(*RULES, Rule(role=Role.SECURITY_ADMIN, values=("guards",))))


def put(name: str = "corp", provider: OidcProvider = CORP, **more: Any) -> do.PutProvider:
    return do.PutProvider(name=name, provider=provider, **more)


def key(queen: Queen, name: str = "corp") -> bytes:
    return queen.colony.keys.key("identity-providers", name)


async def begin(queen: Queen, subject: str = "alice", role: Role = Role.VIEWER, **changes: Any) -> do.Turn:
    stored = queen.colony.projection.get(key(queen))
    fields = {"provider": "corp", "revision": stored.mod_revision if stored else 0, "subject": subject, "role": role}
    turn: do.Turn = await queen.run(do.BeginFederated(**{**fields, **changes}))
    return turn


def user(queen: Queen, name: str = "corp:alice") -> UserRecord | None:
    return queen.colony.reader.one(f"users/{name}", UserRecord)


def sessions(queen: Queen) -> list[str]:
    return [session.user for session in queen.colony.reader.many("sessions/", Session).values()]


async def test_a_user_comes_with_its_first_login_and_keeps_its_id(queen: Queen) -> None:
    await queen.run(put())
    turn = await begin(queen)
    first = user(queen)
    assert first is not None
    assert (first.role, first.provider, first.password_hash) == (Role.VIEWER, "corp", "")
    assert turn.ends_at - first.created_at == pytest.approx(600.0, abs=60)
    await begin(queen)
    assert user(queen) == first
    await begin(queen, role=Role.OPERATOR)
    second = user(queen)
    assert second is not None
    assert (second.role, second.id) == (Role.OPERATOR, first.id)
    assert queen.told() == ["identity-provider.changed", "user.changed", "user.changed"]


async def test_what_was_judged_by_another_record_begins_nothing(queen: Queen) -> None:
    await refused(queen, do.BeginFederated(provider="corp", revision=0, subject="a", role=Role.ADMIN), Unauthenticated)
    await queen.run(put())
    before = queen.colony.projection.get(key(queen))
    assert before is not None
    await queen.run(put(provider=msgspec.structs.replace(CORP, session_s=900.0)))
    late = do.BeginFederated(provider="corp", revision=before.mod_revision, subject="a", role=Role.ADMIN)
    await refused(queen, late, Unauthenticated)


@pytest.mark.parametrize(
    "change", [put(provider=msgspec.structs.replace(CORP, hosts=("a",))), do.DeleteProvider(name="corp")]
)
async def test_a_change_or_removal_takes_all_its_users_and_nobody_elses(queen: Queen, change: Any) -> None:
    await queen.run(put())
    await queen.run(put("corp-2"))
    for number in range(200):  # more than one transaction has room for
        await begin(queen, f"user-{number}")
    other = queen.colony.projection.get(key(queen, "corp-2"))
    assert other is not None
    await begin(queen, provider="corp-2", revision=other.mod_revision)
    await queen.run(change)
    assert [name for name in queen.colony.reader.many("users/", UserRecord) if ":" in name] == ["corp-2:alice"]
    swept = SessionCommands(queen.colony.writer())
    for _ in range(4):
        queen.colony.etcd.txn([], swept.old(0.0))
    assert sessions(queen) == ["corp-2:alice"]


async def test_the_same_again_changes_nothing_and_a_precondition_holds(queen: Queen) -> None:
    made = await queen.run(put())
    same = await queen.run(put())
    assert (same.changed, same.revision) == (False, made.revision)
    await refused(queen, put(provider=msgspec.structs.replace(CORP, hosts=("a",)), if_revision=1), RevisionChanged)
    await refused(queen, do.DeleteProvider(name="nobody"), NotFound)
    await refused(queen, put(provider=msgspec.structs.replace(CORP, rules=())), InvalidInput)


async def test_there_are_only_so_many(queen: Queen) -> None:
    for number in range(MAX_PROVIDERS):
        await queen.run(put(f"p{number}"))
    await refused(queen, put("one-more"), Conflict)
    changed = await queen.run(put("p0", msgspec.structs.replace(CORP, hosts=("a",))))
    assert changed.changed


async def test_one_who_comes_by_a_provider_is_not_the_last_who_has_to_stay(queen: Queen) -> None:
    await queen.run(put(provider=ABOVE))
    await begin(queen, role=Role.SECURITY_ADMIN)
    assert "last security-admin" in await refused(queen, do.DeleteUser(name="ada"), Conflict)
    await queen.run(do.DeleteUser(name="corp:alice"))
    assert user(queen) is None


async def test_no_rule_gives_more_than_who_set_it_has(queen: Queen) -> None:
    """Nor does an admin lay hands on a provider that gives more: by its issuer he would be whom he likes."""
    admin, guard = Grant(role=Role.ADMIN, account=""), Grant(role=Role.SECURITY_ADMIN, account="")
    await refused(queen, put(provider=ABOVE), Forbidden, actor="anna", grant=admin)
    await queen.run(put(), actor="anna", grant=admin)
    await queen.run(put(provider=ABOVE), actor="ada", grant=guard)
    stolen = msgspec.structs.replace(ABOVE, issuer="https://evil.example")
    for command in (put(provider=stolen), put(), put(provider=ABOVE), do.DeleteProvider(name="corp")):
        await refused(queen, command, Forbidden, actor="anna", grant=admin)
    await begin(queen, role=Role.SECURITY_ADMIN)
    await refused(queen, do.DeleteUser(name="corp:alice"), Forbidden, actor="anna", grant=admin)
    assert sessions(queen) == ["corp:alice"]
    await queen.run(do.DeleteProvider(name="corp"), actor="ada", grant=guard)


async def test_no_program_sets_a_provider(queen: Queen) -> None:
    grant = Grant(role=Role.SECURITY_ADMIN, account="", scopes=("*:*",))
    await refused(queen, put(), Forbidden, actor="ada", grant=grant)


async def test_a_role_no_rule_gives_begins_nothing(queen: Queen) -> None:
    """Whatever a gateway says that judged."""
    await queen.run(put())
    with pytest.raises(Forbidden, match="no rule of corp gives role security-admin"):
        await begin(queen, role=Role.SECURITY_ADMIN)
    assert user(queen) is None


async def test_service_accounts_of_who_stays_away_go_when_their_tokens_expired(queen: Queen) -> None:
    await queen.run(put())
    turn = await begin(queen, role=Role.ADMIN)
    alice = user(queen)
    assert alice is not None
    by = {"actor": alice.name, "grant": Grant(role=Role.ADMIN, account=alice.id)}
    await queen.run(do.CreateServiceAccount(name="deploy", role=Role.VIEWER), **by)
    token = (await queen.run(do.CreateServiceToken(account="deploy", ttl_s=5 * KEEP_USER_S), **by)).token
    await queen.run(do.EndSession(session=turn.session))
    writer = queen.colony.writer()
    swept = SessionCommands(writer)
    assert swept.old(alice.changed_at + 2 * KEEP_USER_S) == []
    assert orphans(writer) == []
    queen.colony.etcd.txn([], swept.old(token.expires_at + 1))
    assert user(queen) is None
    queen.colony.etcd.txn([], orphans(writer))
    assert queen.colony.projection.get(queen.colony.keys.key("service-accounts", "deploy")) is None


async def test_service_accounts_go_with_a_provider_that_changed(queen: Queen) -> None:
    await queen.run(put())
    await begin(queen, role=Role.ADMIN)
    alice = user(queen)
    assert alice is not None
    grant = Grant(role=Role.ADMIN, account=alice.id)
    await queen.run(do.CreateServiceAccount(name="deploy", role=Role.VIEWER), actor=alice.name, grant=grant)
    await queen.run(do.CreateServiceAccount(name="mine", role=Role.VIEWER), actor="ada")
    await queen.run(put(provider=msgspec.structs.replace(CORP, hosts=("a",))))
    await begin(queen, role=Role.ADMIN)  # under the same name another one
    queen.colony.etcd.txn([], orphans(queen.colony.writer()))
    assert set(queen.colony.reader.many("service-accounts/", ServiceAccount)) == {"mine"}


async def test_users_who_stay_away_are_forgotten(queen: Queen) -> None:
    await queen.run(put())
    turn = await begin(queen)
    kept = user(queen)
    assert kept is not None
    swept = SessionCommands(queen.colony.writer())
    assert swept.old(kept.changed_at) == []
    await queen.run(do.EndSession(session=turn.session))
    assert swept.old(kept.changed_at + KEEP_USER_S) == []
    (gone,) = swept.old(kept.changed_at + KEEP_USER_S + 1)
    queen.colony.etcd.txn([], [gone])
    assert user(queen) is None
    assert user(queen, "ada") is not None


async def test_a_kept_secret_stays_with_whom_it_was_given_for(queen: Queen) -> None:
    sealed = provider_sealer(SECRET).seal(b"secret", key(queen))
    await queen.run(put(provider=msgspec.structs.replace(CORP, client_secret=sealed)))
    kept = await queen.run(put(provider=msgspec.structs.replace(CORP, session_s=900.0), keep_secret=True))
    assert kept.changed
    record = queen.colony.reader.one("identity-providers/corp", ProviderRecord)
    assert record is not None
    assert isinstance(record.provider, OidcProvider)
    assert record.provider.client_secret == sealed
    for changes in ({"issuer": "https://elsewhere.example"}, {"hosts": ("elsewhere.example",)}, {"ca": "x"}):
        moved = msgspec.structs.replace(CORP, **changes)  # type: ignore[arg-type]
        await refused(queen, put(provider=moved, keep_secret=True), InvalidInput)


async def test_a_secret_is_sealed_anew_and_one_that_does_not_open_stops_no_rotation(queen: Queen) -> None:
    new = b"n" * 32
    for name, sealed in (("corp", provider_sealer(SECRET).seal(b"secret", key(queen))), ("odd", b"nonsense")):
        await queen.run(put(name, msgspec.structs.replace(CORP, client_secret=sealed)))
    assert set(stale_providers(queen.colony.reader, SECRET)) == {"odd"}
    stale = stale_providers(queen.colony.reader, new)
    fresh = {
        n: sealed_anew(record, key(queen, n), provider_sealer(new, SECRET)).provider for n, record in stale.items()
    }
    corp, odd = fresh["corp"], fresh["odd"]
    assert isinstance(corp, OidcProvider)
    assert isinstance(odd, OidcProvider)
    assert provider_sealer(new).open(corp.client_secret, key(queen)) == b"secret"
    assert odd.client_secret == b""
