"""What this machine can do, read from the kernel."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from aware_agent.colony.node import Capabilities


def measure(state_dir: Path, zone: str) -> Capabilities:
    """vCPUs this process may use, total memory, size of the file system that holds the state directory."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Capabilities(
        vcpus=len(os.sched_getaffinity(0)),
        ram_mib=pages // 2**20,
        disk_gib=shutil.disk_usage(state_dir).total // 2**30,
        zone=zone,
    )
