"""Which backups go: the three rules, and what never happens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.backup import backup_name, parse_name
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.retention import Dated, Keep, check_keep, to_delete

DAY = 86400.0
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC).timestamp()  # a Wednesday


def at(*days_ago: float) -> list[Dated]:
    return [Dated(f"b{ago:07.2f}", NOON - ago * DAY) for ago in days_ago]


def kept(backups: list[Dated], keep: Keep) -> list[str]:
    gone = to_delete(backups, keep)
    return sorted(backup.name for backup in backups if backup.name not in gone)


def test_the_newest_few_stay() -> None:
    assert to_delete(at(3, 1, 0, 2), Keep(last=2)) == ["b0003.00", "b0002.00"], "oldest first"


def test_daily_keeps_the_newest_of_each_day() -> None:
    backups = at(0, 0.25, 1, 1.25, 2, 2.25, 3)
    assert kept(backups, Keep(last=1, daily=3)) == ["b0000.00", "b0001.00", "b0002.00"]


def test_a_day_without_a_backup_does_not_use_one_up() -> None:
    assert kept(at(0, 5, 9), Keep(last=1, daily=2)) == ["b0000.00", "b0005.00"]


def test_weekly_goes_by_iso_weeks() -> None:
    # 0 and 2 days ago are in one week, 3 (Sunday) and 9 (Monday) in the one before, 10 in the third.
    assert kept(at(0, 2, 3, 9, 10), Keep(last=1, weekly=3)) == ["b0000.00", "b0003.00", "b0010.00"]


def test_rules_add_up() -> None:
    assert kept(at(0, 0.1, 0.2, 1, 7, 14), Keep(last=2, daily=2, weekly=2)) == [
        "b0000.00",
        "b0000.10",
        "b0001.00",
        "b0007.00",
    ]


@given(
    st.lists(st.integers(0, 400), max_size=60, unique=True),
    st.integers(1, 9),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_properties(hours_ago: list[int], last: int, daily: int, weekly: int) -> None:
    backups = [Dated(f"b{ago}", NOON - ago * 3600.0) for ago in hours_ago]
    keep = Keep(last=last, daily=daily, weekly=weekly)
    gone = to_delete(backups, keep)
    rest = [backup for backup in backups if backup.name not in gone]
    newest = sorted(backups, key=lambda backup: -backup.created_at)
    assert set(newest[:last]) <= set(rest), "the newest ones stay"
    assert len(rest) <= last + daily + weekly
    assert to_delete(rest, keep) == [], "asked again, nothing more goes"


@pytest.mark.parametrize(
    ("keep", "field"), [(Keep(last=2), "last"), (Keep(daily=-1), "daily"), (Keep(weekly=1001), "weekly")]
)
def test_nonsense_is_refused(keep: Keep, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_keep(keep, "policies.backup.keep")
    assert caught.value.field == f"policies.backup.keep.{field}"


def test_of_two_backups_of_one_second_the_one_with_more_in_it_stays() -> None:
    names = [backup_name("demo", NOON, revision, 4) for revision in (6, 12)]
    backups = [found for name in names if (found := parse_name(name, "demo"))]
    assert to_delete(backups, Keep(last=1)) == [names[0]]
