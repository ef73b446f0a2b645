"""Virtual time: a queue of things that will happen."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

Action = Callable[..., object]


class Queue:
    """Runs actions in order of their time; those of one instant in the order they were added. Seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._added = 0

    def at(self, when: float, action: Action, *args: Any) -> None:
        """Run ``action(*args)`` at ``when``, or at once if that is past."""
        self._added += 1
        heapq.heappush(self._heap, (max(when, self.now), self._added, action, args))

    def after(self, delay: float, action: Action, *args: Any) -> None:
        """Run ``action(*args)`` in ``delay`` seconds."""
        self.at(self.now + delay, action, *args)

    def run(self, until: float) -> None:
        """Let time pass up to and including ``until``."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, action, args = heapq.heappop(heap)
            self.steps += 1
            action(*args)
        self.now = max(self.now, until)
