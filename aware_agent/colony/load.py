"""How busy a node is: what it says of itself, how that is counted, and who knows it for how long. Pure.

A :class:`Load` is a handful of whole numbers that go with a heartbeat. They are a report: a node may say what it likes,
so that what is impossible is refused, and what is possible decides nothing that bounds set by people do not allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, Moment, Word, from_msgpack
from aware_agent.colony.errors import InvalidInput, one_line

REPORT_S = 10.0  # a node tells its load so often
LOOK_S = 2.0  # and looks at it so often, with a heartbeat that is due anyway
SUDDEN = 200  # permille of processors, memory or disk: a change of as much is told at once
UNKNOWN_AFTER_S = 90.0  # what was not told for so long is not known any more
MAX_BYTES = 128  # of one load on the wire; six whole numbers take 40 at most
MAX_MIB = 2**40  # an exbibyte: more is no machine
MAX_QUEUE = 100_000_00  # hundredths of a load average

_Permille = Annotated[int, msgspec.Meta(ge=0, le=1000)]
_Queue = Annotated[int, msgspec.Meta(ge=0, le=MAX_QUEUE)]
_Mib = Annotated[int, msgspec.Meta(ge=0, le=MAX_MIB)]
_Age = Annotated[float, msgspec.Meta(ge=0, le=10**9)]


class Load(msgspec.Struct, frozen=True, array_like=True):
    """What a node says of itself, as it goes over the wire. ``disk`` is the file system of its state directory; a size
    of 0 means that the kernel does not tell."""

    cpu: _Permille  # of all its processors, since it told last
    load: _Queue  # load average of a minute, in hundredths
    memory_used_mib: _Mib
    memory_mib: _Mib
    disk_used_mib: _Mib
    disk_mib: _Mib

    def __post_init__(self) -> None:
        """A decoder refuses what this refuses."""
        for what, used, size in (
            ("memory", self.memory_used_mib, self.memory_mib),
            ("disk", self.disk_used_mib, self.disk_mib),
        ):
            if used > size:
                raise ValueError(f"more {what} is in use than there is: {used} of {size} MiB")


class Sample(NamedTuple):
    """One look at a machine: ``busy`` of ``total`` ticks of its processors since it started, and the rest as above."""

    at: float  # monotonic seconds
    busy: int
    total: int
    load: int
    memory_used_mib: int
    memory_mib: int
    disk_used_mib: int
    disk_mib: int


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What the council knows of one node, in seconds before the moment it is said; None: nothing.

    ``heard``: since the last sign of life. ``load`` is as of ``told``.
    """

    node: Word
    heard: _Age | None = None
    told: _Age | None = None
    load: Load | None = None


class LoadView(msgspec.Struct, frozen=True, kw_only=True):
    """How busy a node is, as it says itself. ``at`` is when it said so, Unix seconds by the clock of the member that
    answers; sizes that the node's kernel does not tell are 0."""

    at: Moment
    cpu: float  # share of all its processors, 0 to 1, since it told before
    load1: float  # load average of a minute
    memory_used_mib: int
    memory_mib: int
    disk_used_mib: int  # of the file system with the agent's state
    disk_mib: int


class Known(msgspec.Struct, frozen=True):
    """What a member knows of one node: when the council heard it last (Unix seconds), and its load."""

    last_heartbeat: float | None = None
    load: LoadView | None = None


Loads = Mapping[str, Known]


def read_load(raw: bytes | memoryview) -> Load:
    """What a node said. Raises :class:`InvalidInput` that says what is wrong with it."""
    if len(raw) > MAX_BYTES:
        raise InvalidInput(f"a load of {len(raw)} bytes; {MAX_BYTES} are the limit")
    try:
        return from_msgpack(raw, Load)
    except UNDECODABLE as error:
        raise InvalidInput(one_line(str(error))[:200]) from None


def load_between(before: Sample, after: Sample) -> Load | None:
    """The load of the time between two looks; None when no tick went by, as on a machine that was suspended."""
    ticks = after.total - before.total
    if ticks <= 0:
        return None
    busy = min(max(0, after.busy - before.busy), ticks)
    return Load(
        cpu=round(1000 * busy / ticks),
        load=min(max(0, after.load), MAX_QUEUE),
        memory_used_mib=min(after.memory_used_mib, after.memory_mib),
        memory_mib=after.memory_mib,
        disk_used_mib=min(after.disk_used_mib, after.disk_mib),
        disk_mib=after.disk_mib,
    )


def is_news(told: Load | None, now: Load, age_s: float) -> bool:
    """Whether ``now`` is to be told, ``age_s`` after ``told`` was: its time has come, or much has changed."""
    if told is None or age_s >= 0.95 * REPORT_S:  # heartbeats come a little early, seen from the last one
        return True
    both = zip(shares(told), shares(now), strict=True)
    return any(abs((before or 0) - (after or 0)) >= SUDDEN for before, after in both)


def shares(load: Load) -> tuple[int, int | None, int | None]:
    """Permille of processors, memory and disk; None of what has no known size."""
    memory = 1000 * load.memory_used_mib // load.memory_mib if load.memory_mib else None
    disk = 1000 * load.disk_used_mib // load.disk_mib if load.disk_mib else None
    return load.cpu, memory, disk


def known(rows: Iterable[Row], now: float) -> dict[str, Known]:
    """``rows``, said at Unix time ``now``, as readers see them."""
    found = {}
    for row in rows:
        heard = None if row.heard is None else round(now - row.heard, 1)
        load = None
        if row.load is not None and row.told is not None and row.told <= UNKNOWN_AFTER_S:
            load = shown(row.load, round(now - row.told, 1))
        found[row.node] = Known(heard, load)
    return found


def shown(load: Load, at: float) -> LoadView:
    """``load``, said at Unix time ``at``, in the units that people use."""
    return LoadView(
        at=at,
        cpu=load.cpu / 1000,
        load1=load.load / 100,
        memory_used_mib=load.memory_used_mib,
        memory_mib=load.memory_mib,
        disk_used_mib=load.disk_used_mib,
        disk_mib=load.disk_mib,
    )


# What the kernel says ---------------------------------------------------------------------------------------------


def ticks_of(stat: str) -> tuple[int, int]:
    """``busy`` and ``total`` of the first line of ``/proc/stat``. Raises ValueError, IndexError.

    Waiting for a disk is idle. Time that the hypervisor took away is busy: the node could not have used it.
    """
    name, *fields = stat.split("\n", 1)[0].split()
    if name != "cpu":
        raise ValueError("no sum of all processors")
    user, nice, system, idle, waiting, *rest = map(int, fields[:8])
    total = user + nice + system + idle + waiting + sum(rest)  # time of guests is in user's already
    return total - idle - waiting, total


def memory_of(meminfo: str) -> tuple[int, int]:
    """MiB used and in all, of ``/proc/meminfo``. Raises ValueError, KeyError.

    What is in use is what no program could have without something being swapped or killed.
    """
    sizes = dict(line.split(":", 1) for line in meminfo.splitlines() if line.startswith(("MemTotal:", "MemAvailable:")))
    total, free = (int(sizes[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return max(0, total - free) // 1024, total // 1024


def queue_of(loadavg: str) -> int:
    """The load average of a minute, in hundredths, of ``/proc/loadavg``. Raises ValueError."""
    whole, _, part = loadavg.split(" ", 1)[0].partition(".")
    return int(whole) * 100 + int(part[:2].ljust(2, "0"))
