"""Steady work: pass after pass, when something changed or its time has come, until cancelled or deposed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aware_agent.colony.errors import AwareError, Deposed

log = logging.getLogger(__name__)


class Loop:
    """Repeats ``once``, which returns in how many seconds to look again though nothing changed, None for never.

    A pass that fails for a reason (AwareError) is repeated after ``retry_s``. One that breaks (a bug) is repeated
    after ``broken_s``; None hands the bug on to whoever runs the loop. Two passes are at least ``least_s`` apart.
    """

    def __init__(
        self,
        what: str,
        once: Callable[[], Awaitable[float | None]],
        *,
        retry_s: float,
        broken_s: float | None,
        least_s: float = 0.0,
    ) -> None:
        self._what = what
        self._once = once
        self._retry_s, self._broken_s, self._least_s = retry_s, broken_s, least_s
        self._nudged = asyncio.Event()
        self._complaint = ""

    def refresh(self) -> None:
        """Something changed: look again."""
        self._nudged.set()

    async def run(self) -> None:
        """Work until cancelled. Raises Deposed when the reign is over."""
        while True:
            self._nudged.clear()
            pause = await self._pass()
            if self._least_s:
                await asyncio.sleep(self._least_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if pause is None else max(0.0, pause - self._least_s)):
                    await self._nudged.wait()

    async def _pass(self) -> float | None:
        try:
            pause = await self._once()
        except Deposed:
            raise
        except AwareError as error:
            # The same trouble again and again is told once.
            log.log(
                logging.DEBUG if error.message == self._complaint else logging.WARNING,
                "%s: %s; trying again",
                self._what,
                error.message,
            )
            self._complaint = error.message
            return self._retry_s
        except Exception:
            if self._broken_s is None:
                raise
            log.exception("%s broke; looking again in %.0f s", self._what, self._broken_s)
            return self._broken_s
        self._complaint = ""
        return pause
