"""What this gateway tells the audit log by itself: refusals, counted, and what it granted while nobody reigned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from aware_agent.colony.audit import Entry, entry
from aware_agent.gateway.asking import Asking
from aware_agent.gateway.refusals import Refusals, is_told

LOOK_S = 1.0
MAX_TOLD = 256  # of what was granted, until it is sent


class AuditReport:
    """Gathers; :meth:`run` sends what is due for as long as there is something."""

    def __init__(self, member: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._member, self._clock = member, clock
        self._refusals = Refusals(member)
        self._told: list[Entry] = []
        self._news = asyncio.Event()

    def answered(self, asked: Asking, status: int) -> None:
        """A request was answered so."""
        if is_told(asked.method, status):
            self._refusals.note(asked, status, now=self._clock(), wall=time.time())
            self._news.set()

    def tell(self, asked: Asking, action: str, change: str) -> None:
        """Something was granted that no queen wrote down."""
        if len(self._told) < MAX_TOLD:
            made = entry(
                asked.asker(self._member),
                now=time.time(),
                action=action,
                actor=asked.actor,
                subject=asked.actor,
                change=change,
            )
            self._told.append(made)
            self._news.set()

    def due(self) -> list[Entry]:
        """What is to be sent now."""
        told, self._told = self._told, []
        return told + self._refusals.due(self._clock(), time.time())

    async def run(self, send: Callable[[Sequence[Entry]], None]) -> None:
        """Until cancelled, or ``send`` raises: then the agent is gone."""
        while True:
            await self._news.wait()
            self._news.clear()
            while len(self._refusals) or self._told:
                await asyncio.sleep(LOOK_S)
                if found := self.due():
                    send(found)
