"""Who stands where in line."""

from __future__ import annotations

from colony_support import a_report
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.node import Report
from aware_agent.colony.succession import channels_to, line_of_succession, unserved


def test_priority_then_seniority_then_id() -> None:
    presence = {
        "d": a_report("d", priority=200, joined_at=9.0),
        "c": a_report("c", joined_at=1.0),
        "b": a_report("b", joined_at=2.0),
        "a": a_report("a", joined_at=2.0),
    }
    assert line_of_succession(presence, presence) == ("d", "c", "a", "b")


def test_whose_gateway_does_not_answer_stands_behind_all_others_and_stays_in_line() -> None:
    presence = {
        "a": a_report("a", priority=200, serving=False),
        "b": a_report("b", joined_at=1.0, serving=False),
        "c": a_report("c", joined_at=2.0),
    }
    line = line_of_succession(presence, presence)
    assert line == ("c", "a", "b")
    assert unserved(presence, line) == ("a", "b")
    del presence["c"]
    assert line_of_succession(presence, presence) == ("a", "b"), "a colony where no gateway answers needs a queen too"


def test_those_who_cannot_or_will_not_reign_are_left_out() -> None:
    presence = {"a": a_report("a", candidate=False), "b": a_report("b", leaving=True), "c": a_report("c")}
    assert line_of_succession(presence, presence) == ("c",)


def test_what_a_worker_says_of_itself_makes_it_no_candidate() -> None:
    presence = {"liar": a_report("liar", priority=1000), "b": a_report("b")}
    assert line_of_succession(presence, {"b", "absent"}) == ("b",)


reports = st.builds(
    a_report,
    st.just("x"),
    priority=st.integers(0, 2),
    joined_at=st.sampled_from((0.0, 1.0)),
    candidate=st.booleans(),
    leaving=st.booleans(),
    serving=st.booleans(),
)


@given(st.dictionaries(st.sampled_from("abcdefgh"), reports))
def test_every_node_sees_the_same_line(presence: dict[str, Report]) -> None:
    backwards = dict(reversed(presence.items()))
    line = line_of_succession(presence, presence)
    assert line == line_of_succession(backwards, backwards)
    assert set(line) == {n for n, r in presence.items() if r.candidate and not r.leaving}


@given(st.dictionaries(st.sampled_from("abcdefgh"), reports, min_size=1), st.data())
def test_a_node_that_vanishes_moves_nobody_past_another(presence: dict[str, Report], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(presence)))
    rest = {n: r for n, r in presence.items() if n != gone}
    assert line_of_succession(rest, rest) == tuple(n for n in line_of_succession(presence, presence) if n != gone)


def test_channels_go_to_the_queen_and_to_who_would_follow_her() -> None:
    assert channels_to("c", "a", ("a", "b", "c"), ()) == ("a", "b")
    assert channels_to("b", "a", ("a", "b", "c"), ()) == ("a",)
    assert channels_to("a", "a", ("a", "b", "c"), ()) == ("b",)


def test_channels_stay_while_nobody_reigns_though_the_dead_queen_is_first_in_line() -> None:
    assert channels_to("c", None, ("a", "b", "c"), ("a", "b")) == ("a", "b")
    assert channels_to("c", None, ("b", "c"), ("b",)) == ("b",)


def test_who_comes_while_nobody_reigns_goes_to_the_first_in_line() -> None:
    assert channels_to("c", None, ("b", "c"), ()) == ("b",)
    assert channels_to("c", None, (), ()) == ()
