"""openstack_cluster with an interface that fails, loses answers and goes away: the proxy of faults.py is between."""

from __future__ import annotations

import pytest

pytest.importorskip("openstack")

from faults import proxy
from provisioning import MARKS, Project, here

pytestmark = MARKS
__all__ = ["here"]


@pytest.mark.parametrize("many", [True, False])
def test_refused_requests_and_lost_answers(here: Project, many: bool) -> None:
    with proxy(here) as faults:
        faults.refuse, faults.lose = 0.15, 0.15
        here.good(4, multi_create=many)
        here.check(4)
        here.good(2)
        here.check(2)
        here.good(state="absent")
        here.empty()
    assert faults.refused > 0
    assert faults.lost > 0


def test_gone_half_way_and_back(here: Project) -> None:
    with proxy(here) as faults:
        faults.down_after_posts = 2
        result = here.run(4, multi_create=False, parallel=1, retry_timeout=6)
        assert result["failed"]
        assert "come back later" in result["msg"]
        assert "server bee-3" in result["msg"]
        assert len([step for step in result["done"] if step.startswith("create server bee-")]) == 2
        faults.down_after_posts = -1
        again = here.good(4, retry_timeout=6)
        assert [step for step in again["plan"] if step.startswith("create server")] == [
            "create server bee-3: spare",
            "create server bee-4: spare",
        ]
        here.check(4)
        here.good(state="absent")
        here.empty()


def test_a_lock_and_a_group_through_a_failing_neutron(here: Project) -> None:
    with proxy(here, "network") as faults:
        faults.refuse, faults.lose = 0.15, 0.15
        here.good(2)
        here.check(2)
        here.good(state="absent")
        here.empty()
    assert faults.refused > 0
    assert faults.lost > 0


@pytest.mark.parametrize("many", [True, False])
def test_a_burst_of_503_in_mid_run(here: Project, many: bool) -> None:
    """Every request fails for some seconds after the first server was asked for; the run outlasts it."""
    with proxy(here) as faults:
        faults.burst_s = 6
        here.good(4, multi_create=many)
        here.check(4)
        assert faults.refused > 0
        assert faults.posts <= 8, "a request that was answered was sent again"
        here.good(state="absent")
        here.empty()


def test_nothing_answers_at_all(here: Project) -> None:
    before = here.cloud
    here.cloud = {**before, "compute_endpoint_override": "http://127.0.0.1:9/v2.1"}
    try:
        result = here.run(2, retry_timeout=3)
    finally:
        here.cloud = before
    assert result["failed"]
    assert "still failing after 3 s" in result["msg"]
    assert "127.0.0.1:9" in result["msg"]
    here.empty()
