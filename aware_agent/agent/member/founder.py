"""Founds a colony with others who hold the same key: performs what :mod:`aware_agent.colony.founding` decides."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from aware_agent.agent.member.founding_disk import FoundingDisk
from aware_agent.agent.member.founding_line import FoundingLine
from aware_agent.agent.member.founding_told import FoundingNote
from aware_agent.colony.decision_log import DecisionLog, founder_tells
from aware_agent.colony.errors import AwareError
from aware_agent.colony.founders import (
    Admitted,
    Effect,
    Event,
    Found,
    Founders,
    Founding,
    Heard,
    Join,
    Joined,
    Made,
    Missed,
    Persist,
    Persisted,
    Phase,
    Say,
    Tick,
    Word,
)
from aware_agent.colony.founding import begin, decide, word

log = logging.getLogger(__name__)

TICK_S = 0.25
SAY_EVERY = 2  # ticks
_QUEUE = 256  # words waiting; more are dropped, as the network may drop them
_PAUSE_S = 1.0


class Founder:
    """One node's part. ``make`` founds the colony, ``join`` joins the one that was founded; both raise AwareError.

    ``make`` may be called again after a failure or a crash, and goes on then. ``note`` tells people of it meanwhile.
    """

    def __init__(
        self,
        state: Founding,
        disk: FoundingDisk,
        make: Callable[[Founders], Awaitable[None]],
        join: Callable[[], Awaitable[None]],
        note: FoundingNote | None = None,
    ) -> None:
        kept = disk.load()
        self.state = begin(state, kept.confirmed, made=kept.made)
        self._disk = disk
        self._make = make
        self._join = join
        self._note = note
        self.decisions = DecisionLog(founder_tells)
        self._line: FoundingLine | None = None
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(_QUEUE)
        self._work: asyncio.Future[None] | None = None

    def hear(self, said: Word) -> None:
        """A word of another founder."""
        if not self._inbox.full():
            self._inbox.put_nowait(Heard(said))

    async def run(self, line: FoundingLine, joined: Callable[[], Iterable[str]] = tuple) -> Phase:
        """Until this node has founded (``FOUNDED``), serves (``SERVING``, when it began as founded), or has joined.

        ``joined`` tells who has joined what this node founded. Raises AwareError that a person has to see.
        """
        self._line = line
        end = {Phase.SERVING, Phase.JOINED} | ({Phase.FOUNDED} if self.state.phase is not Phase.FOUNDED else set())
        line.open()
        try:
            await self._loop(end, joined)
        finally:
            line.close()
            if self._note is not None:
                self._note.end()
            if self._work is not None:
                self._work.cancel()
                await asyncio.gather(self._work, return_exceptions=True)
        return self.state.phase

    async def _loop(self, end: set[Phase], joined: Callable[[], Iterable[str]]) -> None:
        assert self._line is not None
        turn = 0
        while self.state.phase not in end:
            turn += 1
            if turn % SAY_EVERY == 1:
                self._line.say(word(self.state))
            for node in joined() if self.state.phase is Phase.FOUNDED else ():
                if node not in self.state.joined:
                    self._feed(Joined(node))
            self._feed(Tick())
            self._leave_off()
            if self._note is not None:
                self._note.keep(self.state, self.decisions, time.monotonic())
            await self._drain(TICK_S, end)

    async def _drain(self, seconds: float, end: set[Phase]) -> None:
        """Take what comes within ``seconds``."""
        until = time.monotonic() + seconds
        while self.state.phase not in end and (left := until - time.monotonic()) > 0:
            try:
                self._feed(await asyncio.wait_for(self._inbox.get(), left))
            except TimeoutError:
                return

    def _feed(self, event: Event) -> None:
        now = time.monotonic()
        decision = decide(self.state, event, now)
        self.decisions.add(now, self.state, event, decision)
        self.state = decision.state
        if decision.message:
            log.info("%s", decision.message)
        for effect in decision.effects:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Say):
            assert self._line is not None
            self._line.say(effect)
        elif isinstance(effect, Persist):
            self._disk.confirm(effect.founders)  # on disk before anything is said; a full disk ends the agent
            self._feed(Persisted(effect.founders))
        elif isinstance(effect, Found):
            self._begin(self._found(effect.founders))
        elif isinstance(effect, Join):
            self._begin(self._joining())

    def _begin(self, work: Awaitable[None]) -> None:
        self._work = asyncio.ensure_future(_after(self._work, work))

    async def _found(self, founders: Founders) -> None:
        try:
            await self._make(founders)
            self._disk.made()
        except AwareError as error:
            await self._failed(error)
        else:
            await self._inbox.put(Made())

    async def _joining(self) -> None:
        try:
            await self._join()
        except AwareError as error:
            await self._failed(error)
        else:
            await self._inbox.put(Admitted())

    def _leave_off(self) -> None:
        """An attempt to join that nobody waits for any more ends; it may still have succeeded, and then counts."""
        busy = self.state.phase in {Phase.JOINING, Phase.FOUNDING}
        if self._work is not None and not busy and not self._work.done():
            self._work.cancel()

    async def _failed(self, error: AwareError) -> None:
        await asyncio.sleep(_PAUSE_S)
        await self._inbox.put(Missed(error.message))


async def _after(old: asyncio.Future[None] | None, work: Awaitable[None]) -> None:
    """Begin ``work`` when ``old`` has come to its end, for both would use the same files."""
    if old is not None:
        old.cancel()
        await asyncio.gather(old, return_exceptions=True)
    await work
