"""Which of two workers with one identity gives way: the one that the queen does not hear."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from aware_agent.agent import worker as workers
from aware_agent.agent.parts import IdentityInUse
from aware_agent.agent.worker import Worker
from aware_agent.channel.frames import Announcement, Goodbye, Seat, Why
from aware_agent.colony.connection import Phase

QUEEN = Seat(id="q", name="queen", url="https://q", channel="q:8444")
SECOND = Goodbye(why=Why.TWIN, text="another process with this identity is connected")


def worker(*reached: str) -> Any:
    """One that has channels to these members."""
    made: Any = Worker.__new__(Worker)
    made.name = "db"
    made.channels = SimpleNamespace(reaches=lambda member: member in reached)
    made._council = Announcement(term=1, queen=QUEEN, heir=None)
    made._twin_since, made._failure, made._stop, made._doubt = None, None, asyncio.Event(), asyncio.Event()
    return made


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.mark.parametrize(("reached", "ends"), [((), True), (("heir",), True), (("q",), False), (("q", "heir"), False)])
def test_whom_the_queen_hears_stays(clock: list[float], reached: tuple[str, ...], ends: bool) -> None:
    made = worker(*reached)
    for _ in range(3):
        made._hear(SECOND)
        clock[0] += workers.TWIN_S - 1
    assert made._stop.is_set() is ends
    assert isinstance(made._failure, IdentityInUse) is ends


def test_what_was_long_ago_does_not_count(clock: list[float]) -> None:
    """Refused at its start for its silent predecessor, and then once more after months."""
    made = worker("q")
    made.channels.reaches = lambda _member: False
    made._hear(SECOND)
    made.channels.reaches = lambda member: member == "q"
    made._look_at(SimpleNamespace(state=SimpleNamespace(phase=Phase.OPEN)))
    clock[0] += 1e7
    made.channels.reaches = lambda _member: False
    made._hear(SECOND)
    assert not made._stop.is_set()
