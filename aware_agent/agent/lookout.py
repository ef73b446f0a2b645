"""When to look at the colony again: at once for what concerns this node, soon for all else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

LOOK_S = 0.1  # how long changes of other nodes may wait


class Lookout:
    """Gathers changes of keys into looks: those of ``urgent`` keys at once, others within :data:`LOOK_S`.

    Others' presence and records can wait a little: in a large colony they change by the hundred.
    """

    def __init__(self, urgent: Collection[bytes], look: Callable[[], None]) -> None:
        self._urgent = frozenset(urgent)
        self._look = look
        self._soon: asyncio.TimerHandle | None = None

    def changed(self, keys: Collection[bytes], *, everything: bool) -> None:
        """These keys changed; ``everything`` when the mirror was read anew and nobody knows what did."""
        if everything or not self._urgent.isdisjoint(keys):
            self.look()
        elif self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(LOOK_S, self.look)

    def look(self) -> None:
        """Look now."""
        self.close()
        self._look()

    def close(self) -> None:
        """Forget a look that was planned."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
