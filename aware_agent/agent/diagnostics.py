"""What a node tells of itself when something is wrong with it: bounded in size, and nothing secret in it.

Settings are named one by one, so that a new one is not told by accident; of files only name, size and mode.
"""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import stat
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from aware_agent import __version__
from aware_agent.agent.host import host_facts
from aware_agent.agent.recent import RECENT
from aware_agent.agent.settings import Settings

MAX_FILES = 50
TOLD = (
    "colony",
    "name",
    "address",
    "priority",
    "zone",
    "labels",
    "gateway",
    "channel",
    "timing",
    "log",
)


def collect(settings: Settings, started_at: float, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to :class:`CollectDiagnostics`; ``facts`` are what only the running node knows."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "time": time.time(),
        "uptime_s": round(time.time() - started_at, 1),
        "process": {
            "pid": os.getpid(),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
            "max_rss_mib": usage.ru_maxrss // 1024,
            "threads": threading.active_count(),
            "tasks": len(asyncio.all_tasks()),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "load": [round(load, 2) for load in os.getloadavg()],
        },
        "host": host_facts(settings.colony, settings.address, settings.state_dir),
        "settings": told_settings(settings),
        "files": list_files(Path(settings.state_dir)),
        "recent_log": list(RECENT.lines),
        **facts,
    }


def told_settings(settings: Settings) -> dict[str, Any]:
    """Settings without what is secret or says where a secret is."""
    return {name: msgspec.to_builtins(getattr(settings, name)) for name in TOLD}


def list_files(directory: Path) -> list[dict[str, Any]]:
    """Name, size and mode of what lies in ``directory``."""
    found = []
    try:
        for path in sorted(directory.iterdir())[:MAX_FILES]:
            status = path.lstat()
            found.append({"name": path.name, "bytes": status.st_size, "mode": stat.filemode(status.st_mode)})
    except OSError as error:
        found.append({"name": str(directory), "error": error.strerror or "error"})
    return found
