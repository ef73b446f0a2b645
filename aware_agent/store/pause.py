"""How long to wait before a stream is opened again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

Jitter = Callable[[float, float], float]

_SAY_AGAIN = 20  # attempts, some ten seconds


class Pause:
    """Waits between attempts to open a stream: short at first, up to half a second, with jitter."""

    def __init__(self, jitter: Jitter = random.uniform) -> None:
        self._jitter = jitter
        self._tries = 0

    @property
    def log_level(self) -> int:
        """The first failure is news, and that it goes on; each of the following ones is not."""
        return logging.INFO if self._tries % _SAY_AGAIN == 0 else logging.DEBUG

    @property
    def tries(self) -> int:
        """Attempts since it worked."""
        return self._tries

    def reset(self) -> None:
        """The stream worked."""
        self._tries = 0

    async def wait(self) -> None:
        """Sleeps 0 s, then growing times."""
        step: float = 0.0 if not self._tries else min(0.5, 0.025 * 2.0 ** min(8, self._tries))
        self._tries += 1
        await asyncio.sleep(step * self._jitter(0.5, 1.0))
