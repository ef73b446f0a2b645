"""openstack_cluster at the limits of a real cloud: quotas that change meanwhile, too few hosts, what is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

pytest.importorskip("openstack")

from faults import proxy
from provisioning import Project, project, reachable

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(not reachable(), reason="no test cloud here: make test-cloud"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def here() -> Iterator[Project]:
    """One project for the tests of this file."""
    with project() as made:
        yield made


@pytest.fixture
def colony(here: Project) -> Iterator[Project]:
    """A project without servers, before and after."""
    yield here
    here.good(state="absent", infrastructure={})
    here.empty()


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


def test_a_volume_where_there_is_no_volume_service(colony: Project) -> None:
    """This cloud has no cinder, so that is all that can be seen here: a clear end and nothing that stays."""
    result = colony.run(2, infrastructure={"boot_volume": {"size_gib": 1}})
    assert result["failed"]
    assert "bee-1" in result["msg"]
    assert "\n" not in result["msg"]


def test_existing_ports_are_too_few(colony: Project) -> None:
    result = colony.run(2, infrastructure={"networks": [], "ports": ["11111111-2222-3333-4444-555555555555"]})
    assert "infrastructure.ports has 1 ports for 2 servers" in result["msg"]


def test_etcd_keeps_its_majority(colony: Project) -> None:
    """The marks live with the servers, so a run from anywhere knows them."""
    made = colony.good(4, etcd_size=3)
    assert [host["aware_etcd_state"] for host in made["hosts"]] == ["wanted"] * 3 + [""]
    assert [host["name"] for host in made["hosts"] if "aware_etcd" in host["groups"]] == ["bee-1", "bee-2", "bee-3"]
    members = ["bee-1", "bee-2", "bee-3"]
    marked = colony.good(4, etcd_size=3, etcd_members=members)
    assert [host["aware_etcd_state"] for host in marked["hosts"]] == ["member"] * 3 + [""]
    assert not colony.good(4, etcd_size=3, etcd_members=members)["changed"]
    assert not colony.good(4, etcd_size=3)["changed"]

    replaced = colony.good(4, etcd_size=3, replace=["bee-2"])
    assert {host["name"]: host["aware_etcd_state"] for host in replaced["hosts"]}["bee-2"] == "wanted"
    refused = colony.run(4, etcd_size=3, replace=["bee-3"])
    assert "without bee-3 etcd would have no majority of its 3 members" in refused["msg"]
    colony.good(4, etcd_size=3, etcd_members=members)
    shrunk = colony.good(2, etcd_size=1)
    assert [one["name"] for one in shrunk["removed"]] == ["bee-4", "bee-2"], "without etcd first, then the youngest"
    assert "no majority" in colony.run(1, etcd_size=1)["msg"]
