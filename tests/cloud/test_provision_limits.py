"""openstack_cluster at the limits of a real cloud: quotas that change meanwhile, too few hosts, what is not there."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

pytest.importorskip("openstack")

from faults import proxy
from provisioning import MARKS, Project, colony, here

pytestmark = MARKS
__all__ = ["colony", "here"]


def lowered(colony: Project, at: int, to: int) -> dict:
    """What a proxy shall do: at the ``at``-th creation the quota is ``to`` servers, before Nova sees the request."""
    once = threading.Lock()

    def hook(posts: int) -> None:
        with once:
            if posts == at:
                colony.quota(instances=to)

    return {"before_post": hook}


def test_quota_exceeded_at_the_third_server(colony: Project) -> None:
    try:
        with proxy(colony, **lowered(colony, 3, 2)):
            result = colony.run(4, multi_create=False, parallel=1)
        assert result["failed"]
        assert "server bee-3: POST /servers: 403 Quota exceeded for instances" in result["msg"]
        assert "it goes on from here" in result["msg"]
        assert [step for step in result["done"] if "server bee-" in step] == [
            "create server bee-1: spare",
            "create server bee-2: spare",
        ]
        assert colony.names() == ["bee-1", "bee-2"]
        assert not any(group["tags"] for group in colony.groups()), "the lock was not given back"
        again = colony.run(4)
        assert "quota: 2 instances are wanted, 0 of 2 are left" in again["msg"]
    finally:
        colony.quota(instances=-1)
    rest = colony.good(4)
    assert [step for step in rest["plan"] if step.startswith("create")] == [
        "create server bee-3: spare",
        "create server bee-4: spare",
    ]
    colony.check(4)


def test_quota_exceeded_by_one_request_for_many(colony: Project) -> None:
    try:
        with proxy(colony, **lowered(colony, 1, 3)):
            result = colony.run(4)
        assert "servers bee-1 to bee-4: POST /servers: 403 Quota exceeded for instances" in result["msg"]
        assert "it goes on from here" in result["msg"]
        assert not colony.servers(), "Nova makes all or none"
    finally:
        colony.quota(instances=-1)
    colony.good(4)
    colony.check(4)


def test_hard_anti_affinity(colony: Project) -> None:
    """As many servers as hosts are on a host each; one more has no place, and the message says why."""
    hosts = len([one for one in colony.admin.compute.services(binary="nova-compute") if one.host.startswith("fake")])
    apart = {"server_group": "anti-affinity"}
    colony.good(hosts, infrastructure=apart)
    colony.check(hosts)
    assert len({colony.admin.compute.get_server(one["id"]).compute_host for one in colony.servers()}) == hosts

    result = colony.run(hosts + 1, infrastructure=apart)
    assert result["failed"]
    assert f"server bee-{hosts + 1}" in result["msg"]
    assert "No valid host was found" in result["msg"]
    assert "anti-affinity puts no two on one host" in result["msg"]
    assert sum(one["status"] == "ACTIVE" for one in colony.servers()) == hosts

    # The failed one goes first.
    shrunk = colony.good(hosts, infrastructure=apart)
    assert [one["name"] for one in shrunk["removed"]] == [f"bee-{hosts + 1}"]
    colony.check(hosts)
    soft = colony.run(hosts, infrastructure={"server_group": "soft-anti-affinity"})
    assert "has policy anti-affinity and members; Nova cannot change it" in soft["msg"]


def test_an_image_by_its_properties(colony: Project) -> None:
    """The newest active one that has them all; what it needs chooses the flavor."""
    image = colony.connection.image
    made = []
    try:
        for name, version in (("bee-os-1", "1"), ("bee-os-2", "2")):
            entry = image.post(
                "/images",
                json={
                    **{"name": name, "disk_format": "raw", "container_format": "bare", "min_ram": 1024},
                    **{"os_distro": "beeos", "os_version": version, "visibility": "private"},
                },
            ).json()
            made.append(entry["id"])
            if version == "1":
                answer = image.put(
                    f"/images/{entry['id']}/file",
                    data=bytes(4096),
                    headers={"Content-Type": "application/octet-stream"},
                )
                assert answer.status_code == 204, answer.text
        wanted = {"image": None, "flavor": None, "image_properties": {"os_distro": "beeos"}}
        result = colony.run(1, infrastructure={**wanted, "image_properties": {"os_distro": "beeos", "os_version": "2"}})
        assert "there is no active image with os_distro=beeos, os_version=2" in result["msg"]
        colony.good(1, infrastructure=wanted)
        (server,) = colony.servers()
        assert server["image"]["id"] == made[0], "one that is not active was taken"
        assert server["flavor"]["ram"] == 1024, "the image needs 1 GiB of RAM"
    finally:
        colony.good(state="absent")
        for one in made:
            with suppress(Exception):
                image.delete_image(one)


def test_existing_ports_are_too_few(colony: Project) -> None:
    result = colony.run(2, infrastructure={"networks": [], "ports": ["11111111-2222-3333-4444-555555555555"]})
    assert "infrastructure.ports has 1 ports for 2 servers" in result["msg"]


def test_who_sits_in_the_council_goes_last(colony: Project) -> None:
    colony.good(4)
    shrunk = colony.good(2, council=["bee-3", "bee-4"])
    assert sorted(one["name"] for one in shrunk["removed"]) == ["bee-1", "bee-2"]
