"""Gateway addresses a newcomer was told or remembers, and which of them can be reached."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from urllib.parse import urlsplit

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.urls import gateway_url

_MAX_AT_ONCE = 16


def seed_url(text: str) -> str:
    """``host:port`` or ``https://host:port`` as a base URL. Raises :class:`InvalidInput` for anything else."""
    url = gateway_url(text if "://" in text else f"https://{text}" if ":" in text else "")
    if not url:
        # Not the whole text: it may carry a password.
        raise InvalidInput(
            f"seed {text.rpartition('@')[2]!r} is not a gateway address",
            field="discovery.seeds",
            hint="write https://host:port",
        )
    return url


async def reachable(urls: Iterable[str], timeout_s: float) -> tuple[str, ...]:
    """Those of ``urls`` that accept a TCP connection, in their order.

    Who is behind them is for the join to find out: only the CA pin can tell.
    """
    unique = list(dict.fromkeys(urls))
    turns = asyncio.Semaphore(_MAX_AT_ONCE)
    answers = await asyncio.gather(*(_accepts(url, timeout_s, turns) for url in unique))
    return tuple(url for url, accepted in zip(unique, answers, strict=True) if accepted)


async def _accepts(url: str, timeout_s: float, turns: asyncio.Semaphore) -> bool:
    parts = urlsplit(url)
    async with turns:
        try:
            async with asyncio.timeout(timeout_s):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError:  # TimeoutError is one
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
