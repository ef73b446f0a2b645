"""When a backup is made, by whom it was asked for, and what is on record of it: the real process makes it or fails."""

from __future__ import annotations

import time

import pytest
from queen_support import Queen, refused

from aware_agent.colony.backup import Backup, BackupLog, BackupPolicy
from aware_agent.colony.errors import Conflict, Deposed
from aware_agent.colony.spec import Policies
from aware_agent.queen import commands as do
from aware_agent.queen.overview import backup_log


@pytest.fixture
def queen() -> Queen:
    queen = Queen()
    queen.colony.put_spec(size=3, policies=Policies(backup=BackupPolicy(every="6h")))
    return queen


def made_just_now() -> BackupLog:
    made = Backup(name="b", created_at=time.time() - 1, revision=1, term=1, bytes=1, sha256="s", target="t")
    return BackupLog(made=[made])


async def once(queen: Queen) -> float | None:
    return await queen.reign._backups._once()


async def test_without_a_policy_nothing_is_made_and_nobody_may_ask() -> None:
    queen = Queen()
    assert await once(queen) is None
    assert "says nothing of backups" in await refused(queen, do.RequestBackup(), Conflict)


async def test_one_that_is_not_due_is_waited_for(queen: Queen) -> None:
    queen.colony.put(queen.colony.keys.key("backups"), made_just_now())
    before = queen.colony.etcd.revision
    wait = await once(queen)
    assert wait is not None
    assert 0 < wait <= 6 * 3600
    assert queen.colony.etcd.revision == before


async def test_who_asks_is_on_record_and_a_failure_too(queen: Queen) -> None:
    queen.colony.put(queen.colony.keys.key("backups"), made_just_now())
    await queen.run(do.RequestBackup(), actor="otto")
    asked = backup_log(queen.colony.reader)
    assert asked.wanted_now
    assert (asked.requested_by, asked.term) == ("otto", queen.colony.term)
    assert await once(queen) == 0.0, "she looks again at once: somebody may have asked meanwhile"
    after = backup_log(queen.colony.reader)
    assert (after.failures, after.wanted_now) == (1, True)
    wait = await once(queen)
    assert wait is not None
    assert wait > 0, "it is tried again, but not at once"
    assert queen.told() == ["backup.requested", "backup.failed"]
    assert queen.events()[-1].message.startswith("no backup was made: ")


async def test_a_deposed_queen_records_nothing(queen: Queen) -> None:
    """The backup may be there; the next queen finds it and puts it on record."""
    queen.colony.begin_reign(1)
    before = queen.colony.etcd.revision
    with pytest.raises(Deposed):
        await once(queen)
    assert queen.colony.etcd.revision == before
