"""etcd under systemd, on hosts: the agent writes one word, and units of the role etcd do what it says. ::

    /var/lib/aware-etcd/wanted     start, restart or stop: written by the agent, watched by aware-etcd-control.path
    /run/aware-etcd-control/heard  written by root: the last of these words that was obeyed
    /run/aware-etcd.state          written by root: whether it runs, else its last lines
    /run/aware-etcd/               copies of the files with which it started, made by etcd's own user

So the agent needs no privilege: root believes nothing it wrote but one of three words about one unit. etcd outlives
the agent: an upgrade of the agent costs no vote. systemd starts it again when it fails; what is done here is to ask for
it, to ask again when nobody heard (a path unit is deaf while its service runs), and to tell why it does not run. Each
word carries a number, so that the one that was heard is the one that was meant: a "stop" that went by unheard behind a
"start" would leave an etcd running that nobody looks after.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from aware_agent.agent.member.etcd_child import cause
from aware_agent.agent.member.etcd_home import EtcdHome
from aware_agent.colony.errors import AwareError
from aware_agent.security.files import read_public, write_atomic
from aware_agent.store.errors import StoreError

log = logging.getLogger(__name__)

HOME = Path("/var/lib/aware-etcd")
RUN = Path("/run")
UNIT = "aware-etcd.service"
LOOK_S = 5.0
ANSWER_S = 20.0  # the unit stops within 30 s at most, and usually at once
STOP_S = 80.0
_TRIES = 2
_POLL_S = 0.1

Word = Literal["start", "restart", "stop"]


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """What root says of the unit. ``result`` is systemd's word for how it ended."""

    pid: int = 0  # 0: it does not run
    result: str = ""
    tail: str = ""

    @property
    def resting(self) -> bool:
        """Whether it does not run and systemd will not start it by itself: it ended well, or never ran."""
        return not self.pid and self.result in ("", "success")


class SystemdEtcd:
    """The unit of etcd on this host. ``run`` is where units leave word."""

    def __init__(self, home: EtcdHome, *, check: Callable[[], object] = lambda: None, run: Path = RUN) -> None:
        """``check`` raises AwareError when there is no use in starting it now; it is asked before each start."""
        self._home = home
        self._check = check
        self._wanted = home.path / "wanted"
        self._state_path = run / "aware-etcd.state"
        self._started_with = run / "aware-etcd"
        self._heard = run / "aware-etcd-control" / "heard"
        self._task: asyncio.Task[None] | None = None
        self._complaint = ""
        self._told = ""

    @property
    def problem(self) -> str:
        """Why it does not run, one sentence; empty while it does."""
        state = self.state()
        if state.pid:
            return ""
        if self._complaint or state.result == "":
            return self._complaint
        why = cause(state.tail) or f"journalctl -u {UNIT} says why, result {state.result}"
        return f"etcd ended: {why}"

    @property
    def believes(self) -> bytes:
        """The CAs it read when it started, PEM; empty while it does not run."""
        return self._began_with("ca.crt") if self.state().pid else b""

    def state(self) -> UnitState:
        """What root wrote last. A host that has just booted has none."""
        head, _, tail = (read_public(self._state_path) or b"").decode(errors="replace").partition("\n")
        words = head.split()
        if len(words) == 2 and words[0] == "running" and words[1].isdigit():
            return UnitState(pid=int(words[1]))
        return UnitState(result=words[1] if len(words) == 2 else "", tail=tail)

    async def start(self, *, anew: bool) -> None:
        """Keep it running from now on. ``anew``: also when it runs; else only if it runs with another configuration."""
        await self.close()
        await self._bring(anew)
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="etcd")

    async def stop(self) -> None:
        """End it, and return when it is gone. Raises StoreError when it does not go."""
        await self.close()
        wanted = read_public(self._wanted)
        at_rest = wanted is None or (wanted.startswith(b"stop ") and wanted == read_public(self._heard))
        if self.state().pid or not at_rest:
            await self._ask("stop", lambda: not self.state().pid, STOP_S)

    async def close(self) -> None:
        """The agent ends; etcd goes on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if self.state().resting:
                await self._bring(anew=False)
            self._tell()

    async def _bring(self, anew: bool) -> None:
        """Have it run with its files as they are; what keeps it from that becomes :attr:`problem`."""
        before = self.state()
        self._complaint = ""
        try:
            if not before.pid:
                self._check()
            if before.pid and (anew or self._began_with("etcd.json") != self._home.config()):
                await self._ask("restart", lambda: self.state().pid not in (0, before.pid), ANSWER_S)
            else:
                await self._ask("start", lambda: bool(self.state().pid) or self.state() != before, ANSWER_S)
        except AwareError as error:
            self._complaint = error.message
        self._tell()

    async def _ask(self, word: Word, done: Callable[[], bool], limit_s: float) -> None:
        for _ in range(_TRIES):
            line = f"{word} {time.time_ns()}\n".encode()
            write_atomic(self._wanted, line, mode=0o640)
            end = time.monotonic() + limit_s / _TRIES
            while time.monotonic() < end:
                if read_public(self._heard) == line and done():
                    return
                await asyncio.sleep(_POLL_S)
        raise StoreError(
            f"systemd did not {word} {UNIT}: {cause(self.state().tail) or 'it did not answer'}",
            hint="systemctl status aware-etcd-control.path aware-etcd-control.service",
        )

    def _began_with(self, name: str) -> bytes:
        return read_public(self._started_with / name) or b""

    def _tell(self) -> None:
        """Once for each problem."""
        problem = self.problem
        if problem and problem != self._told:
            log.error("%s", problem)
        self._told = problem
