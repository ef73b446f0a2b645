"""How busy this machine is, read from the kernel with heartbeats that are due anyway: a few lines of /proc, no package.

What is told is of the whole machine. In a container that is its host, unless the kernel shows it a /proc of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from aware_agent.colony.load import LOOK_S, Load, Sample, is_news, load_between, memory_of, queue_of, ticks_of

_FIRST = 1024  # bytes of /proc files that are needed; /proc/stat of a large machine has many times that
_MIB = 2**20


class LoadMeter:
    """Looks at most every :data:`~aware_agent.colony.load.LOOK_S`, however many channels ask."""

    def __init__(
        self, state_dir: Path, *, proc: Path = Path("/proc"), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._state_dir, self._proc, self._clock = state_dir, proc, clock
        self._last: Sample | None = self._look()  # as of the last load that was told
        self._looked_at = clock()
        self.load: Load | None = None
        self.told_at = 0.0  # monotonic
        self.number = 0  # of the load that is to be told; 0: none yet
        self.frame = b""  # it, as it goes with a heartbeat

    def look(self) -> int:
        """The number of the load of now: another one when there is something to tell."""
        now = self._clock()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._take(self._look())
        return self.number

    def _take(self, after: Sample | None) -> None:
        if after is None or self._last is None:
            self._last = self._last or after
            return
        load = load_between(self._last, after)
        if load is None:
            self._last = after
            return
        if is_news(self.load, load, after.at - self.told_at):
            self._last, self.load, self.told_at = after, load, after.at
            self.number += 1
            self.frame = msgspec.msgpack.encode(load)

    def _look(self) -> Sample | None:
        """None where the kernel does not tell: then nobody is told anything."""
        try:
            busy, total = ticks_of(self._read("stat"))
            memory_used, memory = memory_of(self._read("meminfo"))
            queue = queue_of(self._read("loadavg"))
        except (OSError, ValueError, LookupError):
            return None
        disk_used, disk = self._disk()
        return Sample(self._clock(), busy, total, queue, memory_used, memory, disk_used, disk)

    def _read(self, name: str) -> str:
        with open(self._proc / name, "rb", buffering=0) as file:
            return file.read(_FIRST).decode("ascii", "replace")

    def _disk(self) -> tuple[int, int]:
        """MiB used and in all; what is kept for root counts as used, for an agent cannot have it."""
        try:
            disk = os.statvfs(self._state_dir)
        except OSError:
            return 0, 0
        size = disk.f_blocks * disk.f_frsize
        return (size - disk.f_bavail * disk.f_frsize) // _MIB, size // _MIB
