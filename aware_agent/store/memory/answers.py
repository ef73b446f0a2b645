"""A stream of keepalives whose answers wait in this process; how they come is for whoever derives from it."""

from __future__ import annotations

import asyncio

from aware_agent.store.failures import Failure, StreamBroken, Verdict


class Answers:
    """The receiving half of :class:`protocol.KeepAlives`."""

    def __init__(self) -> None:
        self._answers: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()
        self._aborted = ""

    async def receive(self) -> tuple[int, int]:
        """See the protocol."""
        self._check()
        answer = await self._answers.get()
        if answer is None:
            self._check()
            raise RuntimeError("a stream was ended without a reason")
        return answer

    def abort(self, reason: str) -> None:
        """See the protocol."""
        self._aborted = self._aborted or reason
        self._answers.put_nowait(None)

    def _check(self) -> None:
        if self._aborted:
            raise StreamBroken(Failure(verdict=Verdict.UNKNOWN, details=self._aborted))
