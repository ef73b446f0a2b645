"""Queues in which no source stands in front of another: turns go round the sources, and each may wait only so deep."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aware_agent.channel.limits import source_of
from aware_agent.gateway.errors import Busy

_Waiting = asyncio.Future[None]


class _Line:
    """Who waits, by source, served in turn."""

    def __init__(self, each: int, most: int) -> None:
        self._each, self._most = each, most
        self._sources: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self._length = 0

    def join(self, source: str) -> _Waiting:
        """A place at the end of the source's own queue. Raises :class:`Busy` when that, or all, is full."""
        queue = self._sources.get(source)
        if self._length >= self._most or (queue is not None and len(queue) >= self._each):
            raise Busy("too many requests wait already", retry_after=2)
        place: _Waiting = asyncio.get_running_loop().create_future()
        if queue is None:
            queue = self._sources[source] = deque()
        queue.append(place)
        self._length += 1
        return place

    def call(self) -> bool:
        """Let the next one go on; returns whether there was somebody."""
        while self._sources:
            source, queue = self._sources.popitem(last=False)
            place = queue.popleft()
            self._length -= 1
            if queue:
                self._sources[source] = queue  # behind all others
            if not place.done():  # done: its client went
                place.set_result(None)
                return True
        return False


class FairQueue:
    """Lets ``at_once`` work at a time; of each source ``each`` may wait, and ``most`` in all."""

    def __init__(self, at_once: int, *, each: int, most: int) -> None:
        self._free = at_once
        self._line = _Line(each, most)

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn. Raises :class:`Busy` at once when there is no room to wait."""
        if self._free:
            self._free -= 1
        else:
            await _wait(self._line.join(source_of(address)), self._leave)
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        if not self._line.call():  # the turn goes to the next one, or is free
            self._free += 1


class Turnstile:
    """Lets strangers in a few at each turn of the event loop, so that whoever is known never waits behind a crowd."""

    def __init__(self, at_once: int, *, each: int, most: int) -> None:
        self._at_once = at_once
        self._line = _Line(each, most)
        self._turning = False

    async def enter(self, address: str) -> None:
        """Wait for a turn. Raises :class:`Busy` at once when there is no room to wait."""
        place = self._line.join(source_of(address))
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)
        await place

    def _turn(self) -> None:
        for _ in range(self._at_once):
            if not self._line.call():
                self._turning = False
                return
        asyncio.get_running_loop().call_soon(self._turn)


async def _wait(place: _Waiting, leave: Callable[[], None]) -> None:
    """Wait for ``place``. Whoever is called and goes at the same moment hands the turn on."""
    try:
        await place
    except asyncio.CancelledError:
        if place.done() and not place.cancelled():
            leave()
        raise
