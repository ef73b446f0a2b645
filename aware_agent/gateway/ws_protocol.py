"""uvicorn's WebSocket protocol; lets a close overtake a client that does not read. Loaded with the first client."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABORT_S = 30.0


class GatewayWebSocket(WebSocketsSansIOProtocol):
    """Sends a close frame even while writing is paused: it is small, and it says from where to resume."""

    async def send(self, message: Any) -> None:
        """ASGI send."""
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(ABORT_S, self.transport.abort)
        await super().send(message)
