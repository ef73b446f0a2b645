"""What a member knows of loads: gathered while it reigns, the queen's word else, and never more than there is."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from aware_agent.agent.member import loads as module
from aware_agent.agent.member.loads import LoadBook
from aware_agent.channel.frames import MAX_FRAME, MAX_ROWS, Loads, encode, from_member
from aware_agent.colony.load import UNKNOWN_AFTER_S, Load, Row

QUIET = Load(cpu=100, load=50, memory_used_mib=1000, memory_mib=4000, disk_used_mib=10, disk_mib=100)
BUSY = Load(cpu=900, load=500, memory_used_mib=1000, memory_mib=4000, disk_used_mib=10, disk_mib=100)


class Around:
    """Channels, a meter, a reign and a clock, as a test wants them."""

    def __init__(self, *nodes: str) -> None:
        self.ids = list(nodes)
        self.now, self.term, self.seen_term = 1000.0, 7, 7
        self.open: dict[str, Any] = {}
        self.others: list[Any] = []
        self.meter: Any = SimpleNamespace(look=lambda: 1, load=QUIET, told_at=999.0)
        self.book = LoadBook("me", self, self.meter, lambda: self.term, lambda: self.seen_term, clock=lambda: self.now)
        self.told: list[list[Row]] = []
        self.book.tell = lambda rows: self.told.append(list(rows))

    def hears(self, node: str, load: Load | None, ago: float = 1.0) -> None:
        at = self.now - ago
        self.open[node] = SimpleNamespace(node=node, heard_at=at, told_at=at, load=load)

    def sessions(self) -> Any:
        return self.open.values()

    def members(self) -> Any:
        return self.others

    def nodes(self) -> list[str]:
        return self.ids

    def rows(self) -> dict[str, Row]:
        return {row.node: row for row in self.book.rows()}


class Ear:
    """A member's channel that writes down what it is sent."""

    def __init__(self, *, busy: bool = False) -> None:
        self.busy, self.silent = busy, False
        self.frames: list[Loads] = []

    def send(self, frame: Loads) -> bool:
        self.frames.append(frame)
        return True


def test_a_queen_knows_what_she_hears_and_herself() -> None:
    around = Around("me", "a", "b", "c")
    around.hears("a", BUSY)
    around.hears("b", None, ago=3.0)
    around.hears("stranger", BUSY)
    rows = around.rows()
    assert set(rows) == {"me", "a", "b", "c"}
    assert rows["me"] == Row("me", 0.0, 1.0, QUIET)
    assert rows["a"] == Row("a", 1.0, 1.0, BUSY)
    assert rows["b"] == Row("b", 3.0)
    assert rows["c"] == Row("c"), "nobody heard it: not known, which is not zero"


def test_what_a_node_said_last_is_known_for_a_while_after_its_channel_ended() -> None:
    around = Around("me", "a")
    around.hears("a", BUSY)
    around.book.closed(around.open.pop("a"))
    assert around.rows()["a"].load == BUSY
    around.now += UNKNOWN_AFTER_S
    row = around.rows()["a"]
    assert (row.load, row.heard) == (None, UNKNOWN_AFTER_S + 1.0)
    around.ids.remove("a")
    around.rows()
    around.ids.append("a")
    assert around.rows()["a"] == Row("a"), "of a node that was removed nothing is kept"


def test_who_does_not_reign_has_the_queens_word_and_not_its_own() -> None:
    around = Around("me", "a")
    around.term = 0
    around.hears("a", QUIET)
    assert around.rows() == {"me": Row("me"), "a": Row("a")}
    around.book.learn(Loads(term=7, rows=(Row("a", 2.0, 3.0, BUSY), Row("stranger", 1.0, 1.0, BUSY))))
    around.now += 5
    assert around.rows()["a"] == Row("a", 7.0, 8.0, BUSY)
    for other in (6, 2**50):
        around.book.learn(Loads(term=other, rows=(Row("a", 0.0, 0.0, QUIET),)))
        assert around.rows()["a"].load == BUSY, "another queen's word, or of nobody that etcd knows"
    around.seen_term = 8
    around.book.learn(Loads(term=8, rows=(Row("a", 0.5),)))
    assert around.rows()["a"] == Row("a", 0.5, 8.0, BUSY), "a queen who does not know the load yet takes nothing away"


def test_the_next_queen_begins_with_what_she_was_told_and_what_she_heard_as_heir() -> None:
    around = Around("me", "a", "b")
    around.term = 0
    around.book.learn(Loads(term=7, rows=(Row("a", 4.0, 9.0, BUSY), Row("b", 4.0, 9.0, BUSY))))
    around.hears("b", QUIET)
    around.term = 8
    rows = around.rows()
    assert rows["a"] == Row("a", 4.0, 9.0, BUSY)
    assert rows["b"] == Row("b", 1.0, 1.0, QUIET)


@pytest.mark.parametrize(("nodes", "frames"), [(5, 1), (450, 3)])
async def test_members_are_told_in_slices_and_a_busy_channel_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, nodes: int, frames: int
) -> None:
    monkeypatch.setattr(module, "SLICE_S", 0.0)
    around = Around("me", *(f"n{number}" for number in range(nodes - 1)))
    free, busy = Ear(), Ear(busy=True)
    around.others = [free, busy]
    running = asyncio.create_task(around.book.run())
    async with asyncio.timeout(20):
        while len(free.frames) < frames or not around.told:
            await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    said = free.frames[:frames]
    assert [row for frame in said for row in frame.rows] == around.told[0]
    assert all(len(frame.rows) <= MAX_ROWS and frame.term == 7 for frame in said)
    assert busy.frames == []


def test_a_slice_is_small_and_is_read_as_it_was_written() -> None:
    widest = Load(
        cpu=1000, load=9_999_999, memory_used_mib=2**40, memory_mib=2**40, disk_used_mib=2**40, disk_mib=2**40
    )
    frame = Loads(term=2**50, rows=tuple(Row("0" * 26, 12.345, 67.891, widest) for _ in range(MAX_ROWS)))
    raw = encode(frame)
    assert len(raw) < 24 * 1024 < MAX_FRAME
    assert from_member(raw) == frame
