"""When a node looks after a channel: not before it is time, and not twice for one time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest
from channel_support import node_id
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.channel.client import Channel
from aware_agent.channel.frames import Seat


class Loop:
    """An event loop as far as timers go; it notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def call_later(self, delay: float, _call: Callable[..., object], *_args: object) -> Loop:
        self.asked.append(delay)
        return self

    def cancel(self) -> None:
        """A timer of it, taken back."""


def channel(loop: Loop, now: float) -> Channel:
    member = Seat(id=node_id(0), name="m", url="https://127.0.0.1:1", channel="127.0.0.1:2")
    return Channel(member, None, "council.lab.aware", clock=lambda: now)  # type: ignore[arg-type]


@given(now=st.floats(0, 1e6), ahead=st.floats(1e-6, 20))
def test_a_loop_that_counts_whole_milliseconds_wakes_it_when_it_is_time(now: float, ahead: float) -> None:
    """Such a loop begins to count at the last whole millisecond: an early tick would come again at once, many times."""
    loop = Loop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "get_running_loop", lambda: loop)
        channel(loop, now)._wake_at(now + ahead)
    [delay] = loop.asked
    wakes = math.floor(now * 1000) + round(delay * 1000)
    assert wakes >= (now + ahead) * 1000 - 1e-4
    assert delay <= ahead + 0.003


def test_one_time_is_waited_for_once() -> None:
    loop = Loop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "get_running_loop", lambda: loop)
        one = channel(loop, 10.0)
        for when in (11.0, 11.0, 12.0, 12.0, 9.0):
            one._wake_at(when)
    assert len(loop.asked) == 3
    assert loop.asked[-1] == 0.0, "what is due already is due now"
