"""What a check of the election reports of what its clients saw."""

from __future__ import annotations

import math

import pytest

from aware_agent.check.report import Seen, judge
from aware_agent.check.workload import Accepted
from aware_agent.colony.linear import Operation


def seen(*history: Operation, accepted: list[Accepted] | None = None, **more: object) -> Seen:
    times = accepted if accepted is not None else [Accepted(one.end, 5, "a") for one in history if one.kind != "read"]
    return Seen(colony="demo", clients=2, began=100.0, ended=110.0, history=history, accepted=times, **more)  # type: ignore[arg-type]


def write(value: int, start: float, end: float, client: int = 1) -> Operation:
    return Operation("write", value, start, end, client=client)


def test_it_counts_every_operation_once() -> None:
    report = judge(
        seen(
            write(1, 101, 101.5),
            Operation("cas", 2, 102, 102.1, expected=1, client=2),
            Operation("cas", 3, 103, 103.2, "refused", 1),
            Operation("write", 4, 104, math.inf, "unknown"),
            Operation("read", 2, 103.5, 103.6),
            undone=2,
        )
    )
    assert (report.verdict, report.operations, report.reads, report.writes) == ("ok", 7, 1, 4)
    assert (report.accepted, report.refused, report.unknown, report.unanswered) == (2, 1, 1, 2)
    assert report.conditional == 2
    assert report.write_latency is not None
    assert (report.write_latency.p50_s, report.write_latency.max_s) == pytest.approx((0.1, 0.5))
    assert report.read_latency is not None
    assert report.read_latency.p95_s == pytest.approx(0.1)


def test_the_longest_gap_includes_both_ends() -> None:
    times = [Accepted(99.0, 5, "a"), Accepted(101.0, 5, "a"), Accepted(104.5, 5, "a"), Accepted(108, 5, "a")]
    assert judge(seen(write(1, 100.5, 101), accepted=times)).longest_gap_s == pytest.approx(3.5)
    assert judge(seen(write(1, 100.5, 101), accepted=times[:2])).longest_gap_s == pytest.approx(9.0)


def test_each_change_of_queen_is_told_with_its_gap() -> None:
    accepted = [
        Accepted(99.0, 5, "a"),
        Accepted(101.0, 5, "a"),
        Accepted(103.0, 9, "b"),
        Accepted(103.1, 5, ""),  # an answer of before that came late
        Accepted(103.5, 9, ""),
        Accepted(106.0, 12, ""),
    ]
    first, second = judge(seen(write(1, 100.5, 101), accepted=accepted, asked=[9])).changes
    assert (first.from_queen, first.from_term, first.to_queen, first.to_term) == ("a", 5, "b", 9)
    assert (first.at_s, first.gap_s, first.asked) == (3.0, 2.0, False)
    assert (second.from_queen, second.to_queen, second.gap_s, second.asked) == ("b", "", 2.5, True)


def test_a_violation_is_shown_by_its_operations() -> None:
    report = judge(
        seen(
            write(1, 101, 102),
            write(2, 103, 104),
            Operation("read", 1, 105, 106, client=2),
            write(3, 107, 108),
        )
    )
    assert report.verdict == "violation"
    assert [(one.kind, one.value, one.client) for one in report.violation] == [
        ("write", 1, 1),
        ("write", 2, 1),
        ("read", 1, 2),
    ]
    assert [(one.begin_s, one.end_s) for one in report.violation] == [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]


def test_two_writes_with_the_same_precondition_that_both_succeed_are_a_violation() -> None:
    first = Operation("cas", 2, 103, 104, expected=1)
    report = judge(seen(write(1, 101, 102), first, Operation("cas", 3, 105, 106, expected=1)))
    assert report.verdict == "violation"
    assert {one.expected for one in report.violation if one.kind == "cas"} == {1}


def test_where_nothing_was_accepted_nothing_is_proved() -> None:
    report = judge(seen(Operation("read", 0, 101, 102), Operation("write", 1, 103, math.inf, "unknown"), accepted=[]))
    assert (report.verdict, report.write_latency) == ("undecided", None)
    assert report.longest_gap_s == pytest.approx(10.0)
