"""Our own processes, found by pid file and made sure of before anything is done to them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from aware_agent.colony.errors import Conflict, NotFound


def read_pid(path: Path) -> int | None:
    """The pid in ``path``; None when there is none."""
    try:
        pid = int(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
    return pid if pid > 1 else None


def command_line(pid: int) -> list[str]:
    """Arguments of a running process; empty when there is no such process."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        here = Path(f"/proc/{pid}/cwd").readlink()  # a relative settings file is below it
    except OSError:
        return []
    arguments = [part.decode(errors="replace") for part in raw.split(b"\0") if part]
    return [str(here / part) if part.endswith(".toml") else part for part in arguments]


def is_agent(arguments: list[str], config: Path) -> bool:
    """Whether ``arguments`` are those of an agent that runs with ``config``."""
    program = [Path(argument).name for argument in arguments[:3]]
    ours = any(name in {"aware-agent", "aware_agent.daemon"} for name in program)
    return ours and str(config) in arguments


def agent_pid(directory: Path) -> int | None:
    """Pid of the agent of node ``directory`` if it runs; None when not."""
    pid = read_pid(directory / "agent.pid")
    if pid is None or not is_agent(command_line(pid), directory / "agent.toml"):
        return None
    return pid


def child_pid(parent: int, program: str) -> int | None:
    """Pid of the child of ``parent`` that runs ``program``."""
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            pids = [int(pid) for pid in children.read_text(encoding="ascii").split()]
        except OSError:  # a thread that ended meanwhile
            continue
        for pid in pids:
            if any(Path(argument).name == program for argument in command_line(pid)[:1]):
                return pid
    return None


def kill_agent(directory: Path) -> int:
    """SIGKILL the agent of node ``directory``; returns its pid.

    The process is held by a descriptor while it is looked at, so a pid that was given to somebody else in between
    cannot be hit. Raises :class:`NotFound` or :class:`Conflict`.
    """
    pid = read_pid(directory / "agent.pid")
    if pid is None:
        raise NotFound(f"{directory / 'agent.pid'} names no process", hint="is the demo up? aware demo status")
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:
        raise NotFound(f"process {pid} is gone", hint="aware demo status") from error
    try:
        if not is_agent(command_line(pid), directory / "agent.toml"):
            raise Conflict(f"process {pid} is not the agent of {directory.name}: left alone", hint="aware demo status")
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except PermissionError as error:
            raise Conflict(f"process {pid} belongs to another user: left alone") from error
        except ProcessLookupError as error:
            raise NotFound(f"process {pid} is gone", hint="aware demo status") from error
    finally:
        os.close(descriptor)
    return pid
