"""Supervision: a duty that fails or ends is never silent, of a node and of a reign alike."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from aware_agent.agent.duties import Duty, DutyEnded, run_duties
from tests.memory_colony import MemoryColony

LIMIT_S = 60.0
DUTIES = (
    "_reconciler", "_jobs", "_operations", "_backups", "_webhooks", "_users", "_rotation", "_council", "_drain",
    "_audit", "_syslog", "_limits", "_scaling", "_servers",
)  # fmt: skip


class Work:
    """Lasts until it is told to end or cancelled."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.told = error, asyncio.Event()
        self.running = self.cancelled = False

    async def run(self) -> None:
        self.running = True
        try:
            await self.told.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error


async def nothing() -> None:
    return None


async def test_the_first_that_fails_is_told_and_ends_the_others() -> None:
    good, bad = Work(), Work(ZeroDivisionError("bug"))
    bad.told.set()
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(ZeroDivisionError):
            await run_duties([Duty("good", good.run), Duty("bad", bad.run)], asyncio.Event(), nothing)
    assert good.cancelled


async def test_one_that_only_ends_is_named() -> None:
    good, ends = Work(), Work()
    ends.told.set()
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(DutyEnded, match="backups ended"):
            await run_duties([Duty("good", good.run), Duty("backups", ends.run)], asyncio.Event(), nothing)
    assert good.cancelled


async def test_told_to_stop_they_run_until_all_is_wound_up() -> None:
    work, stop, seen = Work(), asyncio.Event(), []

    async def wind_up() -> None:
        seen.append((work.running, work.cancelled))

    async with asyncio.timeout(LIMIT_S):
        running = asyncio.create_task(run_duties([Duty("work", work.run)], stop, wind_up))
        while not work.running:
            await asyncio.sleep(0)
        stop.set()
        await running
    assert seen == [(True, False)]
    assert work.cancelled


@pytest.mark.parametrize("broken", DUTIES)
async def test_whichever_duty_of_a_reign_breaks_the_reign_knows(broken: str) -> None:
    """A reign that goes on without one of them looks well and is not."""
    colony = MemoryColony()
    colony.put_ca()
    colony.begin_reign(0)
    reign = colony.reign()
    for name in DUTIES:
        work = Work(ZeroDivisionError(name) if name == broken else None)
        if name == broken:
            work.told.set()
        setattr(getattr(reign, name), "run", work.run)  # noqa: B010  # each is of a type of its own
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(ZeroDivisionError, match=broken):
            await reign.run()


def test_no_duty_of_a_reign_is_left_out() -> None:
    colony = MemoryColony()
    colony.put_ca()
    colony.begin_reign(0)
    found = set()
    for name, part in vars(colony.reign()).items():
        run = getattr(part, "run", None)
        if inspect.iscoroutinefunction(run) and not inspect.signature(run).parameters:
            found.add(name)
    assert found == set(DUTIES)
