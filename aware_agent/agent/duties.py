"""Supervision of what a node does all the time: a duty that ends or fails ends the node, loudly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from aware_agent.colony.errors import AwareError


class DutyEnded(AwareError):
    """A part of the agent stopped that never should."""

    code = "duty-ended"
    exit_code = 70


class Duty(NamedTuple):
    """Something that runs until it is cancelled."""

    name: str
    run: Callable[[], Awaitable[None]]


async def run_duties(duties: Sequence[Duty], stop: asyncio.Event, wind_up: Callable[[], Awaitable[None]]) -> None:
    """Run all until ``stop`` is set, then ``wind_up`` while they still run, then cancel them.

    The first duty to fail raises its error here; one that returns raises :class:`DutyEnded`.
    """
    tasks = {asyncio.ensure_future(duty.run()): duty.name for duty in duties}
    waiting = asyncio.ensure_future(_set(stop))
    try:
        done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        if waiting in done:
            await wind_up()
            return
        failed = next(iter(done))
        failed.result()
        raise DutyEnded(f"{tasks[failed]} ended")
    finally:
        waiting.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(waiting, *tasks, return_exceptions=True)


async def _set(event: asyncio.Event) -> None:
    await event.wait()
