"""Weekly windows of a schedule: when in a week other bounds hold, by the clocks of one time zone. Pure.

A window begins on each of its days at ``from`` and ends at ``to``, on the next day when that is not later. It is told
by what clocks in the zone show: an hour that a change of the clocks leaves out is in no window, one that comes twice is
in it twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from aware_agent.colony.errors import InvalidInput

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_WINDOWS = 50
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*(?:/[A-Za-z0-9._+-]+)*\Z")


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Other bounds for a part of the week; None: as outside of it."""

    begins: str = msgspec.field(name="from")  # HH:MM
    ends: str = msgspec.field(name="to")  # HH:MM, up to 24:00
    days: tuple[Day, ...] = DAYS
    min: int | None = None
    max: int | None = None

    def __str__(self) -> str:
        """``mon-fri 08:00-18:00`` as people write it."""
        return f"{','.join(self.days)} {self.begins}-{self.ends}" if self.days != DAYS else f"{self.begins}-{self.ends}"


def zone_of(name: str, field: str = "zone", where: str = "") -> tzinfo:
    """The time zone of that name. Raises :class:`InvalidInput` for one that this host does not know."""
    if name == "UTC":
        return UTC
    if len(name) <= 60 and ".." not in name and _ZONE.match(name):
        with suppress(LookupError, ValueError, OSError):  # nothing at all, a file that is no zone, a directory of zones
            return ZoneInfo(name)
    raise InvalidInput(
        f"{where}{name[:60]!r} is no time zone that this host knows",
        field=field,
        hint="a name such as UTC or Europe/Berlin; the system's package tzdata brings them",
    )


def in_force(windows: Sequence[Window], zone: tzinfo, now: float) -> Window | None:
    """The window that holds at Unix time ``now``."""
    if not windows:
        return None
    local = datetime.fromtimestamp(now, zone)
    minute = local.weekday() * _DAY_MINUTES + local.hour * 60 + local.minute
    return next((one for one in windows for start, end in _pieces(one) if start <= minute < end), None)


def check_windows(windows: Sequence[Window], field: str, where: str) -> None:
    """Raise :class:`InvalidInput` for one that is no time of a week, and for two that hold at once."""
    if len(windows) > MAX_WINDOWS:
        raise InvalidInput(f"{where}{len(windows)} windows are too many", field=field, hint=f"at most {MAX_WINDOWS}")
    for number, window in enumerate(windows):
        _check_times(window, f"{field}[{number}]", where)
    taken = sorted((start, end, number) for number, one in enumerate(windows) for start, end in _pieces(one))
    for (_, end, first), (start, _, second) in pairwise(taken):
        if start < end:
            one, other = sorted((first, second))
            raise InvalidInput(
                f"{where}windows {one + 1} ({windows[one]}) and {other + 1} ({windows[other]}) overlap",
                field=f"{field}[{other}]",
                hint="at no time may two windows hold",
            )


def _check_times(window: Window, field: str, where: str) -> None:
    for name, text in (("from", window.begins), ("to", window.ends)):
        if not (_TIME.match(text) or (name == "to" and text == "24:00")):
            raise InvalidInput(
                f"{where}{text[:20]!r} is no time of day", field=f"{field}.{name}", hint='HH:MM in quotes, as "08:00"'
            )
    if window.begins == window.ends:
        raise InvalidInput(
            f"{where}a window from {window.begins} to {window.ends} is empty",
            field=f"{field}.to",
            hint='a whole day is "00:00" to "24:00"',
        )
    if not window.days or len(set(window.days)) != len(window.days):
        raise InvalidInput(f"{where}a window names each of its days once", field=f"{field}.days")


def _pieces(window: Window) -> Iterator[tuple[int, int]]:
    """Minutes of the week, from Monday's first on; what goes on over the end of Sunday is two pieces."""
    begins, ends = _minute(window.begins), _minute(window.ends)
    length = (ends - begins) % _DAY_MINUTES or _DAY_MINUTES
    for day in window.days:
        start = DAYS.index(day) * _DAY_MINUTES + begins
        end = start + length
        yield start, min(end, _WEEK_MINUTES)
        if end > _WEEK_MINUTES:
            yield 0, end - _WEEK_MINUTES


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)
