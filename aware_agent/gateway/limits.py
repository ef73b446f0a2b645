"""What a listener allows its clients, and the sweep that ends those who take too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec

from aware_agent.agent.settings import GatewaySettings
from aware_agent.gateway.connections import Connections

SWEEP_S = 0.5


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    connections: Connections
    first_request_s: float  # from the first byte of a connection, or of a further request, to the end of its head
    idle_s: float  # between two requests
    body_s: float  # for a whole body
    head_bytes: int
    proxies: tuple[str, ...] = ()


def limits_of(settings: GatewaySettings) -> Limits:
    """As the settings have them."""
    return Limits(
        connections=Connections(settings.max_connections, settings.max_connections_per_source),
        first_request_s=settings.first_request_timeout_s,
        idle_s=settings.idle_timeout_s,
        body_s=settings.body_timeout_s,
        head_bytes=settings.max_head_bytes,
        proxies=settings.proxies,
    )


async def sweep(connections: Collection[Any], somebody: Callable[[], Awaitable[object]]) -> None:
    """End, for ever, whatever is past its ``due``; ``connections`` is read anew each time.

    While there are none it waits for ``somebody`` to connect: a quiet node would look for nothing twice a second.
    """
    loop = asyncio.get_running_loop()
    while True:
        if not connections:
            await somebody()
        await asyncio.sleep(SWEEP_S)
        now = loop.time()
        for connection in list(connections):
            if getattr(connection, "due", now) < now:
                connection.transport.abort()
