"""What a server is doing at the moment, so that a stop ends it with an answer instead of an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aware_agent.gateway.asgi import App, Message, Receive, Scope, Send, refuse
from aware_agent.gateway.asking import request_id
from aware_agent.gateway.errors import Stopping


class _Request:
    """A request that runs: whether its answer has begun, and whether it was told to end."""

    __slots__ = ("_send", "ended", "silent")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self.silent = scope["type"] == "http"  # nothing was said to the client yet
        self.ended = False

    def send(self, message: Message) -> Awaitable[None]:
        """ASGI send."""
        self.silent = False
        return self._send(message)


class Running:
    """ASGI layer around everything a server serves."""

    def __init__(self, app: App, node: str) -> None:
        self._app, self._node = app, node
        self._requests: dict[asyncio.Task[None], _Request] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        task = asyncio.current_task()
        assert task is not None
        request = self._requests[task] = _Request(scope, send)
        try:
            await self._app(scope, receive, request.send)
        except asyncio.CancelledError:
            if not request.ended:
                raise
            task.uncancel()
            if request.silent:
                await refuse(send, Stopping(scope["method"]), self._node, request_id(scope))
        finally:
            del self._requests[task]

    async def refuse_waiting(self, seconds: float) -> int:
        """End the requests that were not answered yet with a problem; returns how many. Takes at most ``seconds``."""
        return await self._end([task for task, request in self._requests.items() if request.silent], seconds)

    async def end(self, seconds: float) -> int:
        """End all others, whose connections are gone already; returns how many. Takes at most ``seconds``."""
        return await self._end(list(self._requests), seconds)

    async def _end(self, tasks: list[asyncio.Task[None]], seconds: float) -> int:
        new = [task for task in tasks if not self._requests[task].ended]
        for task in new:
            self._requests[task].ended = True
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        return len(new)
