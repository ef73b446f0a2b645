"""Who was sent away: missed by nobody, and away until told or until the deadline, whatever it does itself."""

from __future__ import annotations

import pytest
from colony_support import a_record, a_report, records

from aware_agent.colony.away import MAX_AWAY_S, MAX_REASON, Away, check_away
from aware_agent.colony.castes import assign
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.liveness import bring_back, judge, send_away
from aware_agent.colony.node import Record, Report, Status
from aware_agent.colony.spec import CasteSpec, Policies, Spec
from aware_agent.colony.suspicion import electorate

READY, SUSPECT, DEAD, LEFT, AWAY = Status.READY, Status.SUSPECT, Status.DEAD, Status.LEFT, Status.AWAY
SINCE, UNTIL, DEAD_AFTER = 1000.0, 5000.0, 10.0
HERE = a_record("n").report
LEAVING = a_report("n", leaving=True)
ORDER = Away(by="ada", since=SINCE, reason="a new disk")


def away(*, here: bool = False, until: float | None = None, before: Status = READY) -> Record:
    order = Away(by="ada", since=SINCE, here=here, until=until)
    return send_away(a_record("n", status=before), order, SINCE)


@pytest.mark.parametrize("before", [READY, SUSPECT, DEAD, LEFT])
def test_whatever_a_node_was_it_is_away(before: Status) -> None:
    record = away(before=before)
    assert (record.status, record.status_since) == (AWAY, SINCE)
    again = send_away(record, ORDER, SINCE + 60)
    assert (again.status, again.status_since, again.away) == (AWAY, SINCE, ORDER), "another reason, the same time"


@pytest.mark.parametrize(
    ("here", "present", "until", "now", "after", "told"),
    [
        # Nothing happens to one that is silent, for however long, and nothing to one that answers.
        (False, None, None, SINCE + 1e9, None, ""),
        (True, HERE, None, SINCE + 1e9, None, ""),
        # It goes, it comes, it says good-bye: history hears of it, and it stays away.
        (True, None, None, SINCE + 1, AWAY, "n is silent, as it is away"),
        (False, HERE, None, SINCE + 1, AWAY, "n answers and stays away: aware nodes back n"),
        (True, LEAVING, None, SINCE + 1, AWAY, "n is silent, as it is away"),
        # Before the deadline nothing else.
        (False, None, UNTIL, UNTIL - 1, None, ""),
        (False, HERE, UNTIL, UNTIL - 1, AWAY, "n answers and stays away: aware nodes back n"),
        # At the deadline it is missed as everybody.
        (False, None, UNTIL, UNTIL, SUSPECT, "n was to be back by now and is silent"),
        (True, LEAVING, UNTIL, UNTIL, SUSPECT, "n was to be back by now and is silent"),
        (False, HERE, UNTIL, UNTIL, READY, "n is back"),
        (True, HERE, UNTIL, UNTIL + 1e6, READY, "n is back"),
    ],
)
def test_table(
    here: bool, present: Report | None, until: float | None, now: float, after: Status | None, told: str
) -> None:
    record = away(here=here, until=until)
    judgement = judge(records(record), {"n": present} if present else {}, now, DEAD_AFTER)
    if after is None:
        assert judgement.verdicts == ()
        assert judgement.again_at == until
        return
    (verdict,) = judgement.verdicts
    assert (verdict.status, verdict.message) == (after, told)
    assert verdict.told or verdict.changed_status
    assert (verdict.away is not None) is (after is AWAY)
    assert verdict.report is not None
    if verdict.away:
        assert verdict.away.here is (present is HERE)
        assert judgement.again_at == until


def test_a_new_report_of_one_that_is_away_is_kept_and_not_told() -> None:
    anew = a_report("n", config_version=2)
    (verdict,) = judge(records(away(here=True)), {"n": anew}, SINCE, DEAD_AFTER).verdicts
    assert (verdict.report, verdict.status, verdict.told, verdict.changed_status) == (anew, AWAY, False, False)


def test_who_is_late_dies_as_everybody() -> None:
    record = a_record("n", status=SUSPECT, status_since=UNTIL)
    (verdict,) = judge(records(record), {}, UNTIL + DEAD_AFTER, DEAD_AFTER).verdicts
    assert verdict.status is DEAD


@pytest.mark.parametrize(("here", "after"), [(True, READY), (False, SUSPECT)])
def test_who_is_brought_back_is_what_it_shows(here: bool, after: Status) -> None:
    record = bring_back(away(here=here), SINCE + 60)
    assert (record.status, record.status_since, record.away) == (after, SINCE + 60, None)
    assert bring_back(record, SINCE + 90) == record


def test_a_status_without_an_order_is_judged_as_any_other() -> None:
    (verdict,) = judge(records(a_record("n", status=AWAY)), {}, SINCE, DEAD_AFTER).verdicts
    assert verdict.status is SUSPECT
    (verdict,) = judge(records(a_record("n", status=AWAY)), {"n": HERE} if HERE else {}, SINCE, DEAD_AFTER).verdicts
    assert verdict.status is READY


@pytest.mark.parametrize("replace_dead", ["spare", "never"])
def test_it_has_no_work_and_gets_none(replace_dead: str) -> None:
    spec = Spec(colony="demo", size=3, castes={"web": CasteSpec(count=2)}, policies=Policies(replace_dead=replace_dead))  # type: ignore[arg-type]
    gone = send_away(a_record("a"), Away(by="ada", since=SINCE, here=True), SINCE)
    given = records(gone, a_record("b"), a_record("c"))
    outcome = assign(spec, given, {"web": ["a", "b"]})
    assert (outcome.castes, outcome.missing) == ({"web": ["b", "c"]}, {})
    alone = assign(spec, records(gone, a_record("b")), {"web": ["a", "b"]})
    assert (alone.castes, alone.missing) == ({"web": ["b"]}, {"web": 1})


def test_its_word_about_the_queen_does_not_count() -> None:
    given = records(*(a_record(name) for name in "abc"), send_away(a_record("d"), ORDER, SINCE))
    assert electorate(None, given) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("reason", "until"),
    [("x" * (MAX_REASON + 1), None), ("two\nlines", None), ("", SINCE), ("", 0.0), ("", SINCE + MAX_AWAY_S + 1)],
)
def test_a_reason_and_a_deadline_that_cannot_be_are_refused(reason: str, until: float | None) -> None:
    with pytest.raises(InvalidInput):
        check_away(reason, until, SINCE)
    check_away("a new disk", SINCE + 60, SINCE)
