"""The register of a check of the election: one at a time, fenced, and gone with all it left."""

from __future__ import annotations

import msgspec
import pytest

from aware_agent.agent.member.link import Asked
from aware_agent.colony.check import BUSY_S
from aware_agent.colony.errors import Conflict, Deposed, InvalidInput, NotFound
from aware_agent.queen import check as module
from aware_agent.queen import commands as do
from aware_agent.queen import once
from aware_agent.queen.writer import RevisionChanged
from tests.unit.queen_support import Queen, refused

ONE, TWO = "1" * 32, "2" * 32


class Clock:
    """Stands in for the module ``time`` of the queen's check."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def queen(clock: Clock) -> Queen:
    return Queen()


async def keyed(queen: Queen, command: object, key: str, actor: str = "ada") -> do.Written:
    asked = Asked(key=key, mark=msgspec.msgpack.encode(command))
    done = await queen.colony.execute(queen.reign, command, actor=actor, once=asked)
    written = queen.colony.answer(command, done)
    assert isinstance(written, do.Written)
    return written


def kept(queen: Queen, actor: str) -> int:
    return sum(1 for _ in queen.colony.projection.items(queen.colony.keys.key("idempotency", actor, "")))


def present(queen: Queen) -> bool:
    return queen.colony.projection.get(queen.colony.keys.key("check")) is not None


async def test_what_is_written_is_read_and_in_the_end_nothing_is_left(queen: Queen) -> None:
    began = await queen.run(do.BeginCheck(run=ONE))
    assert await queen.run(do.ReadCheck(run=ONE)) == do.CheckValue(
        value=0, revision=began.revision, term=queen.reign.term
    )
    written = await queen.run(do.WriteCheck(run=ONE, value=7, if_revision=began.revision))
    found = await queen.run(do.ReadCheck(run=ONE))
    assert (found.value, found.revision) == (7, written.revision)
    assert "you read revision" in await refused(
        queen, do.WriteCheck(run=ONE, value=8, if_revision=began.revision), RevisionChanged
    )
    assert (await queen.run(do.EndCheck(run=ONE))).changed
    assert not present(queen)
    assert not (await queen.run(do.EndCheck(run=ONE))).changed
    assert queen.told() == ["check.began", "check.ended"], "single writes would push the history out"


async def test_only_one_checks_at_a_time_and_a_killed_one_is_put_aside(queen: Queen, clock: Clock) -> None:
    await queen.run(do.BeginCheck(run=ONE), actor="otto")
    clock.now += BUSY_S - 1
    said = await refused(queen, do.BeginCheck(run=TWO), Conflict)
    assert "a check by otto is at work" in said
    assert "in 1 s" in said
    await queen.run(do.WriteCheck(run=ONE, value=1), actor="otto")
    clock.now += BUSY_S - 1
    await refused(queen, do.BeginCheck(run=TWO), Conflict)
    clock.now += 1
    await queen.run(do.BeginCheck(run=TWO))
    for late in (do.WriteCheck(run=ONE, value=2), do.ReadCheck(run=ONE)):
        assert "this check is over" in await refused(queen, late, NotFound)
    assert not (await queen.run(do.EndCheck(run=ONE))).changed, "it does not end another one"
    assert (await queen.run(do.ReadCheck(run=TWO))).value == 0


async def test_a_write_to_a_check_that_ended_makes_nothing(queen: Queen) -> None:
    await queen.run(do.BeginCheck(run=ONE))
    await queen.run(do.EndCheck(run=ONE))
    await refused(queen, do.WriteCheck(run=ONE, value=1), NotFound)
    assert not present(queen)


async def test_a_name_is_hexadecimal_digits(queen: Queen) -> None:
    for name in ("", "x" * 32, "1" * 31, "1" * 33, "../" + "1" * 29):
        await refused(queen, do.BeginCheck(run=name), InvalidInput)


async def test_a_deposed_queen_neither_writes_nor_reads(queen: Queen) -> None:
    await queen.run(do.BeginCheck(run=ONE))
    old = queen.reign
    queen.colony.begin_reign(1)
    for command in (do.ReadCheck(run=ONE), do.WriteCheck(run=ONE, value=1), do.EndCheck(run=ONE)):
        with pytest.raises(Deposed):
            await queen.colony.carry_out(old, command, actor="ada", source="")
    queen.reign = queen.colony.reign()
    assert (await queen.run(do.ReadCheck(run=ONE))).value == 0


async def test_keys_of_its_writes_take_no_room_from_a_user_and_go_with_it(
    queen: Queen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "KEEP_EACH", 3)
    monkeypatch.setattr(once, "KEEP_CHECK", 5)
    await keyed(queen, do.BeginCheck(run=ONE), "begin")
    for value in range(1, 9):
        written = await keyed(queen, do.WriteCheck(run=ONE, value=value), f"w{value}")
        assert await keyed(queen, do.WriteCheck(run=ONE, value=value), f"w{value}") == written, "done once"
    assert kept(queen, "ada") == 1
    assert kept(queen, once.CHECKS) == 5
    await keyed(queen, do.EndCheck(run=ONE), "end")
    assert kept(queen, once.CHECKS) == 0
    assert kept(queen, "ada") == 2


async def test_what_cannot_be_read_is_put_aside_by_the_next_check(queen: Queen) -> None:
    queen.colony.put(queen.colony.keys.key("check"), {"nothing": "of ours"})
    await queen.run(do.BeginCheck(run=ONE))
    assert (await queen.run(do.ReadCheck(run=ONE))).value == 0


async def test_the_picture_of_the_colony_is_not_made_anew_for_it(queen: Queen) -> None:
    await queen.run(do.BeginCheck(run=ONE))
    reader = queen.colony.reader
    before = reader.view()
    await queen.run(do.WriteCheck(run=ONE, value=1))
    assert reader.view() is before
