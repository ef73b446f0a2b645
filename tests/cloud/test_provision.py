"""openstack_cluster against a real OpenStack: make, keep, scale, heal, and every way to refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("openstack")

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import Lock
from provisioning import MARKS, Project, here, result_of

pytestmark = MARKS
__all__ = ["here"]


@pytest.fixture
def colony(here: Project) -> Iterator[Project]:
    """A project without servers."""
    yield here
    result = here.good(state="absent", infrastructure={})
    here.empty()
    assert not here.good(state="absent")["changed"], result


CASTES = {"web": {"count": 2}}


def test_the_life_of_a_colony(colony: Project) -> None:
    planned = colony.good(3, castes=CASTES, _ansible_check_mode=True, _ansible_diff=True)
    assert planned["changed"]
    assert "create server bee-1: caste web" in planned["plan"]
    assert set(planned["diff"]["after"]["nodes"]) == {"bee-1", "bee-2", "bee-3"}
    assert not colony.servers()
    assert not colony.groups(), "check mode changed something"

    made = colony.good(3, castes=CASTES)
    assert made["plan"] == planned["plan"]
    colony.check(3)
    assert [host["name"] for host in made["hosts"]] == ["bee-1", "bee-2", "bee-3"]
    assert all(host["ansible_host"].startswith("10.232.0.") for host in made["hosts"])
    assert [host["groups"] for host in made["hosts"]] == [["aware_bootstrap", "web"]] * 2 + [
        ["aware_bootstrap", "spare"]
    ]
    assert colony.info()["hosts"] == made["hosts"]

    again = colony.good(3, castes=CASTES)
    assert not again["changed"]
    assert again["plan"] == again["done"] == []
    assert again["hosts"] == made["hosts"]

    grown = colony.good(5, castes=CASTES)
    assert grown["plan"] == ["create server bee-4: spare", "create server bee-5: spare"]
    colony.check(5)

    colony.delete("bee-2")
    healed = colony.good(5, castes=CASTES)
    assert len(healed["plan"]) == 2, healed["plan"]  # a spare takes the work, a new server is the spare
    colony.check(5)
    assert colony.names() == [f"bee-{number}" for number in range(1, 6)]

    queen = colony.server_id("bee-5")
    shrunk = colony.good(2, castes=CASTES, protect=["bee-5"], remove=["bee-1"])
    assert "bee-1" in [one["name"] for one in shrunk["removed"]]
    assert len(shrunk["removed"]) == 3
    colony.check(2)
    assert colony.server_id("bee-5") == queen

    replaced = colony.good(2, castes=CASTES, replace=[queen])
    assert [one["id"] for one in replaced["removed"]] == [queen]
    assert not colony.good(2, castes=CASTES, replace=[queen])["changed"], "a repeated replacement replaced again"
    colony.check(2)


def test_one_by_one_over_zones(colony: Project) -> None:
    made = colony.good(3, infrastructure={"availability_zones": ["az1", "az2", "az3"]}, term=42, multi_create=False)
    assert sorted(host["aware_zone"] for host in made["hosts"]) == ["az1", "az2", "az3"]
    colony.check(3)
    assert {one["metadata"]["aware_term"] for one in colony.servers()} == {"42"}


def test_quota_is_checked_before_the_first_server(colony: Project) -> None:
    colony.quota(instances=2)
    try:
        result = colony.run(5)
        assert result["failed"]
        assert "5 instances are wanted, 2 of 2 are left" in result["msg"]
        assert not colony.servers()
        assert not colony.groups()
    finally:
        colony.quota(instances=-1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"infrastructure": {"image": "nosuch"}}, "there is no image 'nosuch' in this project; there is"),
        ({"infrastructure": {"flavor": "m1.tyni"}}, "there is no flavor 'm1.tyni' in this project; there is m1.tiny"),
        ({"infrastructure": {"networks": ["nosuch"]}}, "there is no network 'nosuch'"),
        ({"infrastructure": {"availability_zones": ["mars"]}}, "there is no availability zone 'mars'; there is az1"),
        ({"infrastructure": {"keypair": {"name": "nosuch"}}}, "there is no keypair 'nosuch'"),
        ({"infrastructure": {"flavor": None, "requires": {"vcpus": 999}}}, "no flavor has 999 vCPU"),
        ({"castes": {"db": {"count": 1, "requires": {"ram_mib": 4096}}}}, "flavor m1.tiny has 1 vCPU, 512 MiB RAM"),
    ],
)
def test_what_is_not_there_is_named_and_nothing_is_made(here: Project, more: dict, message: str) -> None:
    result = here.run(1, **more)
    assert result["failed"]
    assert message in result["msg"]
    here.empty()


def test_a_network_without_dhcp_is_refused(here: Project) -> None:
    network = here.connection.network.create_network(name="dumb")
    try:
        assert "no subnet" in here.run(1, infrastructure={"networks": ["dumb"]})["msg"]
        here.connection.network.create_subnet(
            network_id=network.id, name="dumb", ip_version=4, cidr="10.77.0.0/24", is_dhcp_enabled=False
        )
        assert "without DHCP" in here.run(1, infrastructure={"networks": ["dumb"]})["msg"].replace(
            "no subnet with", "without"
        )
        here.empty()
    finally:
        here.connection.network.delete_network(network)


def test_wrong_credentials(here: Project) -> None:
    auth = {**here.cloud["auth"], "password": "wrong"}
    result = here.run(1, cloud={**here.cloud, "auth": auth})
    assert result["failed"]
    assert "the cloud refused the credentials" in result["msg"]
    assert "wrong" not in result["msg"]


def test_the_smallest_flavor_is_found(colony: Project) -> None:
    castes = {"db": {"count": 1, "requires": {"vcpus": 2, "ram_mib": 2048}}}
    made = colony.good(2, castes=castes, infrastructure={"flavor": None, "requires": {"ram_mib": 512}})
    sizes = {host["aware_caste"]: (host["aware_vcpus"], host["aware_ram_mib"]) for host in made["hosts"]}
    assert sizes == {"db": (2, 4096), "": (1, 512)}


def test_a_server_of_somebody_else_is_in_the_way(colony: Project) -> None:
    colony.good(1)
    network = colony.connection.network.find_network("public")
    stranger = colony.connection.compute.create_server(
        name="bee-2",
        image_id=colony.connection.image.find_image("tiny").id,
        flavor_id=colony.connection.compute.find_flavor("m1.tiny").id,
        networks=[{"uuid": network.id}],
    )
    try:
        result = colony.run(2)
        assert result["failed"]
        assert "a server named bee-2 exists and does not belong to colony bee" in result["msg"]
        assert colony.info()["foreign"] == ["bee-2"]
        assert not colony.good(1)["changed"]
        colony.good(state="absent")
        assert colony.names() == ["bee-2"], "somebody else's server is gone"
    finally:
        colony.connection.compute.delete_server(stranger)
        colony.until(lambda: not colony.servers())


def test_failed_servers_are_reported_with_the_reason_and_replaced_when_asked(colony: Project) -> None:
    flavor = colony.admin.compute.create_flavor(
        name=f"huge-{colony.id[:8]}", vcpus=100000, ram=512, disk=1, is_public=False
    )
    colony.admin.compute.flavor_add_tenant_access(flavor, colony.id)
    castes = {"db": {"count": 1, "flavor": flavor.name}}
    colony.quota(cores=-1)  # or its lack is said before the first server
    try:
        result = colony.run(2, castes=castes)
        assert result["failed"]
        assert "is in ERROR: No valid host was found" in result["msg"]
        assert sorted(one["status"] for one in colony.servers()) == ["ACTIVE", "ERROR"]
        result = colony.run(2, castes=castes, replace_failed=True)
        assert "after 5 rounds" in result["msg"]
        assert "No valid host" in result["msg"]
    finally:
        colony.admin.compute.delete_flavor(flavor)
        colony.stock_quotas()
    assert colony.good(2, replace_failed=True)["removed"]
    colony.check(2)
    victim = colony.server_id("bee-1")
    answer = colony.admin.compute.post(f"/servers/{victim}/action", json={"os-resetState": {"state": "error"}})
    assert answer.status_code == 202
    assert "bee-1" in colony.run(2)["msg"]
    colony.good(2, replace_failed=True)
    colony.check(2)
    assert colony.server_id("bee-1") != victim


def test_two_at_once(colony: Project) -> None:
    both = [colony.start(colony.options(3)) for _ in range(2)]
    results = [result_of(process) for process in both]
    assert not [result["msg"] for result in results if result.get("failed")]
    colony.check(3)
    assert sum(len(result["done"]) > 2 for result in results) == 1, results


def test_the_second_refuses_and_says_for_whom(colony: Project) -> None:
    first = colony.start(colony.options(2))
    try:
        colony.until(lambda: any(group["tags"] for group in colony.groups()))
        refused = colony.run(4, lock_wait=0)
        assert refused["failed"]
        assert "colony bee is being changed by" in refused["msg"]
        assert "(run " in refused["msg"]
    finally:
        result_of(first)
    colony.check(2)


def test_of_many_at_once_each_is_alone(colony: Project) -> None:
    """Threads that take the lock of a colony not made yet; never are two inside."""
    inside: list[int] = []
    alone: list[bool] = []

    def enter(number: int) -> None:
        with Lock(Cloud(colony.connection), "bee", f"thread-{number}", wait_s=200, life_s=90):
            inside.append(number)
            time.sleep(0.2)
            alone.append(inside == [number])
            inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enter, range(12)))
    assert alone == [True] * 12
    # Two first runs may have made two groups; the next run tidies up.
    colony.good(1)
    colony.check(1)


@contextmanager
def own_network(here: Project) -> Iterator[Any]:
    """A network with a router to the public one."""
    network = here.connection.network
    made = network.create_network(name="inner")
    subnet = network.create_subnet(network_id=made.id, name="inner", ip_version=4, cidr="10.78.0.0/24")
    public = network.find_network("public")
    router = network.create_router(name="inner", external_gateway_info={"network_id": public.id})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    try:
        yield made
    finally:
        here.good(state="absent")
        network.remove_interface_from_router(router, subnet_id=subnet.id)
        network.delete_router(router)
        network.delete_network(made)


def test_floating_addresses_ports_and_a_keypair(here: Project) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv5mX0pHc0M7yqSgpmQH3m6r2Z8o0r1dPpM3s3XxqO4"
    parts = {"networks": ["inner"], "floating_network": "public", "keypair": {"public_key": f"{key} me@here"}}
    with own_network(here) as network:
        made = here.good(2, infrastructure=parts)
        addresses = {host["name"]: host["ansible_host"] for host in made["hosts"]}
        assert all(address.startswith("10.232.0.") for address in addresses.values())
        assert all(host["aware_address"].startswith("10.78.0.") for host in made["hosts"])
        assert not here.good(2, infrastructure=parts)["changed"]
        wrong = {**parts, "keypair": {"public_key": key.replace("AAAAIHv5", "AAAAIHv6")}}
        assert "holds another public key" in here.run(2, infrastructure=wrong)["msg"]

        here.delete("bee-2")
        healed = here.good(2, infrastructure=parts)
        assert {host["name"]: host["ansible_host"] for host in healed["hosts"]} == addresses, "the address was not kept"
        here.check(2)
        assert here.good(state="absent")["changed"]
        assert not list(here.connection.network.ips(project_id=here.id))
        assert not list(here.connection.compute.keypairs())
        here.empty()

        port = here.connection.network.create_port(network_id=network.id, name="mine")
        made = here.good(1, infrastructure={"networks": [], "ports": [port.id]})
        assert made["hosts"][0]["ansible_host"] == port.fixed_ips[0]["ip_address"]
        here.good(state="absent")
        here.empty()
        here.connection.network.delete_port(port)
