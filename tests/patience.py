"""Waiting for real things: hosts, servers, colonies."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# A colony in which nothing but what a test does ends a reign or makes a node suspect, however busy the machine is.
# A process that dies is still known at once: its channels end.
UNHURRIED = {"timing": {"queen_ttl_s": 60, "suspect_after_s": 20.0, "margin_s": 2.0, "presence_ttl_s": 60}}


def eventually(done: Callable[[], Any], what: str, limit_s: float = 180) -> Any:
    """The first true answer of ``done``; the test fails with ``what`` when there is none."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if answer := done():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"after {limit_s:.0f} s: {what}")


def comes_to(ask: Callable[[], Any], wanted: Any, limit_s: float = 180) -> None:
    """``ask`` says ``wanted``, at last: what is seen of others at one moment depends on how busy the machine is."""
    said: list[Any] = []

    def done() -> bool:
        said[:] = [ask()]
        return bool(said[0] == wanted)

    try:
        eventually(done, "", limit_s)
    except AssertionError:
        raise AssertionError(f"after {limit_s:.0f} s: {said[0]!r}, not {wanted!r}") from None
