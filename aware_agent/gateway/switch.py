"""One door, two rooms: requests go to the worker's signpost or, during a reign, to the queen's gateway."""

from __future__ import annotations

from typing import Protocol

from aware_agent.gateway.asgi import App, Receive, Scope, Send


class Reign(Protocol):
    """A queen's gateway for one reign: an ASGI application that can end its live streams."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""

    async def close(self, reason: str) -> None:
        """End all live streams with ``reason``, so that their clients reconnect. Bounded time; idempotent."""


class GatewaySwitch:
    """ASGI application given to the server once; what stands behind it changes with every reign."""

    def __init__(self, worker: App) -> None:
        self._worker = worker
        self._reign: Reign | None = None

    @property
    def reigning(self) -> bool:
        """True while requests go to a queen's gateway."""
        return self._reign is not None

    def begin(self, reign: Reign) -> None:
        """From the next request on, ``reign`` answers. Raises RuntimeError when one does already."""
        if self._reign is not None:
            raise RuntimeError("a reign has begun already; end it first")
        self._reign = reign

    async def end(self, reason: str = "the reign ended") -> None:
        """From the next request on, the worker answers; then end the streams of the reign. Idempotent."""
        reign, self._reign = self._reign, None
        if reign is not None:
            await reign.close(reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request or connection on."""
        await (self._reign or self._worker)(scope, receive, send)
