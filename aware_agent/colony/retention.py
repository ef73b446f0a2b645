"""Which backups may go: the newest few stay, the newest of each of the last days and weeks too. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

import msgspec

from aware_agent.colony.errors import InvalidInput

MIN_LAST, MAX_KEEP = 3, 1000  # with fewer, one bad night leaves none that is good


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many backups stay. A backup stays when any of the three rules wants it."""

    last: int = 7  # the newest ones, whatever their age
    daily: int = 0  # the newest of each of so many days (UTC) that have one
    weekly: int = 0  # the newest of each of so many ISO weeks that have one


class Dated(msgspec.Struct, frozen=True):
    """A backup as far as its age matters."""

    name: str
    created_at: float  # Unix seconds
    revision: int = 0  # tells those of one second apart


def check_keep(keep: Keep, field: str) -> None:
    """Raise :class:`InvalidInput` unless enough backups stay; ``field`` is where ``keep`` stands."""
    for name in ("last", "daily", "weekly"):
        count = getattr(keep, name)
        least = MIN_LAST if name == "last" else 0
        if not least <= count <= MAX_KEEP:
            raise InvalidInput(
                f"spec: {field}.{name} {count} is out of range", field=f"{field}.{name}", hint=f"{least} to {MAX_KEEP}"
            )


def to_delete(backups: Iterable[Dated], keep: Keep) -> list[str]:
    """Names that no rule wants, oldest first. The newest backup is never among them."""
    newest_first = sorted(backups, key=lambda backup: (backup.created_at, backup.revision, backup.name), reverse=True)
    kept = {backup.name for backup in newest_first[: max(1, keep.last)]}
    kept |= _newest_of_each(newest_first, keep.daily, lambda day: (day.year, day.month, day.day))
    kept |= _newest_of_each(newest_first, keep.weekly, lambda day: day.isocalendar()[:2])
    return [backup.name for backup in reversed(newest_first) if backup.name not in kept]


def _newest_of_each(newest_first: Sequence[Dated], count: int, period: Callable[[date], tuple[int, ...]]) -> set[str]:
    """The newest backup of each of the last ``count`` periods that have one."""
    found: dict[tuple[int, ...], str] = {}
    for backup in newest_first:
        found.setdefault(period(datetime.fromtimestamp(backup.created_at, UTC).date()), backup.name)
        if len(found) > count:
            found.popitem()
            break
    return set(found.values())
