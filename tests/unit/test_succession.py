"""Who stands where in line."""

from __future__ import annotations

from colony_support import a_report
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.node import Report
from aware_agent.colony.succession import line_of_succession


def test_priority_then_seniority_then_id() -> None:
    presence = {
        "d": a_report("d", priority=200, joined_at=9.0),
        "c": a_report("c", joined_at=1.0),
        "b": a_report("b", joined_at=2.0),
        "a": a_report("a", joined_at=2.0),
    }
    assert line_of_succession(presence) == ("d", "c", "a", "b")


def test_those_who_cannot_or_will_not_reign_are_left_out() -> None:
    presence = {"a": a_report("a", candidate=False), "b": a_report("b", leaving=True), "c": a_report("c")}
    assert line_of_succession(presence) == ("c",)


reports = st.builds(
    a_report,
    st.just("x"),
    priority=st.integers(0, 2),
    joined_at=st.sampled_from((0.0, 1.0)),
    candidate=st.booleans(),
    leaving=st.booleans(),
)


@given(st.dictionaries(st.sampled_from("abcdefgh"), reports))
def test_every_node_sees_the_same_line(presence: dict[str, Report]) -> None:
    backwards = dict(reversed(presence.items()))
    line = line_of_succession(presence)
    assert line == line_of_succession(backwards)
    assert set(line) == {n for n, r in presence.items() if r.candidate and not r.leaving}


@given(st.dictionaries(st.sampled_from("abcdefgh"), reports, min_size=1), st.data())
def test_a_node_that_vanishes_moves_nobody_past_another(presence: dict[str, Report], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(presence)))
    rest = {n: r for n, r in presence.items() if n != gone}
    assert line_of_succession(rest) == tuple(n for n in line_of_succession(presence) if n != gone)
