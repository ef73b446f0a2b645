"""The gateway of a council member: a process of its own, which its agent starts, watches and starts again.

The agent binds the port and the child inherits it, so that a port in use is told at once and nothing is refused while
a new process takes the place of one that died. A queen whose gateway ends hands over at once to an heir whose gateway
answers. One that does not come up makes its node unfit to reign, whoever may follow; one that never comes up ends the
agent, and the service manager has its turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec

from aware_agent.agent.member.frames import frame
from aware_agent.agent.member.gateway_link import GatewayLink
from aware_agent.agent.member.gateway_start import GatewayStart
from aware_agent.agent.member.link import Material, Start
from aware_agent.colony.errors import AwareError, PortInUse

log = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-m", "aware_agent.gateway.process")
UP_S = 60.0  # a starved machine takes its time to load FastAPI
DOWN_S = 20.0  # a node without a gateway for longer lets others reign
UNFIT_AFTER = 3  # failures in a row, which says the same sooner
GIVE_UP_AFTER = 10
SETTLED_S = 60.0  # one that lived so long was well: what ended it begins a new count
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 15.0
RETRY_S = 2.0
_PORT_TRIES, _PORT_AGAIN_S = 25, 0.2
STOP_S = 6.0  # it gives requests two seconds, and a moment more to those it has to cut


class GatewayFailed(AwareError):
    """The gateway of this node ended again and again."""

    code = "gateway-failed"
    exit_code = 70


class GatewayProcess:
    """Runs the gateway behind the socket ``listen`` makes. ``told`` is what a new process is told first."""

    def __init__(
        self,
        link: GatewayLink,
        listen: Callable[[], socket.socket],
        told: GatewayStart,
        *,
        program: Sequence[str] = PROGRAM,
        down_s: float = DOWN_S,
    ) -> None:
        self._link, self._listen, self._told, self._program, self._down_s = link, listen, told, program, down_s
        self._changed: Callable[[], None] = lambda: None
        self._listener: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._renewing = asyncio.Event()
        self._renewing.set()  # the node's certificate may be newer than ours from the start
        self.unfit = ""  # why this node cannot serve; empty while it can

    @property
    def serving(self) -> bool:
        """Whether requests are answered."""
        return self._link.serving.is_set()

    @property
    def pid(self) -> int:
        """Process id of the gateway that runs; 0 while none does."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever :attr:`serving` or :attr:`unfit` changes."""
        self._changed = self._link.changed = changed

    async def start(self) -> None:
        """Listen and start the process; it answers a moment later. Raises PortInUse, AddressMissing, InvalidInput."""
        self._listener = await self._listening()
        await self._link.open()
        self._task = asyncio.create_task(self._run(), name="gateway")

    async def _listening(self) -> socket.socket:
        """An agent that was killed leaves a gateway that still holds the port, until it notices a moment later."""
        for _ in range(_PORT_TRIES):
            try:
                return self._listen()
            except PortInUse:
                await asyncio.sleep(_PORT_AGAIN_S)
        return self._listen()

    async def run(self) -> None:
        """A duty: lasts until :meth:`stop`, or until the gateway is given up. Raises :class:`GatewayFailed`."""
        assert self._task is not None
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Ask the process to end, then make sure. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._link.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def reload_tls(self) -> None:
        """The node's keys or certificates are new: make the gateway's anew and hand them on, a moment later."""
        if self._task is not None:
            self._renewing.set()

    # One process after the other ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        handing_on = asyncio.create_task(self._hand_on(), name="gateway-keys")
        try:
            await self._told.keys.prepare()
            await self._one_after_the_other()
        finally:
            handing_on.cancel()
            await asyncio.gather(handing_on, return_exceptions=True)

    async def _hand_on(self) -> None:
        """What is new goes to the process that runs; one that starts later begins with it."""
        while True:
            await self._renewing.wait()
            self._renewing.clear()
            try:
                await self._told.keys.renew()
                if self.pid:
                    self._send(self._told.material())
            except (AwareError, OSError) as error:
                log.warning("the gateway keeps its certificates for now: %s", error)
                await asyncio.sleep(RETRY_S)
                self._renewing.set()

    async def _one_after_the_other(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            self._wait_for_it()
            began = loop.time()
            reason = await self._one_process()
            failures = 1 if loop.time() - began > SETTLED_S else failures + 1
            if failures >= GIVE_UP_AFTER:
                raise GatewayFailed(f"the gateway ended {failures} times in a row: {reason}", hint="see its log lines")
            if failures >= UNFIT_AFTER:
                self._set_unfit(f"its gateway does not come up: {reason}")
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (failures - 1))
            log.error("the gateway ended: %s; starting it again in %.1f s", reason, pause)
            await asyncio.sleep(pause)

    async def _one_process(self) -> str:
        """Start it, wait until it ends, and return why it did. Cancelled, it stops it."""
        assert self._listener is not None
        process = self._process = await asyncio.create_subprocess_exec(
            *self._program,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(self._listener.fileno(),),
            env=_environment(os.environ),
            start_new_session=True,  # Ctrl-C at a terminal is for the agent; it tells the gateway in its own time
        )
        self._link.expected = process.pid
        self._send(self._told.start(self._listener.fileno()))
        try:
            if not await self._comes_up(process):
                return f"it did not answer within {UP_S:.0f} s"
            return _words(await process.wait())
        finally:
            self._link.expected = 0
            await _end(process)

    async def _comes_up(self, process: asyncio.subprocess.Process) -> bool:
        up = asyncio.ensure_future(self._link.serving.wait())
        ended = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({up, ended}, timeout=UP_S, return_when=asyncio.FIRST_COMPLETED)
            if self.serving:
                self._forgive()
            return up.done() or ended.done()
        finally:
            up.cancel()
            ended.cancel()
            await asyncio.gather(up, ended, return_exceptions=True)

    def _send(self, message: Start | Material) -> None:
        """Into the pipe, which is large enough for what is ever said; a process that ended is noticed elsewhere."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(frame(msgspec.msgpack.encode(message)))

    # Fit to reign? -----------------------------------------------------------------------------------------------

    def _wait_for_it(self) -> None:
        if self._patience is None:
            reason = f"its gateway has been away for {self._down_s:.0f} s"
            self._patience = asyncio.get_running_loop().call_later(self._down_s, self._set_unfit, reason)

    def _forgive(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._set_unfit("")

    def _set_unfit(self, reason: str) -> None:
        changes = bool(reason) != bool(self.unfit)
        self.unfit = reason
        if changes:
            log.log(logging.ERROR if reason else logging.INFO, "%s", reason or "the gateway answers again")
            self._changed()


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, a bounded wait, SIGKILL. Its end is collected whatever happens."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await process.wait()
    if process.returncode is None:
        log.warning("the gateway did not stop within %.0f s and is killed", STOP_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _environment(present: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what is meant for the agent alone: a join token may be in it, and the manager's socket."""
    kept = {"AWARE_DEBUG"}
    mine = ("AWARE_", "NOTIFY_SOCKET", "WATCHDOG_")
    return {name: value for name, value in present.items() if name in kept or not name.startswith(mine)}
