"""The end of everything a process started, however far it went: for one that adopts what loses its parent."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def end_descendants(limit_s: float) -> None:
    """Kill and reap every process below this one; those of a killed parent come to us, so look until none is left."""
    end = time.monotonic() + limit_s
    while (pids := _children(os.getpid())) and time.monotonic() < end:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)


def end_marked(name: str, value: str, limit_s: float) -> int:
    """Kill every process whose environment says ``name=value``: of one that was killed before it could do so itself.

    Returns how many there were. Other users' processes are not looked into.
    """
    end, killed = time.monotonic() + limit_s, 0
    while (found := _kill_marked(f"{name}={value}".encode())) and time.monotonic() < end:
        killed += found
        time.sleep(0.05)  # what was forked meanwhile is seen the next time
    return killed


def _kill_marked(wanted: bytes) -> int:
    killed = 0
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            pid = int(entry.parent.name)
            if pid != os.getpid() and wanted in entry.read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


def _children(parent: int) -> list[int]:
    """Processes whose parent is ``parent``, zombies included."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                found.append(int(entry.parent.name))
    return found
