"""Reads what the kernel knows of a process, and runs one to its end with its costs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of ``pid`` so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def pss_mib(pid: int) -> float:
    """Proportional set size: private memory plus its share of shared pages."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"the kernel tells no PSS of process {pid}")


def children(pid: int) -> list[int]:
    """Direct children of ``pid``."""
    text = ""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        text += task.read_text() + " "
    return [int(child) for child in text.split()]


def descendants(pid: int) -> list[int]:
    """Children of ``pid``, and theirs. Empty when it has ended."""
    found: list[int] = []
    try:
        for child in children(pid):
            found += [child, *descendants(child)]
    except OSError:  # one ended while we looked
        pass
    return found


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a program took, in seconds, and what it said."""

    wall: float
    cpu: float
    code: int
    output: bytes
    errors: str


def run_costed(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float) -> Cost:
    """Run ``argv`` to its end; its children's CPU time is included. Raises subprocess.TimeoutExpired."""
    before = os.times()
    start = time.monotonic()
    done = subprocess.run(list(argv), cwd=cwd, env=dict(env), capture_output=True, timeout=timeout_s, check=False)
    wall = time.monotonic() - start
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(
        wall=wall,
        cpu=cpu,
        code=done.returncode,
        output=done.stdout,
        errors=done.stderr.decode("utf-8", "replace"),
    )
