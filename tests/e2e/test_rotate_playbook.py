"""``playbooks/rotate.yml`` on a demo: a new CA and secret, and all that worked before works after."""

from __future__ import annotations

import json

import pytest

from tests.e2e.test_demo import Checkout, changes, checkout

pytestmark = pytest.mark.e2e

__all__ = ["checkout"]


@pytest.mark.deep
def test_a_local_colony_is_rotated_and_goes_on_as_before(checkout: Checkout) -> None:
    """Rotated; then the site playbook changes nothing, and lets a new node in when the spec wants one more."""
    spec = checkout.root / "inventories" / "local" / "cluster.yml"
    spec.write_text(spec.read_text().replace("size: 5", "size: 3").replace("count: 2", "count: 1"))
    checkout.must("ansible-playbook", "playbooks/site.yml", "-i", "inventories/local")
    hosts = checkout.inventory()["hosts"]
    checkout.must("ansible-playbook", "playbooks/rotate.yml", "-i", "inventories/local")
    status = json.loads(checkout.must("aware", "rotation", "status", "--json"))
    assert (status["phase"], status["generation"]) == ("settled", 2)
    assert {node["signed_by"] for node in status["nodes"]} == {2}
    again = checkout.must("ansible-playbook", "playbooks/site.yml", "-i", "inventories/local")
    assert set(changes(again)) == {0}, again
    assert checkout.inventory()["hosts"] == hosts
    spec.write_text(spec.read_text().replace("\nsize: 3", "\nsize: 4"))
    checkout.must("ansible-playbook", "playbooks/site.yml", "-i", "inventories/local")
    assert len(checkout.inventory()["hosts"]) == 4  # type: ignore[arg-type]
