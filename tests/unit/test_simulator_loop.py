"""The loop that drivers run on in virtual time: its clock, its order, and what stops it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aware_agent.simulator.clock import Queue
from aware_agent.simulator.loop import HostLoop


class Host:
    """A loop whose timers ring in time, and what happened on it when."""

    def __init__(self, rate: float = 1.0) -> None:
        self.queue = Queue()
        self.seen: list[tuple[float, str]] = []
        self.faults: list[dict[str, Any]] = []
        self.loop = HostLoop(  # type: ignore[abstract]
            self.queue, rate, lambda low, high: 0.0, self.faults.append, lambda: None
        )

    def note(self, what: str) -> None:
        self.seen.append((round(self.queue.now, 6), what))

    def run(self, work: Any, seconds: float = 10.0) -> None:
        self.loop.call_soon(self.loop.create_task, work)
        self.queue.run(self.queue.now + seconds)


def test_a_fast_clock_rings_early() -> None:
    host = Host(rate=1.25)

    async def wait() -> None:
        begin = asyncio.get_running_loop().time()
        await asyncio.sleep(5)
        assert asyncio.get_running_loop().time() == pytest.approx(begin + 5)
        host.note("rang")

    host.run(wait())
    assert host.seen == [(4.0, "rang")]
    assert not host.faults


def test_time_outs_events_and_tasks_work_as_on_any_loop() -> None:
    host = Host()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            host.note("ended")

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await never()
        done, _ = await asyncio.wait([asyncio.create_task(asyncio.sleep(n)) for n in (1, 2)], timeout=1.5)
        host.note(f"{len(done)} done")

    host.run(main())
    assert host.seen == [(3.0, "ended"), (4.5, "1 done")]
    host.loop.end()


def test_frozen_it_calls_nothing_and_then_all_in_order_but_what_goes_first() -> None:
    host = Host()
    for at in (1.0, 2.0, 3.0):
        host.loop.call_later(at, host.note, f"due at {at:g}")
    host.queue.run(1.5)
    host.loop.freeze()
    host.queue.run(5.0)
    assert host.seen == [(1.0, "due at 1")]
    host.loop.call_first(host.note, "first")
    host.loop.thaw()
    host.queue.run(6.0)
    assert host.seen[1:] == [(5.0, "first"), (5.0, "due at 2"), (5.0, "due at 3")]


def test_a_process_that_is_gone_cleans_up_and_does_nothing_more() -> None:
    host = Host()

    async def child() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            host.note("child ended")

    async def parent() -> None:
        task = asyncio.create_task(child())
        try:
            await asyncio.sleep(100)
        finally:
            task.cancel()
            await asyncio.wait([task])
            host.note("parent ended")

    host.run(parent(), 1.0)
    host.loop.call_later(1, host.note, "too late")
    host.loop.end()
    host.queue.run(200.0)
    assert host.seen == [(1.0, "child ended"), (1.0, "parent ended")]
    assert not host.faults


def test_drivers_that_call_themselves_without_end_are_stopped() -> None:
    host = Host()

    def again() -> None:
        host.loop.call_soon(again)

    host.loop.call_soon(again)
    with pytest.raises(RuntimeError, match="without end"):
        host.queue.run(1.0)
