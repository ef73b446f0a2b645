"""The queen's end of the pipes to the process that calls receivers: started when it is needed, ended with the reign."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from aware_agent.colony.errors import AwareError
from aware_agent.colony.event import Event
from aware_agent.queen.piped import PipedProcess
from aware_agent.queen.webhooks.messages import Adopt, Begin, FromSender, Hand, Target, Trial, Tried

PROGRAM = "aware_agent.queen.webhooks.sender"
TRIAL_S = 20.0  # longer than a call may take


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
        self._told = told
        self._process: PipedProcess[FromSender] = PipedProcess(PROGRAM, begin, FromSender, self._hear, SenderEnded)
        self._trials: dict[int, asyncio.Future[Tried]] = {}
        self._numbers = itertools.count(1)

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return self._process.pid

    async def start(self) -> bool:
        """Make sure that there is one; whether it is new."""
        return await self._process.start()

    def adopt(self, targets: tuple[Target, ...]) -> None:
        """These are all there are."""
        self._process.say(Adopt(targets=targets))

    def hand(self, webhook: str, event: Event, revision: int, *, replay: bool = False) -> None:
        """Deliver one event."""
        self._process.say(Hand(webhook=webhook, event=event, revision=revision, replay=replay))

    async def trial(self, target: Target, event: Event) -> Tried:
        """Call once. Raises :class:`SenderEnded`."""
        number = next(self._numbers)
        waiting: asyncio.Future[Tried] = asyncio.get_running_loop().create_future()
        self._trials[number] = waiting
        try:
            self._process.say(Trial(number=number, target=target, event=event))
            async with asyncio.timeout(TRIAL_S):
                return await waiting
        except TimeoutError:
            raise SenderEnded from None
        finally:
            del self._trials[number]

    async def close(self) -> None:
        """End it."""
        await self._process.close()
        self._give_up_trials()

    def _hear(self, said: FromSender | None) -> None:
        if said is None:
            self._give_up_trials()
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
