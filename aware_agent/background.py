"""Work that goes on beside its owner, who waits for none of it: kept from being collected, ended with its owner, and
never lost without a word when it breaks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

log = logging.getLogger(__name__)


class Background:
    """The tasks of one owner. ``what`` names them in the log when one of them breaks."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """How many run."""
        return len(self._tasks)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        """Those that run."""
        return iter(tuple(self._tasks))

    def start(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        """Run ``work`` from now on."""
        task = asyncio.get_running_loop().create_task(work, name=name or self._what)
        self.adopt(task)
        return task

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Own a task that somebody else began."""
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Ask all of them to end."""
        for task in self:
            task.cancel()

    async def finish(self) -> None:
        """Wait until those that run now have ended, whatever comes of them."""
        await asyncio.gather(*self, return_exceptions=True)

    async def close(self) -> None:
        """End all of them."""
        self.cancel()
        await self.finish()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s broke: %s", self._what, task.get_name(), exc_info=error)
