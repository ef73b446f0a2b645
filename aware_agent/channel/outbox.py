"""Frames that wait to be sent on one channel: few, and not for long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

MAX_WAITING = 64
MAX_WAITING_BYTES = 512 * 1024
SEND_S = 10.0  # longest time the other side may take for one frame


class Outbox:
    """Sends in order without making anybody wait. ``slow`` is called once when the other side does not keep up.

    There is a task only while something waits, so that a thousand quiet channels cost none.
    """

    __slots__ = ("_bytes", "_closed", "_slow", "_stream", "_waiting", "_writer")

    def __init__(self, stream: Connection, slow: Callable[[], None]) -> None:
        self._stream = stream
        self._slow = slow
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    def put(self, raw: bytes) -> bool:
        """Send ``raw`` after what waits already. False when it is not: closed, or the other side is too slow."""
        if self._closed:
            return False
        if len(self._waiting) >= MAX_WAITING or self._bytes + len(raw) > MAX_WAITING_BYTES:
            self._give_up()
            return False
        self._waiting.append(raw)
        self._bytes += len(raw)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())
        return True

    @property
    def waiting(self) -> bool:
        """Whether something was not sent yet."""
        return self._writer is not None

    async def flush(self) -> None:
        """Wait until nothing waits any more."""
        if self._writer is not None:
            await asyncio.wait([self._writer])

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True
        self._waiting.clear()
        if self._writer is not None:
            self._writer.cancel()

    async def _write(self) -> None:
        try:
            while self._waiting:
                raw = self._waiting.popleft()
                self._bytes -= len(raw)
                async with asyncio.timeout(SEND_S):
                    await self._stream.send(raw)
        except TimeoutError:
            self._give_up()
        except ConnectionClosed:
            self._closed = True
        finally:
            self._writer = None

    def _give_up(self) -> None:
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self._slow()
