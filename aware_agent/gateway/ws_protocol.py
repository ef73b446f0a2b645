"""uvicorn's WebSocket protocol; lets a close overtake a client that does not read. Loaded with the first client."""

from __future__ import annotations

from typing import Any

from aware_agent.gateway.limits import Limits
from aware_agent.gateway.proxy_protocol import Source
from aware_agent.postponed import without_its_start

with without_its_start("uvicorn"):  # as in uvicorn_parts, which everybody loads: here a client is needed first
    from uvicorn.protocols.utils import ClientDisconnected
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABORT_S = 30.0


class GatewayWebSocket(WebSocketsSansIOProtocol):
    """Sends a close frame even while writing is paused: it is small, and it says from where to resume.

    uvicorn itself closes on a broken protocol, a missing pong and at shutdown, without telling the application at
    once. What that still sends goes to a client that is gone, which is no mistake of the application.
    """

    source: Source | None = None
    ticket: object = None
    limits: Limits | None = None
    _closed_by_app = False

    def connection_made(self, transport: Any) -> None:
        """Its ticket is the one its first request came with."""
        super().connection_made(transport)
        if self.source is not None:
            self.client = (self.source.address, self.source.port)
        if self.limits is not None:
            self.limits.connections.bind(self.ticket, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        super().connection_lost(exc)
        if self.limits is not None:
            self.limits.connections.release(self.ticket)

    def idle(self) -> bool:
        """Never: it waits for events."""
        return False

    def abort(self) -> None:
        """End it at once."""
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """ASGI send."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await self.writable.wait()
        if not self._closed_by_app and (self.close_sent or self.transport.is_closing()):
            raise ClientDisconnected
        if message["type"] == "websocket.close":
            self._closed_by_app = True
            self.loop.call_later(ABORT_S, self.transport.abort)
        await super().send(message)
