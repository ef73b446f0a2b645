"""How many nodes a caste wants: by example, and what holds whatever happens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.load import Load
from aware_agent.colony.scale import Bounds, DemandTarget, Scale, ScaleIn, ScaleOut
from aware_agent.colony.scaling import (
    BREAK_S,
    MINUTE_S,
    Effect,
    Inputs,
    Memory,
    Need,
    Posted,
    Serving,
    State,
    begun,
    decide,
    needs,
)

T0 = 1.8e9
LOOK_S = 5.0
DEMAND = DemandTarget(per_node=100.0)
RULE = Scale(min=2, max=20, demand=DEMAND)
FREE = msgspec.structs.replace(RULE, out=ScaleOut(nodes=10_000), in_=ScaleIn(nodes=10_000))


def need(nodes: float | None) -> dict[str, Need | None]:
    return {"demand": None if nodes is None else Need(nodes, nodes, "it")}


def inputs(nodes: float | None, rule: Scale = RULE, allowed: Bounds | None = None) -> Inputs:
    return Inputs(rule, allowed or Bounds(rule.min, rule.max), need(nodes))  # type: ignore[arg-type]


class Caste:
    """One that is looked at every few seconds."""

    def __init__(self, count: int, rule: Scale = RULE) -> None:
        self.rule, self.now, self.state = rule, T0, begun(count, T0)
        self.effects: list[Effect] = []

    @property
    def wanted(self) -> int:
        return self.state.elastic.wanted

    def look(self, nodes: float | None, seconds: float = LOOK_S, allowed: Bounds | None = None) -> int:
        """For so long; how many are wanted then."""
        for _ in range(max(1, round(seconds / LOOK_S))):
            self.now += LOOK_S
            self.state, effects = decide(self.state, inputs(nodes, self.rule, allowed), self.now)
            self.effects += effects
        return self.wanted

    def scaled(self) -> list[tuple[int, int]]:
        return [(one.before, one.after) for one in self.effects if one.kind == "scaled"]


# By example ------------------------------------------------------------------------------------------------------


def test_more_is_wanted_at_once_and_the_event_says_why() -> None:
    caste = Caste(4)
    assert caste.look(6.2) == 7
    assert caste.effects == [Effect("scaled", "it needs 7: 4 -> 7", 4, 7)]
    assert caste.state.elastic.changed_at == caste.now
    assert caste.state.elastic.why == "it needs 7"


def test_growth_has_a_pace() -> None:
    caste = Caste(2, msgspec.structs.replace(RULE, out=ScaleOut(nodes=4, share=1.0)))
    caste.look(19.5, seconds=180)
    assert caste.scaled() == [(2, 6), (6, 12), (12, 20)]
    assert caste.effects[0].message == "it needs 20, and no more in a minute: 2 -> 6"
    usual = Caste(2)
    usual.look(19.5, seconds=180)
    assert usual.scaled() == [(2, 8), (8, 20)]


def test_less_is_wanted_when_the_most_of_five_minutes_is_less() -> None:
    caste = Caste(10, FREE)
    caste.look(9.8, seconds=300)
    caste.look(3.0, seconds=300)
    assert caste.wanted == 10, "a moment of five minutes ago still counts"
    assert caste.look(3.0, seconds=40) == 3
    assert caste.effects[-1].message == "no more than 3 were needed for 300 s: 10 -> 3"


def test_a_spike_begins_the_time_anew() -> None:
    caste = Caste(10, FREE)
    caste.look(3.0, seconds=250)
    caste.look(9.0)
    assert caste.look(3.0, seconds=290) == 10
    assert caste.look(3.0, seconds=60) == 3


def test_shrinking_has_a_pace_too() -> None:
    caste = Caste(20)
    caste.look(2.0, seconds=1200)
    assert caste.scaled() == [(20, 10), (10, 5), (5, 3), (3, 2)]


@pytest.mark.parametrize("nodes", [9.1, 10.0, 10.9, 11.0])
def test_a_small_difference_changes_nothing(nodes: float) -> None:
    caste = Caste(10)
    assert caste.look(nodes, seconds=900) == 10
    assert not caste.effects


def test_what_is_not_known_takes_no_node_away() -> None:
    caste = Caste(10)
    caste.look(3.0, seconds=200)
    assert caste.look(None, seconds=3600) == 10
    assert [one.kind for one in caste.effects] == ["blind"], "told once"
    assert caste.look(3.0, seconds=290) == 10, "and the time begins anew"
    assert caste.effects[-1].kind == "seeing"
    assert caste.look(3.0, seconds=60) < 10


def test_a_short_gap_is_none() -> None:
    caste = Caste(10, FREE)
    caste.look(3.0, seconds=200)
    caste.look(None, seconds=BREAK_S - 10)
    assert caste.look(3.0, seconds=60) == 3
    assert [one.kind for one in caste.effects] == ["scaled"]


def test_one_target_that_is_known_may_ask_for_more_while_another_is_not() -> None:
    rule = msgspec.structs.replace(RULE, cpu=0.5)
    both = Inputs(rule, Bounds(2, 20), {"cpu": None, "demand": Need(9.0, 9.0, "it")})
    state, effects = decide(begun(5, T0), both, T0 + 5)
    assert state.elastic.wanted == 9
    assert [one.kind for one in effects] == ["scaled"]


def test_bounds_of_people_hold_at_once() -> None:
    caste = Caste(10)
    assert caste.look(10.0, allowed=Bounds(2, 6, "08:00-09:00")) == 6
    assert caste.effects[-1].message == "max is 6 (08:00-09:00): 10 -> 6"
    assert caste.look(6.0, allowed=Bounds(15, 20)) == 15, "faster than its pace"


def test_a_queen_that_follows_counts_on() -> None:
    """What she reads is what was kept; a minute of looks may be missing."""
    caste = Caste(10, FREE)
    caste.look(3.0, seconds=250)
    caste.state = State(caste.state.elastic, msgspec.json.decode(msgspec.json.encode(caste.state.memory), type=Memory))
    caste.now += 60
    assert caste.look(3.0, seconds=10) == 3, "and does not begin anew"
    forgot = Caste(10, FREE)
    forgot.look(3.0, seconds=250)
    forgot.state = State(forgot.state.elastic, begun(10, forgot.now).memory)
    forgot.now += 60
    assert forgot.look(3.0, seconds=200) == 10, "one that forgot would not go too early either"


def test_a_clock_that_went_back_harms_nothing() -> None:
    caste = Caste(10, FREE)
    caste.look(9.5, seconds=300)
    caste.now -= 3600
    assert caste.look(3.0, seconds=290) == 10
    assert caste.look(3.0, seconds=60) == 3


def test_a_schedule_alone() -> None:
    rule = Scale(min=2, max=20, in_=ScaleIn(after_s=0.0))
    state = begun(2, T0)
    work, night = (Inputs(rule, Bounds(least, 20), {}) for least in (8, 2))
    state, _ = decide(state, work, T0 + 5)
    assert state.elastic.wanted == 8
    for look in range(40):
        state, _ = decide(state, night, T0 + 10 + look * 10)
    assert state.elastic.wanted == 2


# What is needed --------------------------------------------------------------------------------------------------


def serving(*cpus: int | None, vcpus: int = 2, load: int = 0) -> list[Serving]:
    return [Serving(vcpus, None if cpu is None else Load(cpu, load, 512 * cpu // 1000, 512, 0, 0)) for cpu in cpus]


def test_need_by_use_of_processors() -> None:
    found = needs(Scale(min=1, max=9, cpu=0.5), serving(900, 700), None, T0)["cpu"]
    assert found is not None
    assert found.least == found.most == pytest.approx(3.2)
    assert found.said == "use of processors of 80% on 2 nodes, where 50% is wanted,"


def test_who_tells_nothing_is_idle_for_more_and_at_its_target_for_less() -> None:
    found = needs(Scale(min=1, max=9, cpu=0.5), serving(900, None), None, T0)["cpu"]
    assert found is not None
    assert (found.least, found.most) == (pytest.approx(1.8), pytest.approx(2.8))
    assert needs(Scale(min=1, max=9, cpu=0.5), serving(None), None, T0) == {"cpu": None}
    assert needs(Scale(min=1, max=9, cpu=0.5), [], None, T0) == {"cpu": None}


def test_need_by_load_and_memory() -> None:
    found = needs(Scale(min=1, max=9, load=1.0, memory=0.5), serving(500, 500, vcpus=2, load=600), None, T0)
    assert found["load"] is not None
    assert found["memory"] is not None
    assert found["load"].least == pytest.approx(6.0), "three a processor"
    assert found["memory"].least == pytest.approx(2.0)


def test_a_demand_counts_until_it_is_too_old() -> None:
    posted = Posted(value=650.0, at=T0, by="ci")
    found = needs(RULE, [], posted, T0 + 300)["demand"]
    assert found is not None
    assert found.least == 6.5
    assert needs(RULE, [], posted, T0 + 301) == {"demand": None}
    assert needs(RULE, [], None, T0) == {"demand": None}


# Whatever happens ------------------------------------------------------------------------------------------------

NEEDS = st.one_of(st.none(), st.floats(0, 1e12), st.floats(0, 40))
RULES = st.builds(
    lambda low, more, tolerance, after, out, in_: Scale(
        min=low,
        max=low + more,
        demand=DEMAND,
        tolerance=tolerance,
        in_=ScaleIn(after_s=after, nodes=in_),
        out=ScaleOut(nodes=out),
    ),
    st.integers(0, 5),
    st.integers(1, 30),
    st.floats(0, 0.5),
    st.sampled_from([0.0, 30.0, 300.0]),
    st.integers(1, 9),
    st.integers(1, 9),
)


@given(RULES, st.lists(st.tuples(NEEDS, st.floats(-100, 400)), max_size=60), st.data())
def test_never_outside_of_the_bounds_and_memory_stays_small(
    rule: Scale, course: Sequence[tuple[float | None, float]], data: st.DataObject
) -> None:
    state, now = begun(data.draw(st.integers(rule.min, rule.max)), T0), T0
    for nodes, pause in course:
        now += pause
        low = data.draw(st.integers(rule.min, rule.max))
        allowed = Bounds(low, data.draw(st.integers(max(low, 1), rule.max + 5)))
        state, _ = decide(state, inputs(nodes, rule, allowed), now)
        assert allowed.least <= state.elastic.wanted <= allowed.most
        assert len(state.memory.peaks) <= 12
        assert len(msgspec.json.encode(state.memory)) < 4096
        assert msgspec.json.decode(msgspec.json.encode(state.memory), type=Memory) == state.memory


@given(RULES, st.floats(0, 40), st.data())
def test_under_a_steady_need_it_goes_one_way_and_stays(rule: Scale, nodes: float, data: st.DataObject) -> None:
    caste = Caste(data.draw(st.integers(rule.min, rule.max)), rule)
    caste.look(nodes, seconds=(rule.max + 1) * MINUTE_S + rule.in_.after_s * 1.2 + 60)
    steps = caste.scaled()
    assert all(after > before for before, after in steps) or all(after < before for before, after in steps)
    settled = len(steps)
    caste.look(nodes, seconds=900)
    assert len(caste.scaled()) == settled
    ideal = min(max(math.ceil(nodes - 1e-9), rule.min), rule.max)
    # Within the tolerance of the need itself, which the ideal is rounded up from.
    off = rule.tolerance * caste.wanted + 1.0 if rule.tolerance else 0.0
    assert abs(caste.wanted - ideal) <= off + 1e-9


@given(st.lists(st.floats(0.0, 1.0), min_size=100, max_size=200), st.floats(3, 15))
def test_noise_does_not_make_it_flap(noise: Sequence[float], mean: float) -> None:
    """Need that jumps between two values: after the first five minutes nothing is taken away to be given again."""
    caste = Caste(10)
    for one in noise:
        caste.look(mean * (0.9 + 0.2 * one))
    turns = [(before < after) for before, after in caste.scaled()]
    assert sum(one != other for one, other in pairwise(turns)) <= 1


@given(RULES, st.lists(NEEDS, max_size=80))
def test_no_minute_is_faster_than_allowed(rule: Scale, course: Sequence[float | None]) -> None:
    caste = Caste(rule.min, rule)
    wanted = [(caste.now, caste.wanted)]
    for nodes in course:
        caste.look(nodes)
        wanted.append((caste.now, caste.wanted))
    for at, after in wanted:
        lately = [one for then, one in wanted if at - MINUTE_S < then <= at]
        low = min(lately)
        assert after <= max(low + rule.out.nodes, math.floor(low * (1 + rule.out.share)))


@given(RULES, st.lists(NEEDS, min_size=1, max_size=120))
def test_nothing_goes_below_what_was_needed_lately(rule: Scale, course: Sequence[float | None]) -> None:
    caste, seen = Caste(rule.max, rule), []
    for nodes in course:
        before = caste.wanted
        caste.look(nodes)
        seen.append((caste.now, nodes))
        if caste.wanted < before:
            window = [one for at, one in seen if at > caste.now - rule.in_.after_s] or [nodes]
            assert all(
                one is not None and caste.wanted >= min(one - 1e-6, rule.max) for one in window if one is not None
            )
            assert nodes is not None
            assert caste.now - T0 >= rule.in_.after_s
