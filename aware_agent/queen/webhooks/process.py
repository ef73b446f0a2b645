"""The queen's end of the pipes to the process that calls receivers: started when it is needed, ended with the reign."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
from collections.abc import Callable, Mapping

import msgspec

from aware_agent.agent.member.frames import FrameBroken, frame, read_frame
from aware_agent.colony.decoding import UNDECODABLE, from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.colony.event import Event
from aware_agent.queen import child
from aware_agent.queen.webhooks.messages import Adopt, Begin, FromSender, Hand, Target, ToSender, Trial, Tried

log = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-m", "aware_agent.queen.webhooks.sender")
END_S = 2.0
TRIAL_S = 20.0  # longer than a call may take
# Proxies are not among them: a call goes to an address that was judged, or nowhere.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class SenderEnded(AwareError):
    """The process that calls receivers is gone; it is started again."""

    code = "sender-ended"
    status = 503

    def __init__(self) -> None:
        super().__init__("the process that calls webhooks ended", hint="the queen's log says more; repeat it")
        self.retry_after = 1


class SenderProcess:
    """At most one process. ``told`` is called with what it says, and with None when it has ended by itself."""

    def __init__(self, begin: Begin, told: Callable[[FromSender | None], None]) -> None:
        self._begin, self._told = begin, told
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._trials: dict[int, asyncio.Future[Tried]] = {}
        self._numbers = itertools.count(1)

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> bool:
        """Make sure that there is one; whether it is new."""
        async with self._starting:
            if self._process is not None:
                return False
            self._process = process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment(os.environ),
                start_new_session=True,
            )
            self._say(self._begin)
            self._listening = asyncio.create_task(self._listen(process), name="webhook-sender")
            return True

    def adopt(self, targets: tuple[Target, ...]) -> None:
        """These are all there are."""
        self._say(Adopt(targets=targets))

    def hand(self, webhook: str, event: Event, revision: int, *, replay: bool = False) -> None:
        """Deliver one event."""
        self._say(Hand(webhook=webhook, event=event, revision=revision, replay=replay))

    async def trial(self, target: Target, event: Event) -> Tried:
        """Call once. Raises :class:`SenderEnded`."""
        number = next(self._numbers)
        waiting: asyncio.Future[Tried] = asyncio.get_running_loop().create_future()
        self._trials[number] = waiting
        try:
            self._say(Trial(number=number, target=target, event=event))
            async with asyncio.timeout(TRIAL_S):
                return await waiting
        except TimeoutError:
            raise SenderEnded from None
        finally:
            del self._trials[number]

    async def close(self) -> None:
        """End it."""
        async with self._starting:
            process, self._process = self._process, None
            listening, self._listening = self._listening, None
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            if process is not None:
                await child.end(process, END_S)
            self._give_up_trials()

    def _say(self, said: ToSender) -> None:
        """Into the pipe. How much waits there is bounded by what may be under way; an end is noticed elsewhere."""
        if self._process is None or self._process.stdin is None:
            raise SenderEnded
        try:
            self._process.stdin.write(frame(msgspec.msgpack.encode(said)))
        except (ConnectionError, RuntimeError):
            raise SenderEnded from None

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while (raw := await read_frame(process.stdout)) is not None:
                self._hear(from_msgpack(raw, FromSender))
        except (FrameBroken, *UNDECODABLE, ConnectionError) as error:
            log.error("what calls webhooks said nothing we know: %s", error)
        self._process = None
        await child.end(process, END_S)
        self._give_up_trials()
        self._told(None)

    def _hear(self, said: FromSender) -> None:
        if not isinstance(said, Tried):
            self._told(said)
            return
        waiting = self._trials.get(said.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(said)

    def _give_up_trials(self) -> None:
        for waiting in self._trials.values():
            if not waiting.done():
                waiting.set_exception(SenderEnded())


def environment(present: Mapping[str, str]) -> dict[str, str]:
    """What the process gets of ours."""
    return {name: present[name] for name in _ENVIRONMENT if name in present}
