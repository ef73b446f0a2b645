"""A cloud that keeps deleted servers for a while (reclaim_instance_interval): they are as good as gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openstack")

from cloud_support import Cloud
from provisioning import MARKS, Project, project

pytestmark = MARKS


@pytest.fixture(scope="module")
def here(cloud: Cloud) -> Iterator[Project]:
    """A project with a routed network, in a cloud that deletes softly."""
    with cloud.soft_deleting(), project() as made:
        neutron = made.connection.network
        network = neutron.create_network(name="inner")
        subnet = neutron.create_subnet(network_id=network.id, name="inner", ip_version=4, cidr="10.91.0.0/24")
        router = neutron.create_router(
            name="inner", external_gateway_info={"network_id": neutron.find_network("public").id}
        )
        neutron.add_interface_to_router(router, subnet_id=subnet.id)
        try:
            yield made
        finally:
            purge(made)
            neutron.remove_interface_from_router(router, subnet_id=subnet.id)
            neutron.delete_router(router)
            neutron.delete_network(network)


PARTS = {"networks": ["inner"], "floating_network": "public"}


def dead(here: Project) -> list[str]:
    """Ids of servers that are deleted softly; only an administrator may list them."""
    query = {"all_tenants": "1", "deleted": "true", "project_id": here.id}
    found = here.admin.compute.get("/servers/detail", params=query).json()["servers"]
    return [one["id"] for one in found if one["status"] == "SOFT_DELETED"]


def purge(here: Project) -> None:
    """End them for good."""
    for server in dead(here):
        here.admin.compute.post(f"/servers/{server}/action", json={"forceDelete": None})
    here.until(lambda: not dead(here))


def test_a_server_deleted_softly_is_as_good_as_gone(here: Project) -> None:
    made = here.good(2, infrastructure=PARTS)
    addresses = {host["name"]: host["ansible_host"] for host in made["hosts"]}
    ids = {host["name"]: host["aware_server_id"] for host in made["hosts"]}
    here.delete("bee-2")
    assert dead(here) == [ids["bee-2"]], "the rig does not delete softly"
    left = here.info()["hosts"]
    assert [host["name"] for host in left] == ["bee-1"]

    healed = here.good(2, infrastructure=PARTS)
    assert {host["name"]: host["ansible_host"] for host in healed["hosts"]} == addresses
    assert here.server_id("bee-2") != ids["bee-2"]
    assert port_device(here, addresses["bee-2"]) == here.server_id("bee-2"), "the dead server kept the address"
    assert here.info()["hosts"] == healed["hosts"]
    assert not here.good(2, infrastructure=PARTS)["changed"]

    shrunk = here.good(1, infrastructure=PARTS)
    assert len(shrunk["removed"]) == 1
    assert len(list(here.connection.network.ips(project_id=here.id))) == 1, "the address of a dead server stays"

    ended = here.good(state="absent", infrastructure={})
    assert ended["changed"]
    here.empty()
    assert not list(here.connection.network.ips(project_id=here.id))
    assert not here.good(state="absent", infrastructure={})["changed"]
    assert len(dead(here)) == 3, "who deletes softly may want them back"


def test_a_colony_made_after_one_that_was_destroyed_has_nothing_of_the_dead(here: Project) -> None:
    assert dead(here)
    made = here.good(2, infrastructure=PARTS)
    assert sorted(host["aware_server_id"] for host in made["hosts"]) == sorted(one["id"] for one in here.servers())
    for host in made["hosts"]:
        assert port_device(here, host["ansible_host"]) == host["aware_server_id"]
    assert here.good(state="absent", infrastructure={})["changed"]
    here.empty()


def port_device(here: Project, address: str) -> Any:
    """Which server's port a floating address is bound to."""
    neutron = here.connection.network
    (entry,) = [one for one in neutron.ips(project_id=here.id) if one.floating_ip_address == address]
    return neutron.get_port(entry.port_id).device_id
