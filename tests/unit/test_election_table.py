"""Every pair of phase and event: the legal ones with what comes of them, the others are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from aware_agent.colony import election as e
from aware_agent.colony.election import Decision, Election, Event, Phase, decide, heir, position
from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.timing import Timing
from aware_agent.simulator.table import EVENTS, cell, markdown

NOW = 100.0
MINE = e.QueenRecord(id="b", name="b", url="", incarnation="b.1", since=0.0)
HERS = e.QueenRecord(id="a", name="a", url="", incarnation="a.1", since=0.0)


def state_in(phase: Phase) -> Election:
    """Node b in that phase, second to the queen a where there is one."""
    base = Election(me="b", incarnation="b.1", timing=Timing(), line=("a", "b", "c"), known=True, phase=phase)
    extra: dict[Phase, dict[str, object]] = {
        Phase.WATCHING: {"queen_record": HERS, "queen_term": 5, "last_queen": "a"},
        Phase.CAMPAIGNING: {"last_queen": "a"},
        Phase.REIGNING: {"queen_record": MINE, "queen_term": 7, "term": 7, "deadline": NOW + 2, "last_queen": "b"},
        Phase.GONE: {},
    }
    return e.replace(base, **extra[phase])


SAMPLES: dict[type, Event] = {
    e.QueenSeen: e.QueenSeen(HERS, 9),
    e.Vacant: e.Vacant(),
    e.Succession: e.Succession(("a", "b", "c", "d")),
    e.Won: e.Won(9, NOW + 3),
    e.Lost: e.Lost(HERS, 9),
    e.Failed: e.Failed("no answer"),
    e.Renewed: e.Renewed(NOW + 3),
    e.LeaseLost: e.LeaseLost(),
    e.Tick: e.Tick(),
    e.Resign: e.Resign(),
    e.GatewayLost: e.GatewayLost("its gateway ended"),
    e.GatewayServes: e.GatewayServes(),
    e.Quit: e.Quit(),
}

W, C, R, G = Phase.WATCHING, Phase.CAMPAIGNING, Phase.REIGNING, Phase.GONE
# (phase, event): phase after, effects in order
EXPECTED: dict[tuple[Phase, type], tuple[Phase, tuple[str, ...]]] = {
    (W, e.QueenSeen): (W, ()),
    (W, e.Vacant): (C, ("Campaign",)),
    (W, e.Succession): (W, ()),
    (W, e.Renewed): (W, ()),
    (W, e.LeaseLost): (W, ()),
    (W, e.Tick): (W, ()),
    (W, e.Resign): (W, ()),
    (W, e.GatewayLost): (W, ()),
    (W, e.GatewayServes): (W, ()),
    (W, e.Quit): (G, ()),
    (C, e.QueenSeen): (C, ()),
    (C, e.Vacant): (C, ()),
    (C, e.Succession): (C, ()),
    (C, e.Won): (R, ("Reign", "WakeAt")),
    (C, e.Lost): (W, ("WakeAt",)),
    (C, e.Failed): (W, ("WakeAt",)),
    (C, e.Renewed): (C, ()),
    (C, e.LeaseLost): (C, ()),
    (C, e.Tick): (C, ()),
    (C, e.Resign): (C, ()),
    (C, e.GatewayLost): (C, ()),
    (C, e.GatewayServes): (C, ()),
    (C, e.Quit): (G, ()),
    (R, e.QueenSeen): (W, ("Abdicate",)),
    (R, e.Vacant): (W, ("Abdicate", "WakeAt")),
    (R, e.Succession): (R, ()),
    (R, e.Renewed): (R, ("WakeAt",)),
    (R, e.LeaseLost): (W, ("Abdicate",)),
    (R, e.Tick): (R, ("WakeAt",)),
    (R, e.Resign): (W, ("Abdicate", "HandOver")),
    (R, e.GatewayLost): (W, ("Abdicate", "HandOver")),
    (R, e.GatewayServes): (R, ()),
    (R, e.Quit): (G, ("Abdicate", "HandOver")),
    **{(G, kind): (G, ()) for kind in EVENTS},
    (G, e.Won): (G, ("HandOver",)),
}


def test_every_event_has_a_sample() -> None:
    assert set(SAMPLES) == set(EVENTS) == set(e.Event.__args__)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("kind", EVENTS, ids=lambda k: k.__name__)
def test_pair(phase: Phase, kind: type) -> None:
    before = state_in(phase)
    if (phase, kind) not in EXPECTED:
        with pytest.raises(IllegalTransition, match=f"{kind.__name__} while {phase}"):
            decide(before, SAMPLES[kind], NOW)
        assert cell(phase, kind) == "illegal"
        return
    decision = decide(before, SAMPLES[kind], NOW)
    after, effects = EXPECTED[phase, kind]
    assert decision.state.phase is after
    assert tuple(type(effect).__name__ for effect in decision.effects) == effects
    assert before == state_in(phase), "the state given in was changed"


def test_the_documented_table_is_the_real_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "election.md").read_text(encoding="utf-8")
    assert markdown() in text


def reigning(**changes: object) -> Election:
    return e.replace(state_in(R), **changes)


def follow(state: Election, *events: tuple[float, Event]) -> Decision:
    """Several events, one after the other."""
    decision = Decision(state)
    for now, event in events:
        decision = decide(decision.state, event, now)
    return decision


def test_a_queen_stops_a_margin_before_her_deadline() -> None:
    state = reigning()
    end = state.deadline - state.timing.margin_s
    assert decide(state, e.Tick(), end - 0.001).state.phase is R
    assert decide(state, e.Tick(), end).state.phase is W


def test_an_older_answer_does_not_shorten_the_reign() -> None:
    decision = decide(reigning(), e.Renewed(NOW + 1), NOW)
    assert decision.state.deadline == NOW + 2
    assert decision.effects == (e.WakeAt(NOW + 2 - 0.3),)


def test_news_from_before_her_time_leave_a_queen_alone() -> None:
    decision = decide(reigning(), e.QueenSeen(HERS, 6), NOW)
    assert decision == Decision(reigning())


def test_a_vacancy_before_her_own_key_was_seen_is_old_news() -> None:
    state = reigning(queen_record=None, queen_term=0)
    assert decide(state, e.Vacant(), NOW) == Decision(state)


def test_heir_and_place() -> None:
    state = state_in(W)
    assert (heir(state), position(state)) == ("b", 0)
    vacant = e.replace(state, queen_record=None)
    assert (heir(vacant), position(vacant)) == ("b", 0)
    assert position(e.replace(vacant, me="a")) == 2, "the last queen is last in line"
    assert position(e.replace(state, me="a")) is None, "the reigning queen does not wait"
    assert position(e.replace(state, me="z")) is None
    assert heir(e.replace(state, line=())) == ""
    assert heir(e.replace(vacant, line=("a",))) == "a", "alone, the last queen is her own heir"


def test_two_last_queens_do_not_wait_for_each_other() -> None:
    """Each believes to have been the last queen, because a relist hid the other's reign: somebody still campaigns."""
    left = Election(me="a", incarnation="a.1", timing=Timing(), line=("a", "b"), known=True, last_queen="a")
    right = e.replace(left, me="b", incarnation="b.1", last_queen="b")
    for state in (left, right):
        decision = decide(state, e.Vacant(), NOW)
        assert decision.state.campaign_at == NOW + 0.15


def test_losing_to_her_own_earlier_life_removes_the_key() -> None:
    old = e.QueenRecord(id="b", name="b", url="", incarnation="b.0", since=0.0)
    assert decide(state_in(C), e.Lost(old, 9), NOW).effects == (e.Evict(9),)
    noted = decide(state_in(C), e.QueenSeen(old, 9), NOW).state
    assert e.Evict(9) in decide(noted, e.Failed("no answer"), NOW).effects


def test_hand_over_names_the_first_in_line_but_never_herself() -> None:
    decision = decide(reigning(line=("b", "c", "a")), e.Resign(), NOW)
    assert decision.effects[1] == e.HandOver(7, "c", "asked to step down")
    decision = decide(reigning(line=("b",)), e.Quit(), NOW)
    assert decision.effects[1] == e.HandOver(7, "", "shutting down")


def test_a_named_successor_that_is_not_in_line_is_not_waited_for() -> None:
    decision = decide(state_in(W), e.Vacant(e.Handover(term=5, to="zzz")), NOW)
    assert decision.effects == (e.Campaign(),)


def test_whoever_resigned_and_is_named_again_need_not_abstain() -> None:
    state = decide(reigning(), e.Resign(), NOW).state
    other = e.QueenSeen(HERS, 9)
    back = follow(state, (NOW + 0.1, other), (NOW + 0.5, e.Vacant(e.Handover(term=9, to="b"))))
    assert back.effects == (e.Campaign(),)


def test_an_unread_key_is_no_vacancy() -> None:
    fresh = Election(me="b", incarnation="b.1", timing=Timing())
    assert decide(fresh, e.Succession(("b",)), NOW).effects == ()
