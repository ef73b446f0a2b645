"""The event loop of our processes: uvloop, told which of its errors is none."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop for :class:`asyncio.Runner`."""
    import uvloop

    loop = uvloop.new_event_loop()
    loop.set_exception_handler(_told)
    return loop


def _told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if is_late_read(context):
        log.debug("data came in on a connection that was closed in the same moment")
        return
    loop.default_exception_handler(context)


def is_late_read(context: dict[str, Any]) -> bool:
    """Whether uvloop only says that both ends closed at once: what it read then, it answers on a closed transport.

    Everybody who waited for that connection has heard of its end already.
    """
    error = context.get("exception")
    return (
        str(context.get("message", "")).startswith("Fatal error on SSL protocol")
        and isinstance(error, RuntimeError)
        and str(error).endswith("the handler is closed")
    )
