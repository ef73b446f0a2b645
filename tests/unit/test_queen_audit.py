"""The audit log as the queen writes it: a line in each write's transaction, one chain over queens and lost answers."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from aware_agent.colony import check
from aware_agent.colony.audit import TAMPERED, Asker, AuditLine, Head, Kind, head_of
from aware_agent.colony.audit_check import Named, Verdict, check_chain
from aware_agent.colony.errors import NotFound
from aware_agent.colony.spec import Spec
from aware_agent.queen import commands as do
from aware_agent.queen.audit import line_key
from aware_agent.security.audit import SealChecker, public_keys
from aware_agent.store.errors import StoreUnreachable
from tests.memory_colony import COLONY, SECRET, node_id
from tests.unit.queen_support import Queen

LABEL = do.ChangeNode(node=node_id(1), labels={"a": "b"})


@pytest.fixture
def queen() -> Queen:
    return Queen()


def lines(queen: Queen) -> list[AuditLine]:
    stored = queen.colony.projection.items(queen.colony.keys.key("audit", ""))
    return [msgspec.json.decode(kv.value, type=AuditLine) for kv in stored]


def head(queen: Queen) -> Head:
    stored = queen.colony.projection.get(queen.colony.keys.key("audit-head"))
    assert stored is not None
    return msgspec.json.decode(stored.value, type=Head)


def verdict(queen: Queen) -> Verdict:
    named = [Named(line, str(line.seq)) for line in lines(queen)]
    return check_chain(named, sealed=SealChecker(public_keys(COLONY, (SECRET,))), anchors=(head(queen),))


async def test_a_write_and_its_line_are_one_transaction(queen: Queen) -> None:
    asker = Asker(
        kind=Kind.USER,
        role="admin",
        source="192.0.2.7",
        credential="session:abc",
        request="r-1",
        route="PATCH /v1/nodes",
    )
    before = queen.colony.etcd.revision
    done = await queen.colony.execute(queen.reign, LABEL, asker=asker)
    written = queen.colony.answer(LABEL, done)
    began, line = lines(queen)
    assert (began.action, began.seq) == ("audit.began", 1)
    assert written.revision == before + 1 == queen.colony.etcd.revision
    stored = queen.colony.projection.get(line_key(queen.colony.keys, 2))
    assert stored is not None
    assert stored.mod_revision == written.revision
    assert (line.action, line.actor, line.subject, line.result) == ("change-node", "ada", node_id(1), "done")
    assert (line.role, line.source, line.credential, line.request) == ("admin", "192.0.2.7", "session:abc", "r-1")
    assert "labels" in line.change
    assert verdict(queen).whole


async def test_what_changes_nothing_or_is_refused_there_writes_no_line(queen: Queen) -> None:
    await queen.run(LABEL)
    count = len(lines(queen))
    await queen.run(LABEL)
    with pytest.raises(NotFound):
        await queen.run(do.DeleteUser(name="nobody"))
    assert len(lines(queen)) == count


async def test_the_chain_goes_on_under_the_next_queen(queen: Queen) -> None:
    await queen.run(LABEL)
    queen.colony.begin_reign(0)
    queen.reign = queen.colony.reign()
    await queen.run(do.ChangeNode(node=node_id(2), cordoned=True))
    found = lines(queen)
    assert [line.seq for line in found] == [1, 2, 3]
    assert found[2].term > found[1].term
    assert verdict(queen).whole


async def test_commands_at_the_same_time_make_one_chain(queen: Queen) -> None:
    await asyncio.gather(*(queen.run(do.PutUser(name=f"u{n}", password_hash="h", role="viewer")) for n in range(20)))
    assert len(lines(queen)) == 21
    assert verdict(queen).whole


async def test_a_write_whose_answer_was_lost_is_found_again(queen: Queen, monkeypatch: pytest.MonkeyPatch) -> None:
    await queen.run(LABEL)
    real = queen.colony.store.txn

    async def loses(*args: Any, **kwargs: Any) -> Any:
        await real(*args, **kwargs)
        raise StoreUnreachable("the answer was lost", maybe_applied=True)

    monkeypatch.setattr(queen.colony.store, "txn", loses)
    with pytest.raises(StoreUnreachable):
        await queen.run(do.ChangeNode(node=node_id(2), cordoned=True))
    monkeypatch.undo()
    await queen.run(do.ChangeNode(node=node_id(2), cordoned=False))
    assert [line.seq for line in lines(queen)] == [1, 2, 3, 4]
    assert verdict(queen).whole


async def test_a_spec_is_told_by_what_changed(queen: Queen) -> None:
    await queen.run(do.PutSpec(spec=Spec(colony=COLONY, size=4)))
    line = lines(queen)[-1]
    assert (line.action, line.subject) == ("put-spec", COLONY)
    assert line.change


async def test_values_of_a_check_are_told_as_one_when_it_ends(queen: Queen) -> None:
    run = "c" * 32
    await queen.run(do.BeginCheck(run=run))
    for value in (3, 5, 8):
        await queen.run(do.WriteCheck(run=run, value=value))
    await queen.run(do.EndCheck(run=run))
    assert [line.action for line in lines(queen)] == ["audit.began", "begin-check", "end-check"]
    assert lines(queen)[-1].change.startswith("values written: 3, the last 8")


async def test_values_of_a_check_that_was_killed_are_told_by_the_next(
    queen: Queen, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queen.run(do.BeginCheck(run="c" * 32))
    await queen.run(do.WriteCheck(run="c" * 32, value=4))
    monkeypatch.setattr(check, "BUSY_S", -1.0)
    await queen.run(do.BeginCheck(run="d" * 32))
    assert f"in place of check {'c' * 32} by ada, values written: 1, the last 4" in lines(queen)[-1].change


async def test_her_own_duties_are_told_where_the_history_tells_them(queen: Queen) -> None:
    from aware_agent.colony.event import EventDraft

    writer = queen.colony.writer()
    async with writer.writing():
        await writer.commit([], [EventDraft("rotation.switched", COLONY, "it signs with the new ones")], "colony")
        await writer.commit([], [], "colony")
    line = lines(queen)[-1]
    assert (line.action, line.kind, line.change) == ("rotation.switched", "colony", "it signs with the new ones")
    assert len(lines(queen)) == 2


async def test_nobody_else_continues_the_chain_of_a_queen(queen: Queen) -> None:
    """A forged line in etcd is not adopted: the next write stands on her own last line, and says what she found."""
    await queen.run(LABEL)
    mine = head_of(lines(queen)[-1])
    forged = msgspec.structs.replace(lines(queen)[-1], seq=3, prev=mine.hash, actor="eva")
    queen.colony.put(line_key(queen.colony.keys, 3), forged)
    queen.colony.put(queen.colony.keys.key("audit-head"), Head(seq=3, hash="f" * 64))
    await queen.run(do.ChangeNode(node=node_id(2), cordoned=True))
    said, line = lines(queen)[-2:]
    assert (said.seq, said.action, said.prev) == (3, TAMPERED, mine.hash)
    assert line.action == "change-node"
    assert TAMPERED in queen.told()
    assert verdict(queen).whole
