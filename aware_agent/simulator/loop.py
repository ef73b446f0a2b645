"""The event loop of one simulated host: the real drivers run on it, in virtual time, by the host's own clock.

asyncio asks little of a loop: to call things soon and later, and to make futures and tasks. The rest (sleeps,
time-outs, events, queues) follows. A frozen loop calls nothing and loses nothing, as a process after SIGSTOP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any

from aware_agent.simulator.clock import Queue

LATENESS_S = (0.0001, 0.01)  # how late an event loop rings its timers
MOST_AT_ONCE = 10_000  # callbacks of one instant: more is an endless loop

Draw = Callable[[float, float], float]


class HostLoop(asyncio.AbstractEventLoop):
    """``rate``: seconds its clock counts per true second; ``check`` is called after each turn."""

    def __init__(
        self, queue: Queue, rate: float, draw: Draw, broke: Callable[[dict[str, Any]], None], check: Callable[[], None]
    ) -> None:
        self.frozen = False
        self.busy_s = 0.0  # how much later its timers ring, because the host has other work
        self._queue = queue
        self._rate = rate
        self._draw = draw
        self._broke = broke
        self._check = check
        self._ready: deque[asyncio.Handle] = deque()
        self._turn_due = False
        self._dead = False
        self._tasks: set[asyncio.Task[Any]] = set()

    # What asyncio asks for ---------------------------------------------------------------------------------------

    def time(self) -> float:
        """The host's monotonic clock."""
        return self._queue.now * self._rate

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """In this instant, after what waits already."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        self._want_turn()
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """In ``delay`` of its own seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """When its clock shows ``when``, or a little later, as real loops do."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        least, most = LATENESS_S
        self._queue.at(when / self._rate + self._draw(least, most + self.busy_s), self._ring, handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, Any] | Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        """A task of this loop."""
        del context  # what runs here sets none
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Until the host's process ends."""
        return not self._dead

    def is_closed(self) -> bool:
        """After the host's process ended."""
        return self._dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Something broke that nobody waits for: a fault of the drivers."""
        if not self._dead:
            self._broke(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is skipped when its time comes."""

    # What the simulator does to it -------------------------------------------------------------------------------

    def call_first(self, callback: Callable[..., Any], *args: Any) -> None:
        """Before everything that waits."""
        self._ready.appendleft(asyncio.Handle(callback, args, self, None))
        self._want_turn()

    def freeze(self) -> None:
        """Nothing is called any more; what becomes due piles up."""
        self.frozen = True

    def thaw(self) -> None:
        """Call what has piled up."""
        self.frozen = False
        self._want_turn()

    def end(self) -> None:
        """The process is gone: its tasks end where they are, and nothing that they still ask for is done."""
        self._dead = True
        for _ in range(100):  # a task that ends may cancel others and wait for them
            for task in list(self._tasks):
                task.cancel()
            self._run_ready()
            if not self._tasks:
                return
        raise RuntimeError(f"tasks that do not end: {self._tasks}")

    def _want_turn(self) -> None:
        if not self._turn_due and not self.frozen and not self._dead:
            self._turn_due = True
            self._queue.at(self._queue.now, self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        if not self.frozen and not self._dead:
            self._run_ready()
            self._check()

    def _ring(self, handle: asyncio.TimerHandle) -> None:
        if not handle.cancelled() and not self._dead:
            self._ready.append(handle)
            self._want_turn()

    def _run_ready(self) -> None:
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            for _ in range(MOST_AT_ONCE):
                if not self._ready or (self.frozen and not self._dead):
                    return
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(outer)
        raise RuntimeError("the drivers call themselves without end in one instant")
