"""The arithmetic of orders: what is possible, what a signature bounds, what a spec becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.hook import MAX_DELTA, HookOperation, Order, check_order, narrowed, scaled
from aware_agent.colony.spec import CasteSpec, Spec, check_spec

SPEC = Spec(colony="demo", size=4, castes={"web": CasteSpec(count=2), "db": CasteSpec(count=1)})


def order(**values: object) -> Order:
    return Order(**{"operation": HookOperation.SCALE, "delta": 1, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"delta": 0}, "delta"),
        ({"delta": MAX_DELTA + 1}, "delta"),
        ({"delta": -MAX_DELTA - 1}, "delta"),
        ({"max_size": -1}, "max_size"),
        ({"caste": "Web!"}, "caste"),
        ({"reference": "a b"}, "reference"),
        ({"reference": "a\n"}, "reference"),
        ({"operation": HookOperation.VERIFY}, "operation"),
        ({"operation": HookOperation.JOIN, "delta": 0, "caste": "web"}, "operation"),
    ],
)
def test_impossible_orders_are_refused(values: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_order(order(**values))
    assert refused.value.field == field


def test_scaling_changes_size_and_the_one_caste() -> None:
    after = scaled(SPEC, order(delta=2, caste="web", max_size=6))
    assert (after.size, after.castes["web"].count, after.castes["db"].count) == (6, 4, 1)
    assert scaled(SPEC, order(delta=-1)).size == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"delta": 2, "max_size": 5}, "limit of 5"),
        ({"delta": -4}, "size 0"),
        ({"delta": -2}, "castes want 3 nodes"),
        ({"delta": -3, "caste": "web"}, "count -1"),
    ],
)
def test_limits_are_conflicts(values: dict[str, object], said: str) -> None:
    with pytest.raises(Conflict, match=said):
        scaled(SPEC, order(**values))


def test_max_size_does_not_stop_shrinking() -> None:
    assert scaled(SPEC, order(delta=-1, max_size=1)).size == 3


@given(st.integers(-100, 100), st.integers(-100, 100))
def test_a_caller_never_gets_more_than_was_granted(granted: int, asked: int) -> None:
    grant = order(delta=granted)
    try:
        given_order = narrowed(grant, asked, "r")
    except InvalidInput:
        return
    assert abs(given_order.delta) <= abs(granted)
    assert given_order.delta * granted >= 0
    assert given_order.max_size == grant.max_size


@given(st.integers(-100, 100), st.integers(0, 200), st.sampled_from(["", "web", "db"]))
def test_a_scaled_spec_is_possible_and_within_the_limit(delta: int, limit: int, caste: str) -> None:
    try:
        after = scaled(SPEC, order(delta=delta, max_size=limit, caste=caste))
    except Conflict:
        return
    check_spec(after)
    assert after.size == SPEC.size + delta
    assert not (delta > 0 and limit and after.size > limit)
