"""Which address is whose: several networks, floating addresses, ports outside the group, things that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

pytest.importorskip("openstack")

from provisioning import MARKS, Project, project

pytestmark = MARKS


@contextmanager
def network(here: Project, name: str, subnet: int, *, router: bool) -> Iterator[Any]:
    """A network of the project's own, 10.90.SUBNET.0/24, with a router to the public one or without."""
    neutron = here.connection.network
    made = neutron.create_network(name=name)
    inside = neutron.create_subnet(network_id=made.id, name=name, ip_version=4, cidr=f"10.90.{subnet}.0/24")
    try:
        if not router:
            yield made
            return
        public = neutron.find_network("public")
        way = neutron.create_router(name=name, external_gateway_info={"network_id": public.id})
        neutron.add_interface_to_router(way, subnet_id=inside.id)
        try:
            yield made
        finally:
            neutron.remove_interface_from_router(way, subnet_id=inside.id)
            neutron.delete_router(way)
    finally:
        neutron.delete_network(made)


@pytest.fixture(scope="module")
def here() -> Iterator[Project]:
    """A project with three networks: z-blind leads nowhere, m-first and a-second have a router each."""
    with project() as made, ExitStack() as stack:
        stack.enter_context(network(made, "z-blind", 1, router=False))
        stack.enter_context(network(made, "m-first", 2, router=True))
        stack.enter_context(network(made, "a-second", 3, router=True))
        try:
            yield made
        finally:
            made.good(state="absent", infrastructure={})


@pytest.fixture
def colony(here: Project) -> Iterator[Project]:
    """The project without servers, before and after."""
    yield here
    here.good(state="absent", infrastructure={})
    here.empty()
    assert not list(here.connection.network.ips(project_id=here.id))


def network_of(here: Project, address: str) -> str:
    """Name of the network whose port a floating address is bound to."""
    neutron = here.connection.network
    (entry,) = [one for one in neutron.ips(project_id=here.id) if one.floating_ip_address == address]
    return str(neutron.get_network(neutron.get_port(entry.port_id).network_id).name)


def inside(host: dict[str, Any]) -> str:
    """The third number of its address inside."""
    return str(host["aware_address"]).split(".")[2]


def test_the_floating_address_goes_where_a_router_is(colony: Project) -> None:
    parts = {"networks": ["z-blind", "m-first", "a-second"], "floating_network": "public"}
    made = colony.good(3, infrastructure=parts)
    assert [network_of(colony, host["ansible_host"]) for host in made["hosts"]] == ["m-first"] * 3
    assert [inside(host) for host in made["hosts"]] == ["1"] * 3, "nodes know each other at their first interface"
    assert colony.info()["hosts"] == made["hosts"]
    assert not colony.good(3, infrastructure=parts)["changed"]
    before = [host["ansible_host"] for host in made["hosts"]]

    parts["address_network"] = colony.connection.network.find_network("a-second").id
    moved = colony.good(3, infrastructure=parts)
    assert len([step for step in moved["done"] if step.startswith("move the floating address of server bee-")]) == 3
    assert [host["ansible_host"] for host in moved["hosts"]] == before, "an address moves, it does not change"
    assert [network_of(colony, address) for address in before] == ["a-second"] * 3
    assert [inside(host) for host in moved["hosts"]] == ["3"] * 3
    parts["address_network"] = "a-second"
    again = colony.good(3, infrastructure=parts)
    assert not again["changed"]
    assert again["hosts"] == moved["hosts"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"networks": ["z-blind"]}, ["no router leads from network z-blind to floating_network public", "router add"]),
        (
            {"networks": ["z-blind", "m-first"], "address_network": "z-blind"},
            ["no router leads from network z-blind", "as address_network: m-first"],
        ),
        (
            {"networks": ["m-first", "a-second"], "address_network": "m-frist"},
            ["address_network 'm-frist' is no network of the servers, which are: m-first (", "a-second ("],
        ),
        ({"networks": ["m-first"], "address_network": "public"}, ["address_network 'public' is no network of the"]),
        ({"networks": [], "ports": ["11111111-2222-3333-4444-555555555555"]}, ["there is no port 11111111-2222"]),
    ],
)
def test_what_cannot_be_reached_is_refused_before_the_first_change(
    colony: Project, parts: dict[str, Any], words: list[str]
) -> None:
    result = colony.run(1, infrastructure={**parts, "floating_network": "public"})
    assert result["failed"]
    for word in words:
        assert word in result["msg"]
    colony.empty()


def test_a_wrong_one_is_healed(colony: Project) -> None:
    """Somebody bound it to another port of the server; and one to a server that is not of the colony."""
    parts = {"networks": ["m-first", "a-second"], "floating_network": "public"}
    made = colony.good(2, infrastructure=parts)
    neutron = colony.connection.network
    address = made["hosts"][0]["ansible_host"]
    (entry,) = [one for one in neutron.ips(project_id=colony.id) if one.floating_ip_address == address]
    other = neutron.find_network("a-second").id
    (port,) = neutron.ports(device_id=made["hosts"][0]["aware_server_id"], network_id=other)
    neutron.update_ip(entry, port_id=port.id)
    assert network_of(colony, address) == "a-second"
    healed = colony.good(2, infrastructure=parts)
    assert healed["plan"] == ["move the floating address of server bee-1 to its port on the right network"]
    assert network_of(colony, address) == "m-first"
    assert healed["hosts"] == made["hosts"]
    wrong = colony.info_at("m-frist")
    assert "address_network 'm-frist' is no network of the servers, which are: " in wrong["msg"]
    assert {inside(host) for host in colony.info_at("a-second")["hosts"]} == {"3"}


def test_ports_outside_the_group_are_put_in(colony: Project) -> None:
    neutron = colony.connection.network
    parts = {"networks": ["m-first"], "security_group": {"manage": False}}
    made = colony.good(2, infrastructure=parts)
    (group,) = colony.groups()
    ports = list(neutron.ports(network_id=neutron.find_network("m-first").id, device_owner="compute:nova"))
    ports = ports or [port for host in made["hosts"] for port in neutron.ports(device_id=host["aware_server_id"])]
    assert all(group["id"] not in port.security_group_ids for port in ports)

    parts = {"networks": ["m-first"]}
    planned = colony.good(2, infrastructure=parts, _ansible_check_mode=True)
    mended = colony.good(2, infrastructure=parts)
    assert planned["plan"] == mended["plan"]
    assert sum("into the colony's security groups" in step for step in mended["done"]) == 2
    assert all(group["id"] in neutron.get_port(port.id).security_group_ids for port in ports)
    assert all(len(neutron.get_port(port.id).security_group_ids) == 2 for port in ports), "those they had stay"
    assert not colony.good(2, infrastructure=parts)["changed"]

    for port in ports:
        neutron.update_port(port, security_groups=[])
    neutron.delete_security_group(group["id"])
    anew = colony.good(2, infrastructure=parts)
    assert sum("into the colony's security groups" in step for step in anew["done"]) == 2
    (group,) = colony.groups()
    assert all(neutron.get_port(port.id).security_group_ids == [group["id"]] for port in ports)


def test_a_port_of_the_user_is_only_spoken_of(colony: Project) -> None:
    neutron = colony.connection.network
    port = neutron.create_port(network_id=neutron.find_network("m-first").id, name="mine")
    parts = {"networks": ["a-second"], "ports": [port.id], "address_network": "m-first"}
    try:
        before = neutron.get_port(port.id).security_group_ids
        made = colony.good(1, infrastructure=parts)
        assert inside(made["hosts"][0]) == "2"
        assert f"port {port.id} of server bee-1 is yours and not in the colony's security groups" in said(made)
        assert f"openstack port set --security-group {colony.groups()[0]['id']} {port.id}" in said(made)
        assert neutron.get_port(port.id).security_group_ids == before
        assert not colony.good(1, infrastructure=parts)["changed"]
        neutron.update_port(port, security_groups=[colony.groups()[0]["id"]])
        assert "is yours" not in said(colony.good(1, infrastructure=parts))
        neutron.update_port(port, security_groups=[])
    finally:
        colony.good(state="absent", infrastructure={})
        neutron.delete_port(port)


def said(result: dict[str, Any]) -> str:
    """Its warnings, in whatever form this Ansible hands them on."""
    return json.dumps(result.get("warnings", []))


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv5mX0pHc0M7yqSgpmQH3m6r2Z8o0r1dPpM3s3XxqO4 me@here"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"flavor": "m1.small"}, "flavor m1.tiny instead of m1.small"),
        ({"flavor": None, "requires": {"ram_mib": 1024}}, "m1.tiny where "),
        ({"keypair": {"public_key": KEY}}, "key pair none instead of aware-bee-"),
        ({"networks": ["m-first", "a-second"]}, "not on network a-second"),
        ({"networks": ["a-second"]}, "not on network a-second, also on network m-first"),
        ({"availability_zones": ["az3"]}, "in zone az1, not in az3"),
        ({"boot_volume": {"size_gib": 1}}, "a disk of its flavor, not a volume"),
        ({"config_drive": True}, "no config drive"),
    ],
)
def test_what_a_server_is_made_of_is_never_changed_without_a_word(here: Project, parts: dict, words: str) -> None:
    """One server serves all of these: none of them changes it."""
    base = {"networks": ["m-first"], "availability_zones": ["az1"]}
    here.good(1, infrastructure=base)
    assert "differs" not in said(here.good(1, infrastructure=base))
    before = here.servers()
    result = here.good(1, infrastructure={**base, **parts})
    assert f"server bee-1 differs from what is wished for: {words}" in said(result)
    assert "; it is left as it is: " in said(result)
    assert "replace.yml -e aware_replace=bee-1" in said(result)
    assert [step for step in result["plan"] if "server bee" in step] == []
    assert not here.good(1, infrastructure={**base, **parts})["changed"]
    assert [one["id"] for one in here.servers()] == [one["id"] for one in before]
