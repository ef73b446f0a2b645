"""A member's archive of the audit log: complete, bounded, its owner's alone, and a witness against what etcd shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from aware_agent.cli.audit_check import judge
from aware_agent.colony.audit import RESTORED, TRIMMED, Asker, AuditLine, Head, Kind, head_of
from aware_agent.colony.spec import Policies
from aware_agent.gateway import audit_copy
from aware_agent.gateway.audit_copy import AuditCopy
from aware_agent.gateway.audit_files import FILES, AuditFiles
from aware_agent.queen import audit_duty
from aware_agent.queen import commands as do
from aware_agent.queen.audit import line_key
from aware_agent.queen.audit_duty import AuditDuty
from tests.memory_colony import node_id
from tests.unit.queen_support import Queen
from tests.unit.test_audit_chain import chain

LIMIT_S = 30.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_copy, "SETTLE_S", 0.0)


class Copying:
    """A copy that runs, and how far it said it was."""

    def __init__(self, queen: Queen, directory: Path, most: int = 1 << 20) -> None:
        self.said: list[int] = []
        self.files = AuditFiles(directory, most)
        self.copy = AuditCopy(queen.colony.projection, queen.colony.keys, self.files, self.said.append)

    async def reaches(self, line: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while self.copy.last.seq != line:
                await asyncio.sleep(0.01)

    async def diverges(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not self.copy.diverged:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def copying(queen: Queen, directory: Path) -> AsyncIterator[Copying]:
    made = Copying(queen, directory)
    task = asyncio.create_task(made.copy.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def write(queen: Queen, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        await queen.run(do.PutUser(name=f"u{number}", password_hash="h", role="viewer"))


async def test_what_comes_is_copied_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    queen = Queen()
    await write(queen, 3)
    async with copying(queen, tmp_path / "audit") as first:
        await first.reaches(4)
        await write(queen, 2, start=3)
        await first.reaches(6)
    await write(queen, 2, start=5)
    async with copying(queen, tmp_path / "audit") as second:
        await second.reaches(8)
        assert second.said[0] == 6
    paths = AuditFiles(tmp_path / "audit", 1 << 20).paths()
    found = judge(paths, None, heads=[], backups=[], keys=[])
    assert found.verdict.whole
    assert (found.verdict.first, found.verdict.head.seq) == (1, 8)
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700


async def test_a_past_that_was_rewritten_in_etcd_is_noticed_by_who_copied_it(tmp_path: Path) -> None:
    queen = Queen()
    await write(queen, 4)
    async with copying(queen, tmp_path / "audit") as made:
        await made.reaches(5)
    for seq in (4, 5):  # the end is cut off and written anew, while this member is away
        queen.colony.delete(line_key(queen.colony.keys, seq))
    line = msgspec.json.decode(queen.colony.projection.get(line_key(queen.colony.keys, 3)).value, type=AuditLine)  # type: ignore[union-attr]
    queen.colony.put(queen.colony.keys.key("audit-head"), head_of(line))
    queen.colony.begin_reign(0)
    queen.reign = queen.colony.reign()
    await write(queen, 3, start=10)
    async with copying(queen, tmp_path / "audit") as made:
        await made.diverges()
        await made.reaches(6)
    found = judge(made.files.paths(), None, heads=[], backups=[], keys=[])
    assert not found.verdict.whole


def test_a_line_that_was_half_written_is_taken_away_and_files_are_bounded(tmp_path: Path) -> None:
    files, lines = AuditFiles(tmp_path, 16 * 64 * 1024), chain(8)
    files.append(lines[:4])
    files.close()
    with files.paths()[-1].open("ab") as file:
        file.write(b'{"seq":5,"half')
    again = AuditFiles(tmp_path, 1 << 20)
    assert again.open() == head_of(lines[3])
    again.append(lines[4:])
    again.close()
    assert judge(again.paths(), None, heads=[], backups=[], keys=[]).verdict.whole
    for _ in range(3 * FILES):
        again.append(lines, new_file=True)
    assert len(again.paths()) == FILES
    again.close()
    assert again.open() == head_of(lines[-1])


async def test_old_lines_leave_etcd_only_once_they_are_archived(monkeypatch: pytest.MonkeyPatch) -> None:
    queen = Queen()
    queen.colony.put_spec(size=3, policies=Policies(keep_audit=10))
    await write(queen, 14)
    archived = 0
    duty = AuditDuty(queen.reign._writer, node_id(0), lambda: archived)
    await duty.once()
    assert len(lines_of(queen)) == 16
    archived = 15
    await duty.once()
    left = lines_of(queen)
    assert [line.action for line in left][-1] == TRIMMED
    assert left[0].seq == 7
    assert "lines before 7 left etcd; archived by" in left[-1].change
    archived = 0
    await write(queen, 30, start=20)
    await duty.once()
    assert "could not archive all" in lines_of(queen)[-1].change
    assert len(lines_of(queen)) == 11


async def test_what_members_saw_comes_into_the_log_under_their_name_once_it_is_acknowledged() -> None:
    queen = Queen()
    duty = AuditDuty(queen.reign._writer, node_id(0), lambda: 0)
    note = queen.reign._writer.trail.entry(Asker(kind=Kind.ANONYMOUS, member="a-lie"), "refused", "")
    taken: list[int] = []
    duty.take(node_id(1), [note] * 40, lambda: taken.append(1))
    assert not taken
    await duty.once()
    assert taken == [1]
    told = [line for line in lines_of(queen) if line.action == "refused"]
    assert len(told) == 40
    assert {line.member for line in told} == {node_id(1)}
    for _ in range(audit_duty.MAX_WAITING):
        duty.take(node_id(1), [note] * 32, lambda: taken.append(2))
    await duty.once()
    assert len(lines_of(queen)) <= audit_duty.MAX_WAITING + 50, "the rest has to come again"


def lines_of(queen: Queen) -> list[AuditLine]:
    stored = queen.colony.projection.items(queen.colony.keys.key("audit", ""))
    return [msgspec.json.decode(kv.value, type=AuditLine) for kv in stored]


async def test_the_way_to_the_queen_keeps_what_she_has_not_taken_and_counts_what_had_no_room() -> None:
    from aware_agent.agent.member.audit_post import MAX_KEPT, AuditPost
    from aware_agent.channel.frames import AuditNotes

    sent: list[AuditNotes] = []
    post = AuditPost("me", lambda notes: sent.append(notes) is None)
    note = Queen().reign._writer.trail.entry(Asker(), "refused", "")
    post.add([note] * (MAX_KEPT + 7))
    assert len(post) == MAX_KEPT
    task = asyncio.create_task(post.run())
    try:
        async with asyncio.timeout(LIMIT_S):
            while len(post):
                await asyncio.sleep(0)
                if sent:
                    post.taken(sent[-1].number)
            while not any("had no room" in one.change for notes in sent for one in notes.notes):
                await asyncio.sleep(0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    numbers = {notes.number for notes in sent}
    assert numbers == set(range(1, len(numbers) + 1))
    (dropped,) = [one for notes in sent for one in notes.notes if one.action == "audit.dropped"]
    assert dropped.change.startswith("7 lines")


async def test_a_restore_is_no_divergence(tmp_path: Path) -> None:
    queen = Queen()
    lines = chain(6)
    for line in lines:
        queen.colony.put(line_key(queen.colony.keys, line.seq), line)
    async with copying(queen, tmp_path / "audit") as made:
        await made.reaches(6)
        for seq in (5, 6):
            queen.colony.delete(line_key(queen.colony.keys, seq))
        back = chain(1, head=head_of(lines[3]))[0]
        back = msgspec.structs.replace(back, action=RESTORED)
        back = msgspec.structs.replace(back, hash=hash_of(back))
        queen.colony.put(line_key(queen.colony.keys, 5), back)
        await made.reaches(5)
        assert made.copy.diverged == 0
    found = judge(made.files.paths(), None, heads=[], backups=[], keys=[])
    assert found.verdict.whole
    assert found.verdict.set_aside == 2
    assert found.verdict.head != Head()


def hash_of(line: AuditLine) -> str:
    from aware_agent.colony.audit import digest

    return digest(line)
