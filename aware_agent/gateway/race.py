"""A live stream ends when we have said everything or the client has gone, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_either(
    pump: Coroutine[Any, Any, None], gone: Coroutine[Any, Any, None], harmless: tuple[type[Exception], ...]
) -> None:
    """Run both until one ends, then cancel the other. Raises what either raised unless it is ``harmless``."""
    tasks = [asyncio.create_task(pump), asyncio.create_task(gone)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, harmless):
            raise result
