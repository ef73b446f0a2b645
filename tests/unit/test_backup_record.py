"""Backups on record: names, when one is due, and what a new queen concludes."""

from __future__ import annotations

import msgspec
import pytest

from aware_agent.colony.backup import (
    Backup,
    BackupLog,
    BackupPolicy,
    after_failure,
    after_success,
    backup_name,
    due_at,
    open_breaker,
    parse_name,
    slot,
)
from aware_agent.colony.breaker import OpenBreaker
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.spec import parse_spec

POLICY = BackupPolicy(every="6h")
HOUR = 3600.0


def backup(created_at: float, name: str = "") -> Backup:
    name = name or backup_name("demo", created_at, 7, 3)
    return Backup(name=name, created_at=created_at, revision=7, term=3, bytes=1, sha256="", target="/b")


def test_names_tell_their_time_and_belong_to_one_colony() -> None:
    name = backup_name("demo-1", 1_700_000_000.9, 12, 5)
    assert name == "demo-1_20231114T221320Z_r12_t5.awarebackup"
    found = parse_name(name, "demo-1")
    assert found is not None
    assert found.created_at == 1_700_000_000
    for other in ("demo", "demo-2"):
        assert parse_name(name, other) is None


@pytest.mark.parametrize(
    "name",
    [
        "demo_20231399T221320Z_r12_t5.awarebackup",
        "demo_20231114T221320Z_r12_t5.awarebackup.tmp",
        ".demo_20231114T221320Z_r12_t5.awarebackup",
        "demo_20231114T221320Z_r12.awarebackup",
        "notes.txt",
    ],
)
def test_what_is_not_a_backup_is_never_taken_for_one(name: str) -> None:
    assert parse_name(name, "demo") is None


def test_the_first_is_due_at_once_and_the_next_after_the_interval() -> None:
    assert due_at(BackupLog(), POLICY) == 0
    log = after_success(BackupLog(), backup(1000.0), [], 3)
    assert due_at(log, POLICY) == 1000 + 6 * HOUR


def test_one_that_was_asked_for_is_due_at_once_until_one_began_after() -> None:
    log = msgspec.structs.replace(BackupLog(made=[backup(1000.0)]), requested_at=2000.0)
    assert due_at(log, POLICY) == 0
    assert due_at(after_success(log, backup(1999.0), [], 3), POLICY) == 0, "it began before the question"
    assert due_at(after_success(log, backup(2001.0), [], 3), POLICY) == 2001 + 6 * HOUR


def test_failures_are_repeated_with_growing_pauses_and_forgotten_on_success() -> None:
    log, pauses = BackupLog(), []
    for attempt in range(8):
        log = after_failure(log, "no", 1000.0 * attempt, 3)
        pauses.append(due_at(log, POLICY) - 1000.0 * attempt)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    shown = open_breaker(log, POLICY)
    assert shown == OpenBreaker(name="backup/directory", since=7000.0, reason="no")
    assert open_breaker(log, None) is None
    log = after_success(log, backup(9000.0), [], 3)
    assert (log.failures, log.failure, log.failed) == (0, "", 8)
    assert open_breaker(log, POLICY) is None


def test_a_question_after_a_failure_does_not_wait() -> None:
    log = msgspec.structs.replace(after_failure(BackupLog(), "no", 1000.0, 3), requested_at=1001.0)
    assert due_at(log, POLICY) == 0
    again = after_failure(log, "no", 1002.0, 3)
    assert due_at(again, POLICY) == 1062, "but fails no faster than others"


def test_the_slot_never_takes_the_last_one_for_the_next() -> None:
    log = BackupLog(made=[backup(1000.0)])
    assert slot(log, POLICY, 1000 + 6 * HOUR) > 1000
    assert slot(msgspec.structs.replace(log, requested_at=5000.0), POLICY, 6000.0) == 5000


def test_the_record_is_bounded_and_knows_what_went() -> None:
    log = BackupLog()
    for number in range(150):
        log = after_success(log, backup(float(number), f"b{number}"), [f"b{number - 120}"], 3)
    assert len(log.made) == 100
    assert log.last is not None
    assert log.last.name == "b149"
    assert all(one.name != "b29" for one in log.made)


@pytest.mark.parametrize(
    ("raw", "field", "says"),
    [
        ('{"every":"6 h"}', "policies.backup.every", "is not a duration"),
        ('{"every":"0h"}', "policies.backup.every", "is not a duration"),
        ('{"every":"32d"}', "policies.backup.every", "out of range"),
        ('{"every":"1d","keep":{"last":2}}', "policies.backup.keep.last", "out of range"),
        ('{"every":"1d","keep":{"monthly":1}}', "policies.backup.keep.monthly", "monthly"),
        ('{"every":"1d","target":"tape"}', "policies.backup.target", "tape"),
        ('{"keep":{}}', "policies.backup.every", "every"),
    ],
)
def test_a_wrong_policy_names_its_field(raw: str, field: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_spec(f'{{"colony":"demo","size":1,"policies":{{"backup":{raw}}}}}'.encode())
    assert caught.value.field == field
    assert says in caught.value.message
    assert "\n" not in str(caught.value)
