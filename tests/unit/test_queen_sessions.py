"""Sessions, as the queen keeps them."""

from __future__ import annotations

import msgspec
import pytest
from queen_support import Queen, refused

from aware_agent.colony.errors import Deposed, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.session import GRACE_S, IDLE_S, MAX_EACH, SESSION_S, Session
from aware_agent.colony.spec import Policies
from aware_agent.queen import commands as do
from aware_agent.queen.sessions import REUSE_TOLD_S, SessionCommands
from aware_agent.security.jwt import Unauthenticated
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from aware_agent.store import ops

THERE = "198.51.100.9"


class Seen(Queen):
    """A queen and her sessions, by a clock that only moves when told."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        for name, role in (("ada", Role.ADMIN), ("vera", Role.VIEWER)):
            record = UserRecord(name=name, role=role, password_hash="h", created_at=1.0, id=f"id of {name}")
            self.colony.put(self.colony.keys.key("users", name), record)
        self.sessions = SessionCommands(self.colony.writer(), lambda: self.now)

    async def begin(self, name: str = "vera", client: str = "test/1", **changes: object) -> do.Turn:
        command = do.BeginSession(user=name, user_id=f"id of {name}", password_at=0.0, client=client)
        return await self.sessions.begin(msgspec.structs.replace(command, **changes), "127.0.0.1")

    async def refresh(self, turn: do.Turn, source: str = "127.0.0.1", user: str = "vera") -> do.Turn:
        command = do.RefreshSession(session=turn.session, user=user, turn=turn.turn)
        return await self.sessions.refresh(command, source)

    def kept(self) -> dict[str, Session]:
        return self.colony.reader.many("sessions/", Session)


@pytest.fixture
def queen() -> Seen:
    return Seen()


async def test_a_session_is_one_key_and_no_history(queen: Seen) -> None:
    turn = await queen.begin(client="curl/8\x1b[31m\n" + "x" * 500)
    (session,) = queen.kept().values()
    assert (session.user, session.user_id, session.source, session.turn) == ("vera", "id of vera", "127.0.0.1", 0)
    assert session.client.startswith("curl/8?[31m?xxx")
    assert len(session.client) == 120
    assert (turn.role, turn.ends_at, turn.idle_at) == (Role.VIEWER, queen.now + SESSION_S, queen.now + IDLE_S)
    assert queen.told() == []


async def test_a_client_in_a_loop_writes_once_in_a_while(queen: Seen) -> None:
    turn, before = await queen.begin(), queen.colony.etcd.revision
    for _ in range(100):
        turn = await queen.refresh(turn)
    assert queen.colony.etcd.revision == before
    for number in range(3):
        queen.now += GRACE_S
        for _ in range(5):
            turn = await queen.refresh(turn)
        assert turn.turn == number + 1
    assert queen.colony.etcd.revision == before + 3
    assert queen.told() == []


async def test_a_lost_answer_is_told_again_to_who_asked(queen: Seen) -> None:
    first = await queen.begin()
    queen.now += 3600
    second = await queen.refresh(first)
    queen.now += GRACE_S - 1
    assert await queen.refresh(first) == second
    queen.now += 1
    assert (await queen.refresh(second)).turn == 2


@pytest.mark.parametrize(("after", "source"), [(GRACE_S, "127.0.0.1"), (1.0, THERE)])
async def test_a_token_used_again_ends_the_session_for_both(queen: Seen, after: float, source: str) -> None:
    first, other = await queen.begin(), await queen.begin()
    queen.now += 3600
    second = await queen.refresh(first)
    queen.now += after
    with pytest.raises(Unauthenticated, match="used already"):
        await queen.refresh(first, source)
    with pytest.raises(Unauthenticated, match="has ended"):
        await queen.refresh(second)
    assert list(queen.kept()) == [other.session], "another login of the same user is no part of it"
    (event,) = queen.events()
    assert (event.type, event.subject, event.severity) == ("session.reused", "vera", Severity.WARNING)
    assert source in event.message
    assert event.payload == {"session": first.session}


async def test_reuse_after_reuse_does_not_fill_the_history(queen: Seen) -> None:
    for _ in range(5):
        first = await queen.begin()
        queen.now += GRACE_S
        await queen.refresh(first)
        with pytest.raises(Unauthenticated):
            await queen.refresh(first, THERE)
    assert queen.kept() == {}
    assert len(queen.told()) == -(-5 * GRACE_S // REUSE_TOLD_S)


async def test_what_no_refresh_gets_past(queen: Seen) -> None:
    turn = await queen.begin()
    for wrong, user in (
        (msgspec.structs.replace(turn, turn=1), "vera"),
        (msgspec.structs.replace(turn, session="0" * 32), "vera"),
        (msgspec.structs.replace(turn, session="../users/ada"), "vera"),
        (turn, "ada"),
    ):
        with pytest.raises(Unauthenticated, match="has ended"):
            await queen.refresh(wrong, user=user)
    assert (await queen.refresh(turn)).turn == 0


async def test_it_ends_by_being_idle_and_by_its_age(queen: Seen) -> None:
    idle, busy = await queen.begin(), await queen.begin()
    begun = queen.now
    while queen.now < begun + SESSION_S - 3600:
        queen.now += IDLE_S / 2
        busy = await queen.refresh(busy) if queen.now < begun + SESSION_S else busy
    for turn in (idle, busy):
        with pytest.raises(Unauthenticated):
            await queen.refresh(turn)
    queen.colony.put(queen.colony.keys.key("sessions", "odd"), "nothing of ours")
    queen.now = begun + SESSION_S
    queen.colony.etcd.txn([], queen.sessions.old(queen.now))
    assert list(queen.colony.projection.items(queen.colony.keys.key("sessions", ""))) == []


async def test_the_policy_bounds_sessions_that_go_on(queen: Seen) -> None:
    turn = await queen.begin()
    queen.colony.put_spec(size=3, policies=Policies(session_lifetime_s=600.0))
    queen.now += 599
    assert (await queen.refresh(turn)).idle_at == queen.now + 1
    queen.now += 1
    with pytest.raises(Unauthenticated):
        await queen.refresh(turn)


async def test_a_login_for_a_user_who_changed_meanwhile_begins_nothing(queen: Seen) -> None:
    for changes in ({"user_id": "of before"}, {"password_at": 5.0}, {"user": "nobody"}):
        with pytest.raises(Unauthenticated, match="wrong"):
            await queen.begin(**changes)
    assert queen.kept() == {}


@pytest.mark.parametrize(
    ("command", "stays"),
    [
        (do.PutUser(name="vera", role="operator", password_hash=None), False),
        (do.PutUser(name="vera", role="viewer", password_hash="new"), False),
        (do.PutUser(name="vera", role="operator", password_hash="new", keep_sessions=True), True),
        (do.PutUser(name="vera", role="viewer", password_hash=None), True),  # nothing changes
        (do.DeleteUser(name="vera"), False),
        (do.EndSessions(user="vera"), False),
    ],
    ids=str,
)
async def test_what_ends_a_users_sessions(queen: Seen, command: do.AnyCommand, stays: bool) -> None:
    for _ in range(MAX_EACH):
        await queen.begin()
    other = await queen.begin("ada")
    await queen.run(command)
    assert len(queen.kept()) == 1 + (MAX_EACH if stays else 0)
    assert other.session in queen.kept()


async def test_a_user_made_anew_shares_nothing_with_the_old_one(queen: Seen) -> None:
    turn = await queen.begin()
    stored = queen.kept()[turn.session]
    await queen.run(do.DeleteUser(name="vera"))
    await queen.run(do.PutUser(name="vera", role="admin", password_hash="h"))
    # Even if the session were there.
    queen.colony.put(queen.colony.keys.key("sessions", turn.session), stored)
    with pytest.raises(Unauthenticated, match="has ended"):
        await queen.refresh(turn)


async def test_one_ends_or_all(queen: Seen) -> None:
    first, second, ada = await queen.begin(), await queen.begin(), await queen.begin("ada")
    await queen.run(do.EndSession(session=first.session), actor="vera")
    assert queen.told() == [], "who logs out all day writes no history"
    await queen.run(do.EndSession(session=second.session), actor="ada")
    assert await refused(queen, do.EndSession(session=second.session), NotFound)
    assert set(queen.kept()) == {ada.session}
    await queen.begin()
    assert (await queen.run(do.EndSessions(user=None))).changed
    assert not (await queen.run(do.EndSessions(user=None))).changed
    assert queen.kept() == {}
    assert queen.told() == ["session.ended"] * 2
    assert await refused(queen, do.EndSessions(user="nobody"), NotFound)


async def test_a_user_has_no_more_than_so_many(queen: Seen) -> None:
    first = await queen.begin()
    queen.now += GRACE_S
    second = await queen.begin()
    queen.now += 1
    first = await queen.refresh(first)
    for _ in range(MAX_EACH - 1):
        queen.now += 1
        await queen.begin()
    assert len(queen.kept()) == MAX_EACH
    assert first.session in queen.kept()
    assert second.session not in queen.kept(), "the one that was idle for longest"


async def test_a_deposed_queen_begins_and_ends_nothing(queen: Seen) -> None:
    turn = await queen.begin()
    queen.now += GRACE_S
    queen.colony.etcd.txn([], [ops.delete(queen.colony.keys.queen)])
    queen.colony.begin_reign(1)
    for work in (queen.begin(), queen.refresh(turn), queen.sessions.end_all(None, actor="ada")):
        with pytest.raises(Deposed):
            await work
    assert queen.kept()[turn.session].turn == 0
