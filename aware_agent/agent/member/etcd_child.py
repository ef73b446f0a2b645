"""etcd as a child of the agent, for demos and containers: started, restarted with growing pauses, and ended with it.

On hosts systemd does this (:mod:`etcd_systemd`). A child dies with its agent: one that stayed behind would serve a
colony that nobody here looks after any more, and would hold the ports of the next one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable

from aware_agent.agent.member.etcd_home import EtcdHome
from aware_agent.colony.errors import AwareError
from aware_agent.store.etcd_binary import EtcdBinary

log = logging.getLogger(__name__)

STOP_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_FINE_S = 20.0  # who ran so long may start again at once
_LOG_BYTES = 8 << 20
_TAIL_BYTES = 16 * 1024

# What etcd writes before it ends, and what it means.
_CAUSES = (
    ("address already in use", "a port of it is taken by another program"),
    ("no space left on device", "its disk is full"),
    ("permanently removed", "it was removed from the council"),
    ("member count is unequal", "the council changed while it joined"),
    ("has already been bootstrapped", "its member began before, with other data"),
    ("cluster ID mismatch", "its data is of another etcd"),
    ("server version is too low", "its program is older than the council's"),
    ("invalid downgrade", "its program is older than its data"),
    ("permission denied", "it may not read or write its files"),
    ("couldn't find local name", "its configuration does not name it"),
    ("cannot assign requested address", "its address is not of this host"),
    ("private key does not match", "its certificate and key are no pair"),
)


class ChildEtcd:
    """One etcd process. Create, :meth:`start` and :meth:`stop` it in one event loop."""

    def __init__(self, home: EtcdHome, binary: EtcdBinary, *, check: Callable[[], object] = lambda: None) -> None:
        """``check`` raises AwareError when there is no use in starting it now; it is asked before each start."""
        self._home = home
        self._binary = binary
        self._check = check
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.problem = ""  # why it does not run, one sentence; empty while it does
        self.starts = 0
        self.believes = b""  # the CAs it read when it started, PEM; empty before

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self, *, anew: bool = True) -> None:
        """Keep it running from now on, with the files as they are; ``anew``: also when it runs already."""
        if self._task is not None and not anew:
            return
        await self.stop()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="etcd")

    async def stop(self) -> None:
        """End it, and return when it is gone."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """The agent ends, and its child with it."""
        await self.stop()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            try:
                self._check()
                await self._once()
            except AwareError as error:
                self._complain(error.message)
            except OSError as error:
                self._complain(f"etcd does not start: {error.strerror}")
            pause = _FIRST_PAUSE_S if time.monotonic() - began > _FINE_S else min(_LONGEST_PAUSE_S, pause * 2)
            await asyncio.sleep(pause)

    async def _once(self) -> None:
        """One life of the process."""
        _shorten(self._home)
        self.believes = self._home.bundle()
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self._home.log.open("ab") as output:
            process = self._process = await asyncio.create_subprocess_exec(
                *leash,
                *self._home.argv(self._binary),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(),
                start_new_session=True,
            )
        self.starts += 1
        self.problem = ""
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        self._complain(f"etcd ended: {cause(tail(self._home)) or f'its log says why ({self._home.log}), code {code}'}")

    def _complain(self, sentence: str) -> None:
        if sentence != self.problem:
            log.error("%s", sentence)
        self.problem = sentence


def cause(text: str) -> str:
    """What etcd's last words mean, the newest first; empty when they are not known."""
    for line in reversed(text.splitlines()):
        for said, meaning in _CAUSES:
            if said in line:
                return meaning
    return ""


def tail(home: EtcdHome) -> str:
    """The end of its log."""
    try:
        with home.log.open("rb") as file:
            file.seek(max(0, home.log.stat().st_size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _shorten(home: EtcdHome) -> None:
    """A log that grew for months must not fill the disk that etcd needs."""
    try:
        if home.log.stat().st_size > _LOG_BYTES:
            os.replace(home.log, home.log.with_suffix(".log.old"))
    except FileNotFoundError:
        return


def _environment() -> dict[str, str]:
    """Without what would overrule the file, or send members through a proxy."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ETCD_") and not name.lower().endswith("_proxy")
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
