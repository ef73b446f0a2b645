"""Idempotency-Key at the queen: one change a key, whoever reigns when the request is repeated."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from unittest.mock import AsyncMock

import msgspec
import pytest

from aware_agent.agent.member.link import Asked, Done
from aware_agent.channel.frames import CollectDiagnostics
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.hook import HookOperation, Order
from aware_agent.colony.session import Session
from aware_agent.colony.spec import Spec
from aware_agent.queen import commands as do
from aware_agent.queen import once
from aware_agent.queen.once import KeptRecord, OnceBook
from aware_agent.security.keyring import Keyring
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.sealed import KeyringSealer
from aware_agent.security.signed_url import Permit
from tests.memory_colony import node_id
from tests.unit.queen_support import Queen

CORDON = do.ChangeNode(node=node_id(1), cordoned=True)
UNCORDON = do.ChangeNode(node=node_id(1), cordoned=False)
TOKEN = do.CreateToken(uses=1)
PERMIT = Permit(
    order=Order(operation=HookOperation.SCALE, delta=1, max_size=9),
    actor="ada",
    nonce="A" * 22,
    issued_at=1,
    expires_at=2**33,
    uses=1,
)


@pytest.fixture
def queen() -> Queen:
    queen = Queen()
    for name, role in (("ada", Role.ADMIN), ("otto", Role.OPERATOR)):
        record = UserRecord(name=name, role=role, password_hash="x", created_at=1.0)
        queen.colony.put(queen.colony.keys.key("users", name), record)
    session = Session(user="otto", user_id="", begun_at=1.0, refreshed_at=1.0)
    queen.colony.put(queen.colony.keys.key("sessions", "5e" * 16), session)
    return queen


async def ask(queen: Queen, command: Any, key: str = "k", *, mark: bytes = b"", actor: str = "ada") -> Done:
    """Give it with that key; what makes it the same request is the command, if nothing else is said."""
    asked = Asked(key=key, mark=mark or msgspec.msgpack.encode(command))
    return await queen.colony.execute(queen.reign, command, actor=actor, once=asked)


def kept(queen: Queen) -> list[bytes]:
    return [kv.value for kv in queen.colony.projection.items(queen.colony.keys.key("idempotency", ""))]


def next_queen(queen: Queen) -> None:
    queen.reign.close()
    queen.colony.begin_reign(0)
    queen.reign = queen.colony.reign()


ONE_OF_EACH = [
    CORDON,
    do.PutConfig(node=node_id(1), config=do.Config()),
    do.RemoveNode(node=node_id(2), force=True),
    do.OrderNode(node=node_id(1), order=CollectDiagnostics()),
    do.StepDown(),
    do.Transfer(node=node_id(1)),
    TOKEN,
    do.PutUser(name="nina", password_hash="x", role="viewer"),
    do.RecordSigned(permit=PERMIT),
    do.PutSpec(spec=Spec(colony="demo", size=4)),
    do.DeleteUser(name="otto"),
    do.RevokeAccess(jti="x", expires_at=2.0**33),
    do.EndSession(session="5e" * 16),
    do.EndSessions(user="otto"),
    do.EndSessions(user=None),
]


SAME_TWICE = [
    CORDON,
    do.PutConfig(node=node_id(1), config=do.Config()),
    do.PutUser(name="otto", password_hash=None, role="viewer"),
    do.PutSpec(spec=Spec(colony="demo", size=4)),
]


@pytest.mark.parametrize("command", SAME_TWICE, ids=lambda command: type(command).__name__)
async def test_what_is_so_already_names_the_revision_since_when(queen: Queen, command: Any) -> None:
    made = queen.colony.answer(command, await ask(queen, command, "k1"))
    assert made.changed
    await ask(queen, TOKEN, "k2")
    for _ in range(2):  # the second time it is replayed
        same = queen.colony.answer(command, await ask(queen, command, "k3"))
        assert (same.changed, same.revision) == (False, made.revision)


@pytest.mark.parametrize("command", ONE_OF_EACH, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("fails_over", [False, True], ids=["same-queen", "next-queen"])
async def test_repeated_it_changes_nothing_and_answers_as_before(queen: Queen, command: Any, fails_over: bool) -> None:
    first = await ask(queen, command)
    assert not first.replayed
    if fails_over:
        next_queen(queen)
    revision = queen.colony.etcd.revision
    second = await ask(queen, command)
    assert second.replayed
    assert queen.colony.etcd.revision == revision, "nothing was written"
    one, two = queen.colony.answer(command, first), queen.colony.answer(command, second)
    if isinstance(command, do.StepDown | do.Transfer):
        # Their answer names the revision before the change, which belongs to the election.
        assert (one.term, one.changed) == (two.term, two.changed)
    else:
        assert one == two


async def test_change_and_key_are_one_transaction(queen: Queen) -> None:
    done = await ask(queen, CORDON)
    at = queen.colony.answer(CORDON, done).revision
    (key,) = queen.colony.projection.items(queen.colony.keys.key("idempotency", ""))
    node = queen.colony.projection.get(queen.colony.keys.key("nodes", node_id(1)))
    assert node is not None
    assert key.mod_revision == node.mod_revision == at


async def test_without_a_key_it_is_done_again(queen: Queen) -> None:
    one = await queen.run(TOKEN)
    two = await queen.run(TOKEN)
    assert one.record.id != two.record.id
    assert kept(queen) == []


async def test_a_key_is_of_one_request_and_of_one_user(queen: Queen) -> None:
    await ask(queen, CORDON)
    with pytest.raises(Conflict, match="was used for another request"):
        await ask(queen, UNCORDON)
    other = await ask(queen, UNCORDON, actor="otto")
    assert not other.replayed


async def test_what_changed_nothing_stays_without_effect(queen: Queen) -> None:
    first = queen.colony.answer(UNCORDON, await ask(queen, UNCORDON))
    assert not first.changed
    await queen.run(CORDON)
    again = await ask(queen, UNCORDON)
    assert again.replayed
    assert not queen.colony.answer(UNCORDON, again).changed
    assert queen.colony.reader.records()[node_id(1)].cordoned, "the later change of somebody else stays"


async def test_a_refusal_is_judged_anew(queen: Queen) -> None:
    allow = do.RevokeToken(token="none")
    with pytest.raises(NotFound):
        await ask(queen, allow)
    assert kept(queen) == []
    made = await queen.run(TOKEN)
    with pytest.raises(InvalidInput):
        await ask(queen, do.PutUser(name="nina", password_hash=None, role="viewer"), "k2")
    assert not (await ask(queen, do.PutUser(name="nina", password_hash="x", role="viewer"), "k2")).replayed
    assert not (await ask(queen, do.RevokeToken(token=made.record.id))).replayed


async def test_a_precondition_that_only_the_first_could_meet(queen: Queen) -> None:
    revision = queen.colony.reader.view().nodes[1].revision
    insisting = do.ChangeNode(node=node_id(1), cordoned=True, if_revision=revision)
    await ask(queen, insisting)
    assert (await ask(queen, insisting)).replayed


async def test_at_once_from_two_sides_it_is_done_once(queen: Queen) -> None:
    answers = await asyncio.gather(*(ask(queen, TOKEN) for _ in range(5)))
    assert sorted(answer.replayed for answer in answers) == [False, True, True, True, True]
    assert len({bytes(answer.result) for answer in answers}) == 1


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            lambda revision: do.ChangeNode(node=node_id(1), cordoned=True, if_revision=revision), id="If-Match"
        ),
        pytest.param(lambda _: do.DeleteUser(name="otto"), id="what is removed"),
    ],
)
async def test_at_once_from_two_sides_none_is_refused_for_what_the_other_did(queen: Queen, command: Any) -> None:
    """A client whose first request waits for a slow etcd sends it again: both wait, and the later one finds it done."""
    insisting = command(queen.colony.reader.view().nodes[1].revision)
    async with queen.reign._writer.writing():
        asked = [asyncio.create_task(ask(queen, insisting)) for _ in range(3)]
        for _ in range(20):
            await asyncio.sleep(0)
    answers = await asyncio.gather(*asked)
    assert sorted(answer.replayed for answer in answers) == [False, True, True]
    assert len({bytes(answer.result) for answer in answers}) == 1


async def test_its_own_refusal_is_told_to_who_began_it(queen: Queen, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of several transactions finds its own key when a later one fails: that answers nothing."""
    refused = NotFound("the node went")
    monkeypatch.setattr(queen.reign._channels, "command", AsyncMock(side_effect=refused))
    with pytest.raises(NotFound, match="the node went"):
        await ask(queen, do.OrderNode(node=node_id(1), order=CollectDiagnostics()))
    assert kept(queen), "it was begun"


async def test_a_command_under_way_is_not_given_twice(queen: Queen, monkeypatch: pytest.MonkeyPatch) -> None:
    order, silent = do.OrderNode(node=node_id(1), order=CollectDiagnostics()), asyncio.Event()

    async def wait(*_: Any) -> dict[str, Any]:
        await silent.wait()
        return {"did": "it"}

    monkeypatch.setattr(queen.reign._channels, "command", wait)
    first = asyncio.create_task(ask(queen, order))
    async with asyncio.timeout(30):
        while not kept(queen):
            await asyncio.sleep(0)
    with pytest.raises(Conflict, match="still runs, or its answer was lost"):
        await ask(queen, order)
    silent.set()
    done = await first
    assert (await ask(queen, order)).result == done.result


async def test_neither_a_secret_nor_what_was_asked_can_be_read_in_etcd(queen: Queen) -> None:
    made = queen.colony.answer(TOKEN, await ask(queen, TOKEN, mark=b"hash of a password"))
    (value,) = kept(queen)
    assert made.text.encode() not in value
    record = msgspec.json.decode(value, type=KeptRecord)
    assert b"hash of a password" not in record.sealed
    assert made.text.encode() not in record.sealed


@pytest.mark.parametrize("damage", [b"{}", b"\xff", b'{"at":1,"term":1,"sealed":"AAAA"}'])
async def test_a_record_that_cannot_be_read_repeats_nothing(queen: Queen, damage: bytes) -> None:
    await ask(queen, TOKEN)
    (place,) = [kv.key for kv in queen.colony.projection.items(queen.colony.keys.key("idempotency", ""))]
    queen.colony.put(place, msgspec.Raw(damage))
    with pytest.raises(Conflict, match="cannot be read any more"):
        await ask(queen, TOKEN)


async def test_a_record_of_another_secret_repeats_nothing(queen: Queen) -> None:
    await ask(queen, TOKEN)
    queen.colony.keyring = Keyring(2, {2: b"n" * 32})
    next_queen(queen)
    with pytest.raises(Conflict) as refused:
        await ask(queen, TOKEN)
    assert "secret rotated" in str(refused.value.hint)


async def test_one_user_keeps_so_many_and_the_oldest_goes(queen: Queen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "KEEP_EACH", 4)
    await ask(queen, TOKEN, "of otto", actor="otto")
    for number in range(6):
        await ask(queen, TOKEN, f"k{number}")
    assert len(kept(queen)) == 4 + 1
    assert (await ask(queen, TOKEN, "k5")).replayed
    assert (await ask(queen, TOKEN, "of otto", actor="otto")).replayed
    assert not (await ask(queen, TOKEN, "k0")).replayed


async def test_those_of_yesterday_are_forgotten_by_the_reconciler(queen: Queen) -> None:
    await ask(queen, TOKEN, "today")
    book = OnceBook(queen.colony.writer(), KeyringSealer(queen.colony.keyring))
    keys = queen.colony.keys
    for name, at in (("old", time.time() - once.KEEP_S - 60), ("of a wrong clock", time.time() + 2 * once.KEEP_S)):
        queen.colony.put(book.key("ada", name), KeptRecord(at=at, term=1, sealed=b""))
    queen.colony.put(keys.key("idempotency", "ada", "unreadable"), "?")
    assert len(kept(queen)) == 4
    await queen.reign._reconciler.once()
    assert len(kept(queen)) == 1
    assert (await ask(queen, TOKEN, "today")).replayed
