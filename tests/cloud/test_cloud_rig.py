"""The test cloud is as untidy as those in the field: stock quotas, odd images, networks that cannot do everything."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
from cloud_support import Cloud
from testcloud import images
from testcloud.settings import HERE

from tests.patience import eventually

pytestmark = [pytest.mark.cloud, pytest.mark.filterwarnings("default")]

STOCK_COMPUTE = {
    "instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100, "server_groups": 10, "server_group_members": 10,
}  # fmt: skip
STOCK_NETWORK = {
    "network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50,
    "security_group": 10, "security_group_rule": 100,
}  # fmt: skip


def test_quotas_are_those_of_a_fresh_installation(connection: Any) -> None:
    project = connection.current_project_id
    compute = connection.compute.get(f"/os-quota-sets/{project}", microversion="2.64").json()["quota_set"]
    assert {name: compute[name] for name in STOCK_COMPUTE} == STOCK_COMPUTE
    network = connection.network.get(f"/quotas/{project}").json()["quota"]
    assert {name: network[name] for name in STOCK_NETWORK} == STOCK_NETWORK


def test_there_is_no_volume_service(connection: Any) -> None:
    catalogue = connection.session.auth.get_access(connection.session).service_catalog.catalog
    assert not [entry["type"] for entry in catalogue if entry["type"] in ("volumev3", "block-storage", "volume")]


def test_images_that_a_plain_list_does_not_show(connection: Any) -> None:
    listed = {image["name"] for image in connection.image.get("/images").json()["images"]}
    assert not listed & {images.HIDDEN, images.COMMUNITY}
    for name, query in ((images.HIDDEN, {"os_hidden": "true"}), (images.COMMUNITY, {"visibility": "community"})):
        (found,) = connection.image.get("/images", params={"name": name, **query}).json()["images"]
        assert connection.image.get(f"/images/{found['id']}").json()["status"] == "active"
    twins = connection.image.get("/images", params={"name": images.TWIN}).json()["images"]
    assert sorted(twin["status"] for twin in twins) == ["active", "deactivated"]


def test_networks_without_a_way_out_and_without_port_security(connection: Any) -> None:
    guarded = {
        name: connection.network.find_network(name).is_port_security_enabled for name in ("isolated", "unguarded")
    }
    assert guarded == {"isolated": True, "unguarded": False}
    for name in guarded:
        (subnet,) = connection.network.subnets(network_id=connection.network.find_network(name).id)
        assert (subnet.gateway_ip, subnet.is_dhcp_enabled) == (None, True)


def test_a_deleted_server_may_stay_for_a_while(cloud: Cloud, connection: Any) -> None:
    if cloud.settings.real:
        pytest.skip("needs fake hosts alone")
    network = connection.network.find_network("isolated")
    with cloud.soft_deleting():
        server = connection.compute.create_server(
            name="zombie",
            flavor_id=connection.compute.find_flavor("m1.nano").id,
            image_id=connection.image.find_image("tiny").id,
            networks=[{"uuid": network.id}],
        )
        connection.compute.wait_for_server(server)
        connection.compute.delete_server(server)
        eventually(lambda: connection.compute.get_server(server.id).status == "SOFT_DELETED", "it is not soft-deleted")
        assert list(connection.network.ports(device_id=server.id)), "its port goes with the server, not before"
        connection.compute.delete_server(server, force=True)
        eventually(lambda: not list(connection.compute.servers(details=False)), "the server stays")


def test_more_than_ten_fake_hosts(cloud: Cloud) -> None:
    """The launcher of nova's services has room for ten unless it is told otherwise."""
    if cloud.settings.real:
        pytest.skip("needs fake hosts alone")
    more = max(12, cloud.settings.fake)
    subprocess.run([HERE / "cloud", "up"], env={**os.environ, "FAKE": str(more)}, check=True)
    up = {one.host for one in cloud.admin.compute.services(binary="nova-compute") if one.state == "up"}
    assert up == {f"fake{number}" for number in range(1, more + 1)}
    zones = {zone.name: len(zone.hosts) for zone in cloud.admin.compute.aggregates()}
    assert zones == dict.fromkeys(("az1", "az2", "az3"), more // 3)
