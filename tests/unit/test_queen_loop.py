"""The queen's steady work is one loop: when it looks again, what it does about failures, how it ends."""

from __future__ import annotations

import ast
import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import aware_agent
from aware_agent.colony.errors import Conflict, Deposed
from aware_agent.queen.loop import Loop

PACKAGE = Path(aware_agent.__file__).parent


class Work:
    """Passes that end as they are told, the last one again and again."""

    def __init__(self, *ends: float | Exception | None) -> None:
        self.ends = list(ends)
        self.passes = 0

    async def once(self) -> float | None:
        end = self.ends[min(self.passes, len(self.ends) - 1)]
        self.passes += 1
        if isinstance(end, Exception):
            raise end
        return end

    async def reached(self, passes: int) -> None:
        async with asyncio.timeout(60):
            while self.passes < passes:
                await asyncio.sleep(0.01)


async def ran(loop: Loop, until: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.create_task(loop.run())
    try:
        await until()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_loop_looks_again_in_time_and_when_nudged() -> None:
    work = Work(0.0, 0.01, None)
    loop = Loop("work", work.once, retry_s=60, broken_s=60)

    async def until() -> None:
        await work.reached(3)
        loop.refresh()
        await work.reached(4)

    await ran(loop, until)


async def test_a_refresh_during_a_pass_is_not_lost() -> None:
    passes = 0

    async def once() -> None:
        nonlocal passes
        passes += 1
        if passes == 1:
            loop.refresh()

    loop = Loop("work", once, retry_s=60, broken_s=60)

    async def until() -> None:
        async with asyncio.timeout(60):
            while passes < 2:
                await asyncio.sleep(0.01)

    await ran(loop, until)


async def test_failures_are_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    work = Work(Conflict("full"), Conflict("full"), Conflict("locked"), 0.0, Conflict("locked"), None)
    await ran(Loop("work", work.once, retry_s=0.0, broken_s=60), lambda: work.reached(6))
    assert [record.getMessage() for record in caplog.records] == [
        "work: full; trying again",
        "work: locked; trying again",
        "work: locked; trying again",
    ]


async def test_a_bug_is_survived_or_handed_on_as_its_owner_says(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(ZeroDivisionError("bug"), None)
    await ran(Loop("work", work.once, retry_s=60, broken_s=0.0), lambda: work.reached(2))
    assert "work broke" in caplog.text
    with pytest.raises(ZeroDivisionError):
        await Loop("work", Work(ZeroDivisionError("bug")).once, retry_s=0.0, broken_s=None).run()


async def test_the_end_of_the_reign_ends_it() -> None:
    with pytest.raises(Deposed):
        await Loop("work", Work(0.0, Deposed(7)).once, retry_s=0.0, broken_s=0.0).run()


def calls(path: Path) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def test_the_queen_has_no_other_loop_of_the_kind() -> None:
    waiting = {p.name for p in (PACKAGE / "queen").rglob("*.py") if "asyncio.Event" in calls(p)}
    # A reign has an end to wait for, commands wait for a reign, and a job for who cancels it: none is steady work.
    assert waiting == {"loop.py", "reign.py", "reigns.py", "worker.py"}


def test_events_are_built_in_one_place() -> None:
    def imports_it(path: Path) -> bool:
        return any(
            isinstance(node, ast.ImportFrom)
            and node.module == "aware_agent.colony.event"
            and any(alias.name == "Event" for alias in node.names)
            for node in ast.walk(ast.parse(path.read_text()))
        )

    builders = {
        str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if imports_it(path) and "Event" in calls(path)
    }
    assert builders == set()
    assert calls(PACKAGE / "colony" / "event.py").count("Event") == 1
