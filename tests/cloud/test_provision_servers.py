"""Servers as they are found in the field: in every state of Nova, locked, on the wrong host."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("openstack")

from provisioning import MARKS, Project, colony, here, unlock

pytestmark = MARKS
__all__ = ["colony", "here"]


def act(here: Project, name: str, body: dict[str, Any], status: str = "") -> str:
    """An action of Nova on a server, as its owner; waits for ``status``. Returns the server's id."""
    server = here.server_id(name)
    answer = here.connection.compute.post(f"/servers/{server}/action", json=body, microversion="2.64")
    assert answer.status_code in (200, 202), answer.text
    if status:
        here.until(lambda: status_of(here, name) == status)
    return server


def status_of(here: Project, name: str) -> str:
    """What Nova shows, once it is done with it."""
    (one,) = [one for one in here.servers() if one["name"] == name]
    return "" if one["OS-EXT-STS:task_state"] else one["status"]


def said(result: dict[str, Any]) -> str:
    """Its warnings, in whatever form this Ansible hands them on."""
    return json.dumps(result.get("warnings", []))


def test_a_locked_server_is_named_before_anything_is_deleted(colony: Project) -> None:
    castes = {"web": {"count": 1}}
    colony.good(3, castes=castes)
    before = [one["id"] for one in colony.servers()]
    locked = act(colony, "bee-1", {"lock": None})
    for result in (
        colony.run(state="absent"),
        colony.run(state="absent", _ansible_check_mode=True),
        colony.run(1, castes=castes, remove=["bee-2", "bee-1"]),
        colony.run(3, castes=castes, replace=["bee-3", "bee-1"]),
    ):
        assert result["failed"]
        assert "server bee-1 cannot be deleted" in result["msg"]
        assert f"openstack server unlock {locked}" in result["msg"]
        assert [one["id"] for one in colony.servers()] == before, "others were deleted first"
        assert not any(group["tags"] for group in colony.groups()), "the lock of the run was left"
    # Nobody named it, so it is left and others go.
    assert [one["name"] for one in colony.good(2, castes=castes)["removed"]] == ["bee-3"]


def test_a_locked_server_fails_nobody_elses_change(colony: Project) -> None:
    colony.good(2)
    locked = act(colony, "bee-1", {"lock": None})
    changed = colony.good(2, castes={"web": {"count": 2}})
    assert "metadata of server bee-1 is not written (aware_caste): somebody locked it" in said(changed)
    assert f"openstack server unlock {locked}" in said(changed)
    assert changed["done"] == ["write metadata of server bee-2: aware_caste"]
    assert not colony.good(2, castes={"web": {"count": 2}})["changed"], "what cannot be done is no change"
    unlock(colony)
    act(colony, "bee-1", {"os-stop": None}, "SHUTOFF")
    act(colony, "bee-1", {"lock": None})
    off = colony.good(2, castes={"web": {"count": 1}})
    assert not any("start" in step for step in off["done"] + off["plan"])
    assert "server bee-1 is off and not started" in said(off)
    unlock(colony)
    on = colony.good(2, castes={"web": {"count": 2}})
    assert on["done"].count("start server bee-1: it is shut off") == 1
    assert status_of(colony, "bee-1") == "ACTIVE"


@pytest.mark.parametrize(
    ("there", "status", "back", "word"),
    [
        ("pause", "PAUSED", "unpause", "unpause"),
        ("suspend", "SUSPENDED", "resume", "resume"),
        ("rescue", "RESCUE", "unrescue", "unrescue"),
        ("shelve", "SHELVED_OFFLOADED", "unshelve", "unshelve"),
    ],
)
def test_a_server_in_another_state_is_said_and_left(
    here: Project, there: str, status: str, back: str, word: str
) -> None:
    here.good(2)
    try:
        act(here, "bee-2", {there: None}, status)
        result = here.good(2, castes={"web": {"count": 2}}, timeout=60)
        assert f"server bee-2 is {status}" in said(result)
        assert f"openstack server {word}" in said(result)
        takes = status in ("PAUSED", "SUSPENDED")
        assert ("metadata of server bee-2 is not written" in said(result)) == (not takes)
        assert not here.good(2, castes={"web": {"count": 2}})["changed"]
        act(here, "bee-2", {back: None}, "ACTIVE")
        assert here.good(2, castes={"web": {"count": 2}})["changed"] == (not takes)
    finally:
        here.good(state="absent", infrastructure={})
    here.empty()


def spread(colony: Project, names: list[str]) -> Counter[str]:
    """How many of these are on each host."""
    return Counter(
        colony.admin.compute.get_server(one["id"]).compute_host for one in colony.servers() if one["name"] in names
    )


@pytest.mark.parametrize("again", range(3))
def test_soft_anti_affinity_is_kept_with_requests_at_the_same_time(colony: Project, again: int) -> None:
    """Three servers that differ are three requests, and so are those a colony grows by."""
    castes = {"a": {"count": 1, "flavor": "m1.tiny"}, "b": {"count": 1, "flavor": "m1.small"}}
    colony.good(3, castes=castes, parallel=8)
    colony.check(3)
    assert set(spread(colony, ["bee-1", "bee-2", "bee-3"]).values()) == {1}, "two are on one host"
    hosts = len([one for one in colony.admin.compute.services(binary="nova-compute") if one.host.startswith("fake")])
    colony.good(hosts, castes=castes, parallel=8)
    assert max(spread(colony, colony.names()).values()) == 1


def test_zones_are_asked_for_at_the_same_time_and_spread_within(colony: Project) -> None:
    zones = {"availability_zones": ["az1", "az2"]}
    made = colony.good(4, infrastructure=zones, parallel=8, multi_create=False)
    assert sorted(host["aware_zone"] for host in made["hosts"]) == ["az1", "az1", "az2", "az2"]
    in_az1 = [host["name"] for host in made["hosts"] if host["aware_zone"] == "az1"]
    there = len([one for one in colony.admin.compute.services(binary="nova-compute") if one.availability_zone == "az1"])
    assert len(spread(colony, in_az1)) == min(2, there)
