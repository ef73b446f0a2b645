"""Before the first change openstack_cluster says all that is missing and what to set; every way to name an image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openstack")

from provisioning import MARKS, Project, here
from testcloud import images

pytestmark = MARKS
__all__ = ["here"]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv5mX0pHc0M7yqSgpmQH3m6r2Z8o0r1dPpM3s3XxqO4 me@here"


@pytest.fixture
def colony(here: Project) -> Iterator[Project]:
    """A project without servers and with stock quotas, before and after."""
    yield here
    here.stock_quotas()
    here.good(state="absent", infrastructure={})
    here.empty()


def refused(colony: Project, size: int, **more: Any) -> str:
    """The message of a run that is refused and made nothing."""
    result = colony.run(size, **more)
    assert result["failed"]
    assert "\n" not in result["msg"]
    assert not result.get("done")
    colony.empty()
    return str(result["msg"])


def test_eleven_servers_on_a_fresh_cloud(colony: Project) -> None:
    """Stock quotas: ten servers, and ten in a server group."""
    message = refused(colony, 11)
    assert colony.run(11, _ansible_check_mode=True)["msg"] == message
    assert "11 instances are wanted, 10 of 10 are left: set quota instances to at least 11" in message
    assert (
        "11 members of one server group are wanted, 10 are allowed: set quota server_group_members to at least 11, "
        "or infrastructure.server_group to none" in message
    )
    command = re.search(r"openstack quota set (--instances 11 --server-group-members 11) (\w+)", message)
    assert command
    assert command[2] == colony.id
    colony.quota(instances=11)
    assert "instances are wanted" not in refused(colony, 11)
    colony.good(11, infrastructure={"server_group": "none"}, _ansible_check_mode=True)
    colony.quota(server_group_members=11)
    colony.good(11, _ansible_check_mode=True)


def test_all_quotas_are_told_at_once(colony: Project) -> None:
    colony.quota(instances=1, cores=1, ram=600, key_pairs=0, server_groups=0, server_group_members=1, metadata_items=3)
    colony.network_quota(port=1, floatingip=1, security_group=1, security_group_rule=6)
    parts = {"floating_network": "public", "networks": ["inner"], "keypair": {"public_key": KEY}}
    with routed(colony):
        message = refused(colony, 2, infrastructure=parts)
    for text in (
        "2 instances are wanted, 1 of 1 is left: set quota instances to at least 2",
        "2 cores are wanted",
        "1024 MiB of RAM are wanted, 600 of 600 are left: set quota ram to at least 1024",
        "metadata items of one server are wanted, 3 are allowed",
        "2 members of one server group are wanted, 1 is allowed",
        "1 keypair is wanted, 0 of 0 are left: set quota key_pairs to at least 1",
        "1 server group is wanted, 0 of 0 are left: set quota server_groups to at least 1",
        "2 ports are wanted",
        "2 floating addresses are wanted, 1 of 1 is left: set quota floatingip to at least 2",
        "1 security group is wanted, 0 of 1 are left: set quota security_group to at least 2",
        "10 security group rules are wanted, 2 of 6 are left: set quota security_group_rule to at least 14",
    ):
        assert text in message, message
    assert message.count("openstack quota set") == 1


def routed(colony: Project) -> Any:
    """A network of the project with a way to the public one."""
    from test_provision import own_network

    return own_network(colony)


def test_what_the_message_says_is_enough(colony: Project) -> None:
    colony.quota(instances=1, cores=1)
    colony.network_quota(security_group=1, security_group_rule=4, port=1)
    message = refused(colony, 2)
    named = {"instances", "cores", "security_group", "security_group_rule", "port"}
    limits = {name: int(number) for name, number in re.findall(r"set quota (\w+) to at least (\d+)", message)}
    assert set(limits) == named
    compute = {name: limits[name] for name in ("instances", "cores")}
    colony.quota(**compute)
    colony.network_quota(**{name: limits[name] for name in named - set(compute)})
    colony.good(2)
    colony.check(2)
    assert not colony.good(2)["changed"], "a run that makes nothing needs nothing"


def test_what_goes_makes_room_and_no_limit_is_none(colony: Project) -> None:
    colony.good(2)
    ports = len(list(colony.connection.network.ports(project_id=colony.id)))
    colony.quota(instances=2, cores=2, server_group_members=2)
    colony.network_quota(port=ports, security_group=2)
    assert len(colony.good(2, replace=["bee-2"], _ansible_check_mode=True)["plan"]) == 2
    assert "1 instance is wanted, 0 of 2 are left" in colony.run(3, _ansible_check_mode=True)["msg"]
    colony.quota(instances=-1, cores=-1, server_group_members=-1)
    colony.network_quota(port=-1)
    colony.good(3, _ansible_check_mode=True)


def test_all_that_is_not_there_is_told_at_once(colony: Project) -> None:
    parts = {
        "image": "nosuch",
        "flavor": "m1.none",
        "networks": ["nowhere", "nothing"],
        "availability_zones": ["mars"],
        "security_groups": ["no-group"],
        "keypair": {"name": "nokey"},
    }
    message = refused(colony, 1, castes={"db": {"count": 1, "requires": {"zone": "venus"}}}, infrastructure=parts)
    for text in (
        "there is no availability zone 'mars' and no 'venus'; there is az1",
        "there is no image 'nosuch'",
        "there is no flavor 'm1.none'",
        "there is no network 'nowhere'",
        "there is no network 'nothing'",
        "there is no security group 'no-group'",
        "there is no keypair 'nokey'",
    ):
        assert message.count(text) == 1, message


def test_limits_of_nova_itself(colony: Project) -> None:
    parts = {"user_data": "#!/bin/sh\n" + "x" * 50000, "tags": [f"t{number}" for number in range(50)]}
    message = refused(colony, 1, infrastructure=parts)
    assert "infrastructure.user_data has 66680 bytes in base64, and Nova takes 65535" in message
    assert "a server would have 51 tags, and Nova takes 50" in message


def test_a_network_without_port_security(colony: Project) -> None:
    parts: dict[str, Any] = {"networks": ["unguarded"]}
    message = refused(colony, 1, infrastructure=parts)
    assert "network unguarded has no port security" in message
    assert "set infrastructure.security_group.manage to false" in message
    colony.good(1, infrastructure={**parts, "security_group": {"manage": False}})
    (server,) = colony.servers()
    assert list(server["addresses"]) == ["unguarded"]


def test_a_boot_volume_where_there_is_no_volume_service(colony: Project) -> None:
    message = refused(colony, 2, infrastructure={"boot_volume": {"size_gib": 1}})
    assert "this cloud has no volume service, so infrastructure.boot_volume cannot be had" in message


def test_a_flavor_without_a_disk(colony: Project) -> None:
    flavor = colony.admin.compute.create_flavor(name=f"diskless-{colony.id[:8]}", vcpus=1, ram=64, disk=0)
    try:
        message = refused(colony, 1, infrastructure={"flavor": flavor.name})
        assert f"flavor {flavor.name} has no disk, and Nova lets only administrators boot an image on it" in message
        assert "set infrastructure.boot_volume, or another flavor" in message
    finally:
        colony.admin.compute.delete_flavor(flavor)


def image_id(colony: Project, name: str, **query: str) -> str:
    """Identifier of an image that lists may not show."""
    found = colony.admin.image.get("/images", params={"name": name, **query}).json()["images"]
    return str(found[0]["id"])


def test_images_that_lists_do_not_show(colony: Project) -> None:
    hidden = image_id(colony, images.HIDDEN, os_hidden="true")
    community = image_id(colony, images.COMMUNITY, visibility="community")
    for wanted in (hidden, community, images.HIDDEN):
        colony.good(1, infrastructure={"image": wanted}, _ansible_check_mode=True)
    message = refused(colony, 1, infrastructure={"image": images.COMMUNITY})
    assert "is a community image, and anybody may give one this name" in message
    assert community in message
    colony.good(1, infrastructure={"image": community})
    assert [one["image"]["id"] for one in colony.servers()] == [community]


def test_of_two_images_with_one_name_only_the_active_one_counts(colony: Project) -> None:
    idle = image_id(colony, images.TWIN, status="deactivated")
    active = image_id(colony, images.TWIN, status="active")
    colony.good(1, infrastructure={"image": images.TWIN})
    assert [one["image"]["id"] for one in colony.servers()] == [active]
    colony.good(state="absent")
    message = refused(colony, 1, infrastructure={"image": idle})
    assert f"image '{idle}' is not active ({idle} is deactivated)" in message
    own = colony.connection.image.create_image(
        images.TWIN, data=b"\0" * 512, disk_format="raw", container_format="bare", allow_duplicates=True
    )
    try:
        message = refused(colony, 1, infrastructure={"image": images.TWIN})
        assert "is not unique, 2 active ones have this name: give the id of one" in message
        assert active in message
        assert own.id in message
        assert idle not in message
    finally:
        colony.connection.image.delete_image(own)
