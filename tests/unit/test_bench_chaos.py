"""How chaos judges, and what it keeps of a long run; that it breaks things is for ``make chaos``."""

from __future__ import annotations

import random
import struct

import msgspec
import pytest

from bench import late_packets
from bench.chaos import FAULTS, shuffled
from bench.chaos_clients import AcceptedWrites
from bench.chaos_faults import Scene
from bench.chaos_report import Change, Mark, Report, Tally


def tally() -> Tally:
    tally = Tally(Report(bench="chaos", settings="3 nodes", started=0.0))
    tally.began = 100.0
    tally.now = lambda: 20.5  # type: ignore[method-assign]
    return tally


def mark(kind: str, at: float, gap: float, **more: object) -> Mark:
    values = {"until": at + 1, "whole_s": 1.0, "term": 4, "new_term": 4, "load": 1.0, "queen": "a", "struck": ["a"]}
    return msgspec.convert({"kind": kind, "at": at, "gap": gap, **values, **more}, Mark)


def test_every_fault_comes_as_often_as_the_others():
    names = shuffled(sorted(FAULTS), random.Random(1))
    assert sorted(next(names) for _ in FAULTS) == sorted(FAULTS)


def test_a_queen_without_a_seat_is_no_member():
    scene = Scene(None, "d", ["a", "b", "c"], "a", random.Random(1), [])  # type: ignore[arg-type]
    assert all(scene.subject() != "d" for _ in range(50))
    assert len(scene.struck) == 50


@pytest.mark.parametrize(
    ("revision", "value", "lost"),
    [(7, 2, 0), (9, 3, 0), (5, 1, 1), (7, 1, 1)],
    ids=["what was accepted", "something newer", "something older", "something else"],
)
def test_a_read_is_held_against_what_was_accepted_before(revision: int, value: int, lost: int):
    kept = AcceptedWrites()
    kept.accepted(5, 1)
    kept.accepted(7, 2)
    kept.read(revision, value, kept.newest)
    assert len(kept.lost) == lost


def test_a_read_that_began_before_the_write_may_be_older():
    kept = AcceptedWrites()
    kept.accepted(5, 1)
    known = kept.newest
    kept.accepted(7, 2)
    kept.read(5, 1, known)
    assert kept.lost == []


def test_gaps_and_availability():
    play = tally()
    play.wrote([100.5, 101.2, 102.4, 109.9])
    play.wrote([110.0 + number / 2 for number in range(20)])
    assert play.longest_gap(2.0, 10.0) == pytest.approx(7.5)
    assert play.longest_gap(10.0, 19.0) == pytest.approx(0.5)
    play.report.marks = [mark("cut", 2.0, 7.5, until=10.0, new_term=9), mark("cut", 12.0, 0.5, lost_writes=2)]
    play.report.false_failovers = [Change(at=15.0, term=9, new_term=11, why=["nobody knows"])]
    report = play.finish()
    assert report.writes == [1, 1, 1, 0, 0, 0, 0, 0, 0, 1, *[2] * 10, 0]
    assert report.available == 14 / 20
    assert report.available_when_calm == 1.0
    kind = report.faults["cut"]
    assert (kind.count, kind.gap_max, kind.reigns_ended, kind.lost_writes) == (2, 7.5, 1, 2)


def test_a_report_is_read_as_it_was_written(tmp_path):
    play = tally()
    play.report.marks = [mark("cut", 2.0, 7.5)]
    path = tmp_path / "report.json"
    play.finish().write(path)
    assert msgspec.json.decode(path.read_bytes(), type=Report) == play.report


def test_the_kernels_messages_of_packets():
    header = struct.pack("=HHII", late_packets._SUBSYSTEM | late_packets._PACKET, 0, 0, 0)
    family = struct.pack(">BBH", 2, 0, 7)
    packet = late_packets._attribute(1, struct.pack(">IHB", 41, 0x0800, 1)) + late_packets._attribute(9, b"\0" * 8)
    one = struct.pack("=I", 16 + len(family) + len(packet)) + header + family + packet
    error = struct.pack("=IHHII", 20, 2, 0, 0, 0) + b"\0" * 4
    assert late_packets._numbers(one + error + one.replace(struct.pack(">I", 41), struct.pack(">I", 42))) == [41, 42]
