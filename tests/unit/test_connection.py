"""The state machine of a channel: every state with every event, and what a whole life looks like."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony import connection as c
from aware_agent.colony.errors import IllegalTransition

START = c.Connection()
DIALLED = c.decide(START, c.Tick(), 0.0).state
OPEN = c.decide(DIALLED, c.Welcomed(1.0), 0.0).state


def test_a_whole_life() -> None:
    told = []
    state, now = START, 0.0
    for step, event in (
        (0.0, c.Tick()), (0.1, c.Lost("no route", 0.0)), (0.0, c.Tick()), (0.2, c.Tick()), (0.1, c.Welcomed(1.0)),
        (1.0, c.Tick()), (0.1, c.Heard()), (1.0, c.Tick()), (1.2, c.Tick()), (0.1, c.Heard()), (1.0, c.Tick()),
        (4.5, c.Tick()), (15.0, c.Tick()), (0.1, c.Refused("removed", 0.5)), (0.1, c.Tick()), (0.5, c.Tick()),
        (0.1, c.Welcomed(1.0)), (0.1, c.Refused("removed", 0.5)), (5.0, c.Tick()), (10.0, c.Tick()),
    ):  # fmt: skip
        now += step
        decision = c.decide(state, event, now)
        state = decision.state
        told.append((state.phase.value, [type(effect).__name__ for effect in decision.effects], decision.message))
    assert told == [
        ("connecting", ["Dial"], ""),
        ("closed", [], "closed: no route"),
        ("closed", [], ""),
        ("connecting", ["Dial"], ""),
        ("open", [], "open"),
        ("open", ["Beat"], ""),
        ("open", [], ""),
        ("open", ["Beat"], ""),
        ("silent", ["Beat"], "silent"),
        ("open", [], "answers again"),
        ("open", ["Beat"], ""),
        ("closed", ["Cut"], "closed: no answer for 5.5 s"),
        ("connecting", ["Dial"], ""),
        ("refused", ["Cut"], "refused: removed"),
        ("refused", [], ""),
        ("connecting", ["Dial"], ""),
        ("open", [], "open"),
        ("refused", ["Cut"], "refused: removed"),
        ("refused", [], ""),
        ("connecting", ["Dial"], ""),
    ]


def test_who_is_refused_at_first_asks_again_soon_and_then_rarely() -> None:
    """The member may not have heard of a newcomer yet; one that had a channel and is sent away waits."""
    state, pauses, said = START, [], []
    now = 0.0
    for _ in range(9):
        now = max(now, state.wake_at)
        dialled = c.decide(state, c.Tick(), now).state
        decision = c.decide(dialled, c.Refused("not here", 1.0), now)
        state = decision.state
        pauses.append(round(state.wake_at - now, 1))
        said.append(decision.message)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    assert said == ["refused: not here", *[""] * 8]
    assert c.decide(OPEN, c.Refused("removed", 1.0), 0.0).state.wake_at == c.REFUSED_RETRY_S


def test_attempts_that_fail_are_spread_and_become_rare() -> None:
    least = [c.retry_delay(failures, 0.0) for failures in range(12)]
    most = [c.retry_delay(failures, 1.0) for failures in range(12)]
    assert least == sorted(least)
    assert all(low * 2 == high for low, high in zip(least, most, strict=True))
    assert most[0] == c.FIRST_RETRY_S
    assert most[-1] == c.MAX_RETRY_S


def test_a_pause_of_this_process_costs_one_heartbeat() -> None:
    heard = msgspec.structs.replace(OPEN, heard_at=3.5)
    decision = c.decide(heard, c.Tick(), 3.5)
    assert decision.effects == (c.Beat(1),)
    assert decision.state.beat_at == 4.5


def test_an_attempt_ends_in_time() -> None:
    assert c.decide(DIALLED, c.Tick(), c.DIAL_S / 2).state == DIALLED
    decision = c.decide(DIALLED, c.Tick(), c.DIAL_S)
    assert decision.state.phase is c.Phase.CLOSED
    assert [type(effect) for effect in decision.effects] == [c.Cut]


def test_heartbeats_become_rarer_as_the_colony_grows() -> None:
    assert [c.beat_interval(nodes) for nodes in (1, 100, 500, 1000, 100_000)] == [1.0, 1.0, 5.0, 10.0, 10.0]


EVENTS = st.one_of(
    st.just(c.Tick()),
    st.just(c.Heard()),
    st.just(c.Expected()),
    st.builds(c.Welcomed, st.floats(-1, 100)),
    st.builds(c.Lost, st.text(max_size=3), st.floats(0, 1)),
    st.builds(c.Refused, st.text(max_size=3), st.floats(0, 1)),
)


@given(st.lists(st.tuples(st.floats(0, 30), EVENTS), max_size=60))
def test_whatever_happens_it_dials_only_when_closed_and_wakes_up_again(steps: list[tuple[float, c.Event]]) -> None:
    state, now = START, 0.0
    for step, event in steps:
        now += step
        try:
            decision = c.decide(state, event, now)
        except IllegalTransition:
            assert (state.phase, type(event)) not in c._TABLE
            continue
        if any(isinstance(effect, c.Dial) for effect in decision.effects):
            assert state.phase in (c.Phase.CLOSED, c.Phase.REFUSED)
        if any(isinstance(effect, c.Beat) for effect in decision.effects):
            assert decision.state.phase in (c.Phase.OPEN, c.Phase.SILENT)
        state = decision.state
        assert state.wake_at <= now + max(c.DIAL_S, c.MAX_RETRY_S, c.REFUSED_RETRY_S, c.MAX_BEAT_S)
        if state.phase in (c.Phase.OPEN, c.Phase.SILENT):
            assert not c.is_lost(state.heard_at, state.beat_s, now) or not isinstance(event, c.Tick)


def test_what_makes_no_sense_is_a_bug() -> None:
    with pytest.raises(IllegalTransition):
        c.decide(START, c.Heard(), 0.0)


def test_who_is_expected_is_dialled_now_unless_that_is_under_way() -> None:
    failed = msgspec.structs.replace(c.decide(DIALLED, c.Lost("no route", 1.0), 0.0).state, failures=9, wake_at=15.0)
    refused = c.decide(DIALLED, c.Refused("removed", 1.0), 0.0).state
    for state in (failed, refused):
        decision = c.decide(state, c.Expected(), 1.0)
        assert decision.effects == (c.Dial(),)
        assert (decision.state.phase, decision.state.failures) == (c.Phase.CONNECTING, 0)
    for state in (DIALLED, OPEN, c.decide(OPEN, c.Tick(), 2.5).state):
        assert c.decide(state, c.Expected(), 1.0) == c.Decision(state)


def test_that_nobody_listens_there_is_known_until_something_else_comes_of_an_attempt() -> None:
    broke = c.decide(OPEN, c.Lost("the connection ended", 0.0, absent=False), 1.0).state
    assert (broke.broken, broke.absent) == (True, False)
    again = c.decide(broke, c.Tick(), broke.wake_at).state
    absent = c.decide(again, c.Lost("Connection refused", 0.0, absent=True), 2.0).state
    assert (absent.broken, absent.absent) == (True, True)
    again = c.decide(absent, c.Tick(), absent.wake_at).state
    assert c.decide(again, c.Lost("no route", 0.0), 3.0).state.absent is False
    assert c.decide(again, c.Tick(), again.wake_at).state.absent is False, "no answer at all says nothing of it"
    assert c.decide(again, c.Welcomed(1.0), 3.0).state.absent is False
