"""How the projection tells others what changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from aware_agent.store.errors import StoreError
from aware_agent.store.model import Change

MAX_WAITING = 4096


class ProjectionBatch(Struct, frozen=True, kw_only=True):
    """Changes that are already in the projection. ``relisted``: history was lost, this is the difference.

    Every change has ``prev``, the value before (None: the key is new).
    """

    revision: int
    changes: tuple[Change, ...]
    relisted: bool = False


class Overrun(StoreError):
    """A subscriber did not keep up and batches were dropped: read the projection, then go on."""

    code = "store-overrun"


class Subscription:
    """An async iterator of batches. Bounded: a slow reader gets :class:`Overrun` once, and newer batches after it."""

    def __init__(self, forget: Callable[[Subscription], None]) -> None:
        self._forget = forget
        self._waiting: deque[ProjectionBatch] = deque()
        self._wake = asyncio.Event()
        self._overrun = False
        self._closed = False

    def __aiter__(self) -> Subscription:
        """Itself."""
        return self

    async def __anext__(self) -> ProjectionBatch:
        """The next batch, in order. :raises Overrun: some are missing before the next one."""
        while not self._waiting and not self._overrun and not self._closed:
            self._wake.clear()
            await self._wake.wait()
        if self._overrun:
            self._overrun = False
            raise Overrun("a reader of changes was too slow", hint="read the state and go on")
        if self._waiting:
            return self._waiting.popleft()
        raise StopAsyncIteration

    def feed(self, batch: ProjectionBatch) -> None:
        """Called by the projection."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            self._overrun = True
        self._waiting.append(batch)
        self._wake.set()

    def close(self) -> None:
        """No more batches; what waits can still be read."""
        self._closed = True
        self._wake.set()
        self._forget(self)
