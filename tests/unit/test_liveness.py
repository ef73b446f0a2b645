"""Who is alive: every status against every kind of presence."""

from __future__ import annotations

import pytest
from colony_support import a_record, a_report, records

from aware_agent.colony.liveness import judge
from aware_agent.colony.node import Record, Report, Status

READY, SUSPECT, DEAD, LEFT = Status.READY, Status.SUSPECT, Status.DEAD, Status.LEFT
SINCE, DEAD_AFTER = 1000.0, 10.0
SOON, LATE = SINCE + DEAD_AFTER - 0.001, SINCE + DEAD_AFTER
HERE = a_record("n").report
LEAVING = a_report("n", leaving=True)


def at(status: Status) -> Record:
    return a_record("n", status=status, status_since=SINCE)


@pytest.mark.parametrize(
    ("status", "present", "now", "after"),
    [
        (READY, HERE, LATE, None),
        (READY, None, LATE, SUSPECT),
        (READY, LEAVING, LATE, LEFT),
        (SUSPECT, HERE, SOON, READY),
        (SUSPECT, None, SOON, None),
        (SUSPECT, None, LATE, DEAD),
        (SUSPECT, LEAVING, SOON, LEFT),
        (DEAD, HERE, LATE, READY),
        (DEAD, None, LATE + 9999, None),
        (DEAD, LEAVING, LATE, LEFT),
        (LEFT, HERE, LATE, READY),
        (LEFT, None, LATE + 9999, None),
        (LEFT, LEAVING, LATE, LEFT),
    ],
)
def test_table(status: Status, present: Report | None, now: float, after: Status | None) -> None:
    judgement = judge(records(at(status)), {"n": present} if present else {}, now, DEAD_AFTER)
    assert [v.status for v in judgement.verdicts] == ([after] if after else [])
    for verdict in judgement.verdicts:
        assert verdict.message.startswith("n ")
        assert verdict.changed_status is (after is not status)
        assert verdict.report == (present or HERE), "the last known report is kept"


def test_a_new_report_of_a_ready_node_is_recorded_without_a_change_of_status() -> None:
    anew = a_report("n", config_version=2)
    (verdict,) = judge(records(at(READY)), {"n": anew}, LATE, DEAD_AFTER).verdicts
    assert (verdict.status, verdict.changed_status, verdict.report) == (READY, False, anew)
    assert verdict.message == "n reports anew"


def test_the_sentence_of_death_says_how_long() -> None:
    (verdict,) = judge(records(at(SUSPECT)), {}, SINCE + 12.4, DEAD_AFTER).verdicts
    assert verdict.message == "n is dead: silent for 12 s"


def test_judge_again_at_the_first_deadline() -> None:
    given = records(
        a_record("a", status=SUSPECT, status_since=SINCE),
        a_record("b", status=SUSPECT, status_since=SINCE - 5),
        a_record("c", status=READY),
    )
    judgement = judge(given, {"c": a_record("c").report or HERE}, SINCE + 1, DEAD_AFTER)
    assert judgement.again_at == SINCE + 5
    assert judge(records(at(READY)), {}, SINCE, DEAD_AFTER).again_at == SINCE + DEAD_AFTER, "suspect since now"
    assert judge(records(at(DEAD)), {}, SINCE, DEAD_AFTER).again_at is None


def test_judging_again_at_that_time_comes_to_an_end() -> None:
    judgement = judge(records(at(SUSPECT)), {}, SINCE, DEAD_AFTER)
    assert judgement.again_at is not None
    later = judge(records(at(SUSPECT)), {}, judgement.again_at, DEAD_AFTER)
    assert [v.status for v in later.verdicts] == [DEAD]
    assert later.again_at is None


def test_presence_without_a_record_is_nobodys_node() -> None:
    assert judge({}, {"stranger": a_report("stranger")}, SINCE, DEAD_AFTER).verdicts == ()


@pytest.mark.parametrize("leaving", [None, True], ids=["silent", "said good-bye"])
def test_who_restarts_because_that_was_ordered_is_not_missed_until_it_is_late(leaving: bool | None) -> None:
    records = {"n1": a_record("n1"), "n2": a_record("n2")}
    here = {"n2": a_report("n2")} | ({"n1": a_report("n1", leaving=True)} if leaving else {})
    meanwhile = judge(records, here, 100.0, 30.0, {"n1": 120.0})
    assert [verdict.node for verdict in meanwhile.verdicts if verdict.changed_status] == []
    assert meanwhile.again_at == 120.0
    late = judge(records, here, 121.0, 30.0, {"n1": 120.0})
    assert [verdict.node for verdict in late.verdicts if verdict.changed_status] == ["n1"]
    back = judge(records, {"n1": a_report("n1"), "n2": a_report("n2")}, 102.0, 30.0, {"n1": 120.0})
    assert not [verdict for verdict in back.verdicts if verdict.changed_status]
