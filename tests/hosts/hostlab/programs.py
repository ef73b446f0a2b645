"""Running other programs, and telling our processes from later namesakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hostlab.settings import LabError

# Ansible and cron call us with a short one.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def attempt(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, timeout_s: float = 120, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it, whatever the outcome; its output is captured. Raises LabError when missing or too slow."""
    try:
        return subprocess.run(
            list(argv),
            env={**os.environ, "PATH": PATH, **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is missing: tests/hosts/install-packages") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(argv[:4])} ... did not end within {timeout_s:.0f} s") from None


def run(*argv: str, env: Mapping[str, str] | None = None, timeout_s: float = 120, stdin: str | None = None) -> str:
    """What it printed. Raises LabError with its own words when it failed."""
    done = attempt(argv, env=env, timeout_s=timeout_s, stdin=stdin)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-400:]
        raise LabError(f"{' '.join(argv)[:200]}: {said or f'exit code {done.returncode}'}")
    return done.stdout


def birth(pid: int) -> int | None:
    """When a process began, in ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def remember(path: Path, pid: int, **more: object) -> None:
    """Record a process of ours, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"pid": pid, "birth": birth(pid), **more}))
    draft.replace(path)


def remembered(path: Path) -> dict[str, object] | None:
    """The record of a process that still runs, else None."""
    try:
        known: dict[str, object] = json.loads(path.read_text())
        return known if birth(int(str(known["pid"]))) == known["birth"] is not None else None
    except (OSError, ValueError, KeyError):
        return None


def end(path: Path, limit_s: float = 10) -> None:
    """End a recorded process, politely first, and forget it."""
    if known := remembered(path):
        pid = int(str(known["pid"]))
        for sign, patience_s in ((signal.SIGTERM, limit_s), (signal.SIGKILL, limit_s)):
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                break
            if until(lambda: remembered(path) is None, patience_s):
                break
    path.unlink(missing_ok=True)


def until(done: Callable[[], bool], limit_s: float, step_s: float = 0.05) -> bool:
    """Whether ``done`` became true within ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(step_s)
    return True
