"""The agent's end of a job's process: it is started, kept alive second by second, listened to, and surely ended."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.jobs import JobState
from aware_agent.queen import child
from aware_agent.queen.jobs.descendants import end_marked
from aware_agent.queen.jobs.protocol import (
    ALIVE,
    CANCEL,
    END_S,
    HEARTBEAT_S,
    MAX_LINE,
    PREFIX,
    Ended,
    RunOrder,
    Said,
    Told,
)
from aware_agent.security.files import make_directory

log = logging.getLogger(__name__)

MARK = "AWARE_JOB"
STALE_S = 60.0  # a directory that young may be of a process that is just being started
GRACE_S = 30.0  # after its time limit the process should long have ended by itself
_ENVIRONMENT = ("LANG", "LC_ALL", "PATH", "TZ")


async def run_process(
    order: RunOrder, said: Callable[[Said], Awaitable[None]], cancelled: asyncio.Event, *, as_root: bool
) -> Ended:
    """Run the process until its end; ``said`` is called with what it tells. Cancelling this ends the process.

    ``order.directory`` is where the job's own directory is made.
    """
    directory = await asyncio.to_thread(make_job_directory, Path(order.directory), as_root=as_root)
    try:
        return await _run(msgspec.structs.replace(order, directory=str(directory)), said, cancelled)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True))


async def _run(order: RunOrder, said: Callable[[Said], Awaitable[None]], cancelled: asyncio.Event) -> Ended:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aware_agent.queen.jobs.process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(order.job),
        cwd="/",
        start_new_session=True,
        limit=MAX_LINE,
    )
    assert process.stdin is not None
    beating = asyncio.create_task(_beat(process.stdin, order, cancelled), name=f"job {order.job}")
    ended: Ended | None = None
    try:
        async with asyncio.timeout(order.time_limit_s + GRACE_S):
            ended = await _listen(process, said)
            await process.wait()
    except TimeoutError:
        return Ended(state=JobState.TIMED_OUT, reason="time-limit", message="its process did not end by itself")
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await asyncio.shield(_end(process, order.job, orderly=ended is not None))
    return ended or Ended(
        state=JobState.FAILED,
        reason="process-died",
        message=f"its process ended without a word ({_words(process.returncode)}); was it out of memory?",
    )


def make_job_directory(parent: Path, *, as_root: bool) -> Path:
    """An empty directory in ``parent``, where what killed agents left is cleared away. Blocking."""
    make_directory(parent)
    if as_root:  # whom a job becomes has to get through, and sees no names
        parent.chmod(0o711)
    for left in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_S:
                _clear(left)
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))


def _clear(left: Path) -> None:
    """Remove a directory whose process is not there any more. Raises OSError when it is."""
    descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(descriptor)


async def _listen(process: asyncio.subprocess.Process, said: Callable[[Said], Awaitable[None]]) -> Ended | None:
    """Hand on what it tells. None when it goes without saying how it went."""
    assert process.stdout is not None
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # longer than anything it should say
            return None
        if not line:
            return None
        try:
            told = from_json(line, Told)
        except UNDECODABLE as error:
            log.warning("a job's process said something odd: %s", error)
            return None
        if isinstance(told, Ended):
            return told
        await said(told)


async def _beat(stdin: asyncio.StreamWriter, order: RunOrder, cancelled: asyncio.Event) -> None:
    with suppress(ConnectionError, RuntimeError):  # the last is uvloop's word for a pipe that is closed
        stdin.write(msgspec.json.encode(order) + b"\n")
        while True:
            stdin.write(CANCEL if cancelled.is_set() else ALIVE)
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await cancelled.wait()
                    await asyncio.sleep(HEARTBEAT_S)


async def _end(process: asyncio.subprocess.Process, job: str, *, orderly: bool) -> None:
    await child.end(process, END_S)
    if not orderly and (killed := await asyncio.to_thread(end_marked, MARK, job, END_S)):
        log.warning("%d processes of job %s were left and are killed", killed, job)


def _environment(job: str) -> dict[str, str]:
    """Nothing of ours that could steer Ansible, and a mark that all its processes inherit."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", os.defpath)))
    return {"LC_ALL": "C.UTF-8", **kept, "PATH": path, MARK: job}


def _words(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
