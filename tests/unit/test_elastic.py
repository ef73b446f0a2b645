"""What a spec comes to with what was chosen for it: counts, size, and who leaves."""

from __future__ import annotations

import msgspec
import pytest
from colony_support import a_record, records
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.castes import assign
from aware_agent.colony.elastic import counts, missing_servers, on_the_way_out, wanted, wanted_size
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.hook import HookOperation, Order, scaled
from aware_agent.colony.node import Status
from aware_agent.colony.plan import plan, spec_steps
from aware_agent.colony.scale import DemandTarget, Scale
from aware_agent.colony.scaling import Elastic
from aware_agent.colony.schedule import Window
from aware_agent.colony.spec import CasteSpec, Spec, check_spec

SCALE = Scale(min=2, max=9, demand=DemandTarget(per_node=10.0))
SPEC = Spec(colony="c", size=5, castes={"web": CasteSpec(count=3, scale=SCALE), "store": CasteSpec(count=1)})
NODES = records(*(a_record(f"n{i}", joined_at=float(i)) for i in range(1, 8)))


def chosen(count: int, **leaving: float) -> dict[str, Elastic]:
    return {"web": Elastic(wanted=count, leaving=leaving)}


@pytest.mark.parametrize(("count", "expected"), [(1, 2), (5, 5), (99, 9)])
def test_what_was_chosen_counts_between_the_bounds_of_the_spec(count: int, expected: int) -> None:
    assert wanted(SPEC, chosen(count), "web") == expected
    assert wanted(SPEC, {}, "web") == 3
    assert wanted(SPEC, {"store": Elastic(wanted=7)}, "store") == 1, "a caste that does not scale"


def test_bounds_of_a_window_count_too() -> None:
    scale = msgspec.structs.replace(SCALE, schedule=(Window(begins="08:00", ends="18:00", min=1, max=20),))
    spec = msgspec.structs.replace(SPEC, castes={"web": CasteSpec(count=3, scale=scale)})
    assert (wanted(spec, chosen(99), "web"), wanted(spec, chosen(0), "web")) == (20, 1)


def test_spare_nodes_serve_before_servers_are_wanted() -> None:
    assert wanted_size(SPEC, {}) == 5
    assert wanted_size(SPEC, chosen(4)) == 5
    assert wanted_size(SPEC, chosen(8)) == 9
    assert wanted_size(SPEC, chosen(2)) == 5, "and none is too many because a caste wants fewer"
    assert wanted_size(SPEC, chosen(4, n1=9.0, n2=0.0)) == 7, "who is to leave is there until it left"
    assert missing_servers(SPEC, chosen(8), NODES) == 2


def test_assignment_follows_what_was_chosen() -> None:
    before = {"web": ["n2", "n3", "n4"], "store": ["n5"]}
    grown = assign(SPEC, NODES, before, queen="n1", elastic=chosen(5))
    assert grown.castes == {"web": ["n2", "n3", "n4", "n6", "n7"], "store": ["n5"]}
    assert assign(SPEC, NODES, before, elastic=chosen(9)).missing == {"web": 3}


def test_who_is_to_leave_serves_until_its_time_is_over() -> None:
    before = {"web": ["n2", "n3", "n4"], "store": ["n5"]}
    still = assign(SPEC, NODES, before, elastic=chosen(2, n2=1e9))
    assert still.castes == before
    over = assign(SPEC, NODES, before, elastic=chosen(2, n2=0.0))
    assert over.castes["web"] == ["n3", "n4"], "not the youngest, but who was told"
    again = assign(SPEC, NODES, over.castes, elastic=chosen(2, n2=0.0))
    assert again.castes == over.castes


def test_nobody_comes_in_the_place_of_who_is_to_leave() -> None:
    drained = {**NODES, "n2": a_record("n2", joined_at=2.0, drained=True, cordoned=True)}
    before = {"web": ["n2", "n3", "n4"], "store": ["n5"]}
    assert assign(SPEC, drained, before, elastic=chosen(2, n2=1e9)).castes["web"] == ["n2", "n3", "n4"]
    died = {**NODES, "n2": a_record("n2", status=Status.DEAD)}
    assert assign(SPEC, died, before, elastic=chosen(2, n2=1e9)).castes["web"] == ["n3", "n4"]


def test_those_that_can_do_least_leave_first_and_the_youngest_before_others() -> None:
    given_ = records(
        a_record("old", joined_at=1.0, eligible=False),
        a_record("young", joined_at=9.0, eligible=False),
        a_record("seated", joined_at=10.0, eligible=True),
        a_record("full", joined_at=2.0, over=("disk",)),
        a_record("cordoned", joined_at=3.0, cordoned=True),
        a_record("silent", joined_at=4.0, status=Status.SUSPECT),
    )
    order = []
    for count in range(5, -1, -1):
        going = on_the_way_out(list(given_), count, {}, given_, drain_s=60.0, now=100.0)
        order += [node for node in going if node not in order]
        assert set(going.values()) <= {160.0}
    assert order == ["silent", "cordoned", "full", "young", "old", "seated"]


def test_who_was_told_leaves_and_a_new_want_lets_the_last_one_stay() -> None:
    members = ["n1", "n2", "n3", "n4"]
    told = on_the_way_out(members, 3, {}, NODES, drain_s=60.0, now=100.0)
    assert told == {"n4": 160.0}
    more = on_the_way_out(members, 2, told, NODES, drain_s=60.0, now=130.0)
    assert more == {"n4": 160.0, "n3": 190.0}
    assert on_the_way_out(members, 3, more, NODES, drain_s=60.0, now=140.0) == {"n4": 160.0}
    assert on_the_way_out(members, 2, more, NODES, drain_s=60.0, now=170.0) == {"n4": 0.0, "n3": 190.0}
    assert on_the_way_out(members, 4, more, NODES, drain_s=60.0, now=140.0) == {}
    assert on_the_way_out(members, 2, more, NODES, drain_s=0.0, now=140.0) == {"n4": 0.0, "n3": 0.0}, "a shorter while"


@given(
    st.integers(0, 9),
    st.dictionaries(st.sampled_from(sorted(NODES)), st.floats(0, 300)),
    st.lists(st.sampled_from(sorted(NODES)), unique=True),
)
def test_exactly_the_surplus_leaves(count: int, before: dict[str, float], members: list[str]) -> None:
    going = on_the_way_out(members, count, before, NODES, drain_s=60.0, now=100.0)
    assert len(going) == max(0, len(members) - count)
    assert set(going) <= set(members)
    assert on_the_way_out(members, count, going, NODES, drain_s=60.0, now=100.0) == going
    spec = msgspec.structs.replace(SPEC, castes={"web": CasteSpec(count=3, scale=SCALE)})
    staying = counts(spec, {"web": Elastic(wanted=count, leaving=going)}, {"web": members})["web"]
    if 2 <= count <= 9:
        assert staying == count + sum(at > 0 for at in going.values())


def test_a_scale_order_for_a_caste_that_scales_by_itself_is_refused() -> None:
    with pytest.raises(Conflict, match="caste web scales by itself between 2 and 9"):
        scaled(SPEC, Order(operation=HookOperation.SCALE, delta=1, caste="web"))
    assert scaled(SPEC, Order(operation=HookOperation.SCALE, delta=1, caste="store")).castes["store"].count == 2


def test_a_plan_tells_of_it() -> None:
    fixed = msgspec.structs.replace(SPEC, castes={"web": CasteSpec(count=3), "store": CasteSpec(count=1)})
    assert spec_steps(None, SPEC) == ["first spec: 5 nodes"]
    assert spec_steps(fixed, SPEC) == ["caste web: scales from 2 to 9 nodes"]
    assert spec_steps(SPEC, fixed) == ["caste web: 3 nodes, and scales no more"]
    planned = plan(SPEC, SPEC, NODES, {}, elastic=chosen(9))
    assert (planned.changed, planned.missing_nodes) == (False, 3)


def test_what_castes_may_come_to_want_has_a_limit() -> None:
    large = msgspec.structs.replace(SCALE, max=9_000)
    with pytest.raises(InvalidInput, match="castes may come to want 18000 nodes"):
        check_spec(Spec(colony="c", size=9, castes={n: CasteSpec(count=3, scale=large) for n in ("a", "b")}))
