"""Who can write etcd and holds no secret of the colony: what he can do to the audit log, and what shows that he did."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from aware_agent.colony.audit import TAMPERED, AuditLine, Head, digest, head_of
from aware_agent.colony.audit_check import Named, Verdict, check_chain
from aware_agent.queen import commands as do
from aware_agent.queen.audit import line_key
from aware_agent.security.audit import SealChecker, public_keys
from tests.memory_colony import COLONY, SECRET, node_id
from tests.unit.queen_support import Queen

WRITES = 6


async def busy() -> Queen:
    """Lines 1 to 7 of a colony."""
    queen = Queen()
    for number in range(WRITES):
        await queen.run(do.PutUser(name=f"u{number}", password_hash="h", role="viewer"))
    return queen


def lines(queen: Queen) -> list[AuditLine]:
    stored = queen.colony.projection.items(queen.colony.keys.key("audit", ""))
    return [msgspec.json.decode(kv.value, type=AuditLine) for kv in stored]


def verdict(queen: Queen, *anchors: Head) -> Verdict:
    named = [Named(line, str(line.seq)) for line in lines(queen)]
    return check_chain(named, sealed=SealChecker(public_keys(COLONY, (SECRET,))), anchors=anchors)


def put(queen: Queen, line: AuditLine) -> None:
    queen.colony.put(line_key(queen.colony.keys, line.seq), line)


def edit(queen: Queen, seq: int = 4, *, anew: bool = True) -> None:
    line = msgspec.structs.replace(lines(queen)[seq - 1], actor="somebody-else")
    put(queen, msgspec.structs.replace(line, hash=digest(line)) if anew else line)


def edit_and_chain_anew(queen: Queen) -> None:
    """All hashes after it are computed again, as anybody can; the seals stay as they are."""
    edit(queen)
    for seq in range(5, WRITES + 2):
        line = msgspec.structs.replace(lines(queen)[seq - 1], prev=lines(queen)[seq - 2].hash)
        put(queen, msgspec.structs.replace(line, hash=digest(line)))
    queen.colony.put(queen.colony.keys.key("audit-head"), head_of(lines(queen)[-1]))


def cut_out(queen: Queen) -> None:
    queen.colony.delete(line_key(queen.colony.keys, 4))


def reorder(queen: Queen) -> None:
    third, fourth = lines(queen)[2:4]
    put(queen, msgspec.structs.replace(third, seq=4))
    put(queen, msgspec.structs.replace(fourth, seq=3))


@pytest.mark.parametrize("attack", [edit, edit_and_chain_anew, cut_out, reorder])
async def test_a_line_that_was_edited_cut_out_or_moved_is_found(attack: Callable[[Queen], None]) -> None:
    queen = await busy()
    assert verdict(queen).whole
    attack(queen)
    assert not verdict(queen).whole


def cut_end(queen: Queen) -> None:
    for seq in (6, 7):
        queen.colony.delete(line_key(queen.colony.keys, seq))
    queen.colony.put(queen.colony.keys.key("audit-head"), head_of(lines(queen)[-1]))


async def test_a_cut_end_is_put_right_by_the_queen_and_found_by_who_noted_a_head() -> None:
    queen = await busy()
    noted = head_of(lines(queen)[-1])
    cut_end(queen)
    assert verdict(queen).whole  # a shorter chain is a chain: this is what heads are noted for
    assert "the end was cut off" in verdict(queen, noted).faults[0].problem
    await queen.run(do.DeleteUser(name="u1"))  # the queen that wrote them knows better, and does not start from there
    said = lines(queen)[-2]
    assert (said.action, said.seq) == (TAMPERED, noted.seq + 1)
    assert "lines 6 to 7 are missing" in verdict(queen).faults[0].problem


async def test_after_a_change_of_queen_a_cut_end_is_found_by_a_head_alone() -> None:
    """What docs/trust.md admits: with the queen's memory goes what she knew of the end."""
    queen = await busy()
    noted = head_of(lines(queen)[-1])
    cut_end(queen)
    queen.colony.begin_reign(0)
    queen.reign = queen.colony.reign()
    await queen.run(do.DeleteUser(name="u1"))
    assert verdict(queen).whole
    assert not verdict(queen, noted).whole


@pytest.mark.parametrize(
    "value", [Head(seq=2**50, hash="a" * 64), "garbage", {"seq": -1}, Head(seq=3, hash="b" * 64), None]
)
async def test_a_head_made_up_between_two_queens_neither_stops_the_next_nor_leads_her(value: object) -> None:
    queen = await busy()
    newest = head_of(lines(queen)[-1])
    place = queen.colony.keys.key("audit-head")
    if value is None:
        queen.colony.delete(place)
    else:
        queen.colony.put(place, value)
    queen.colony.begin_reign(0)
    queen.reign = queen.colony.reign()
    await queen.run(do.ChangeNode(node=node_id(1), cordoned=True))
    said, line = lines(queen)[-2:]
    assert (said.action, said.seq, said.prev) == (TAMPERED, newest.seq + 1, newest.hash)
    assert line.action == "change-node"
    assert TAMPERED in queen.told()
    assert verdict(queen, newest).whole


async def test_all_of_it_deleted_leaves_a_log_that_begins_late_and_says_why() -> None:
    queen = await busy()
    for seq in range(1, WRITES + 2):
        queen.colony.delete(line_key(queen.colony.keys, seq))
    queen.colony.delete(queen.colony.keys.key("audit-head"))
    await queen.run(do.DeleteUser(name="u1"))
    said = lines(queen)[0]
    assert (said.seq, said.action) == (WRITES + 2, TAMPERED)


async def test_something_that_is_no_line_does_not_end_the_log() -> None:
    queen = await busy()
    queen.colony.put(line_key(queen.colony.keys, WRITES + 2), "not a line")
    await queen.run(do.DeleteUser(name="u1"))
    assert verdict(queen).whole
    assert lines(queen)[-1].action == "delete-user"
