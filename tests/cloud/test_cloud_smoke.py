"""The test cloud is what the other tests take it for: everything AWARE asks of OpenStack really answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from cloud_support import Cloud, Project
from keystoneauth1.exceptions import ConnectFailure
from openstack.exceptions import ForbiddenException

from tests.patience import eventually

pytestmark = [pytest.mark.cloud, pytest.mark.filterwarnings("default")]

TAGS = "2.52"
POLICY = "2.64"


@pytest.fixture(scope="module")
def network(cloud: Cloud, connection: Any) -> Any:
    """A network of the project's own, with DHCP."""
    if cloud.settings.real or cloud.settings.fake < 3:
        pytest.skip("servers of these tests need three fake hosts and no real one: make cloud-up without REAL and FAKE")
    made = connection.network.create_network(name="net")
    connection.network.create_subnet(network_id=made.id, name="net", ip_version=4, cidr="10.50.0.0/24")
    return connection.network.get_network(made.id)


@pytest.fixture(autouse=True)
def no_servers_left(connection: Any) -> Iterator[None]:
    """Every test ends without servers, so that none depends on another."""
    yield
    for server in connection.compute.servers(details=False):
        connection.compute.delete_server(server)
    eventually(lambda: not list(connection.compute.servers(details=False)), "servers stay")


def body(connection: Any, network: Any, name: str, **more: Any) -> dict[str, Any]:
    """What create_server needs."""
    return {
        "name": name,
        "flavor_id": connection.compute.find_flavor("m1.nano").id,
        "image_id": connection.image.find_image("tiny").id,
        "networks": [{"uuid": network.id}],
        **more,
    }


def settled(connection: Any, *servers: Any) -> list[Any]:
    """The servers once each is ACTIVE or ERROR."""

    def look() -> list[Any] | None:
        now = [connection.compute.get_server(server.id) for server in servers]
        return now if all(server.status in ("ACTIVE", "ERROR") for server in now) else None

    found: list[Any] = eventually(look, "servers are still being built")
    return found


def test_server_with_everything_around_it(cloud: Cloud, connection: Any, network: Any) -> None:
    group = connection.network.create_security_group(name="group")
    connection.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="udp",
        port_range_min=20100, port_range_max=20100, remote_group_id=group.id,
    )  # fmt: skip
    pair = connection.compute.create_keypair(name="pair")
    asked = body(connection, network, "one", key_name=pair.name, security_groups=[{"name": "group"}])
    asked |= {"availability_zone": "az2", "metadata": {"aware_colony": "test"}, "tags": ["aware:test"]}
    (server,) = settled(connection, connection.compute.create_server(**asked, microversion=TAGS))
    assert server.status == "ACTIVE"
    assert int(cloud.hosts_of([server])[0].removeprefix("fake")) % 3 == 2
    assert server.metadata == {"aware_colony": "test"}
    assert server.key_name == "pair"
    (port,) = connection.network.ports(device_id=server.id)
    assert (port.status, port.security_group_ids) == ("ACTIVE", [group.id])
    assert port.fixed_ips[0]["ip_address"].startswith("10.50.0.")
    tagged = connection.compute.get("/servers", params={"tags": "aware:test"}, microversion=TAGS).json()["servers"]
    assert [found["id"] for found in tagged] == [server.id]


def test_network_says_whether_it_has_dhcp(connection: Any, network: Any) -> None:
    plain = connection.network.create_network(name="plain")
    connection.network.create_subnet(
        network_id=plain.id, name="plain", ip_version=4, cidr="10.51.0.0/24", is_dhcp_enabled=False
    )
    assert [subnet.is_dhcp_enabled for subnet in connection.network.subnets(network_id=network.id)] == [True]
    assert [subnet.is_dhcp_enabled for subnet in connection.network.subnets(network_id=plain.id)] == [False]


def test_anti_affinity_spreads_over_hosts(cloud: Cloud, connection: Any, network: Any) -> None:
    group = connection.compute.create_server_group(name="apart", policy="anti-affinity", microversion=POLICY)
    asked = [body(connection, network, f"apart-{n}", scheduler_hints={"group": group.id}) for n in range(3)]
    servers = settled(connection, *[connection.compute.create_server(**one) for one in asked])
    assert {server.status for server in servers} == {"ACTIVE"}
    assert len(set(cloud.hosts_of(servers))) == 3


def test_server_fails_when_told_to(connection: Any, network: Any) -> None:
    asked = body(connection, network, "failing", metadata={"aware_test_fail": "the disk of this host is on fire"})
    (server,) = settled(connection, connection.compute.create_server(**asked))
    assert server.status == "ERROR"
    assert "the disk of this host is on fire" in server.fault["message"]


def test_many_at_once(connection: Any, network: Any) -> None:
    asked = body(connection, network, "many", min_count=5, max_count=5)
    connection.compute.create_server(**asked)
    servers = settled(connection, *connection.compute.servers(details=False))
    assert [server.status for server in servers] == ["ACTIVE"] * 5


def test_floating_ip(connection: Any, network: Any) -> None:
    outside = connection.network.find_network("public")
    router = connection.network.create_router(name="router", external_gateway_info={"network_id": outside.id})
    (subnet,) = connection.network.subnets(network_id=network.id)
    connection.network.add_interface_to_router(router, subnet=subnet.id)
    (server,) = settled(connection, connection.compute.create_server(**body(connection, network, "floating")))
    (port,) = connection.network.ports(device_id=server.id)
    address = connection.network.create_ip(floating_network_id=outside.id, port_id=port.id)
    assert address.floating_ip_address.startswith("10.232.0.")
    assert connection.network.get_ip(address.id).port_id == port.id


def test_quota_is_kept(cloud: Cloud) -> None:
    with cloud.project(instances=2) as limited, limited.connect() as connection:
        network = connection.network.create_network(name="net")
        connection.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.52.0.0/24")
        with pytest.raises(ForbiddenException, match="Quota exceeded for instances"):
            connection.compute.create_server(**body(connection, network, "three", min_count=3, max_count=3))
        assert list(connection.compute.servers()) == []


def test_service_can_be_away_for_a_while(cloud: Cloud, connection: Any) -> None:
    assert connection.image.find_image("tiny")  # the SDK also learns here where images are
    with cloud.without("nova-scheduler", "glance-api"), pytest.raises(ConnectFailure):
        connection.image.get("/images", connect_retries=0)
    assert connection.image.find_image("tiny").status == "active"


def test_programs_find_the_project(cloud: Cloud, project: Project) -> None:
    program = "import openstack; print(openstack.connect().current_project.name)"
    done = cloud.run(project, sys.executable, "-c", program)
    assert (done.stdout.strip(), done.returncode) == (project.name, 0), done.stderr


GROUP = {
    "heat_template_version": "2018-08-31",
    "parameters": {"network": {"type": "string"}},
    "resources": {
        "group": {
            "type": "OS::Heat::AutoScalingGroup",
            "properties": {
                "min_size": 1,
                "max_size": 4,
                "desired_capacity": 1,
                "resource": {
                    "type": "OS::Nova::Server",
                    "properties": {
                        "image": "tiny",
                        "flavor": "m1.nano",
                        "networks": [{"network": {"get_param": "network"}}],
                    },
                },
            },
        },
        "grow": {
            "type": "OS::Heat::ScalingPolicy",
            "properties": {
                "adjustment_type": "change_in_capacity",
                "auto_scaling_group_id": {"get_resource": "group"},
                "scaling_adjustment": 1,
                "cooldown": 0,
            },
        },
        "handle": {"type": "OS::Heat::WaitConditionHandle"},
    },
    "outputs": {
        "signal": {"value": {"get_attr": ["grow", "signal_url"]}},
        "alarm": {"value": {"get_attr": ["grow", "alarm_url"]}},
        "size": {"value": {"get_attr": ["group", "current_size"]}},
        "endpoint": {"value": {"get_attr": ["handle", "endpoint"]}},
        "token": {"value": {"get_attr": ["handle", "token"]}},
    },
}


def outputs(connection: Any, stack: Any) -> dict[str, Any]:
    """A stack's outputs by name."""
    now = connection.orchestration.get_stack(stack.id)
    return {entry["output_key"]: entry["output_value"] for entry in now.outputs or []}


def resting(connection: Any, stack: Any) -> bool:
    """Whether the group would act on a signal: while it scales, heat answers 200 to further ones and drops them."""
    path = f"/stacks/{stack.name}/{stack.id}/resources/group/metadata"
    return not connection.orchestration.get(path).json()["metadata"].get("scaling_in_progress")


def reach(connection: Any, stack: Any, size: int) -> None:
    """Wait for so many servers, and for a group at rest."""

    def there() -> bool:
        active = [server for server in connection.compute.servers() if server.status == "ACTIVE"]
        now = connection.orchestration.get_stack(stack.id)
        assert not now.status.endswith("FAILED"), now.status_reason
        return len(active) == size and now.status.endswith("COMPLETE") and resting(connection, stack)

    eventually(there, f"the stack did not reach {size} servers")


def test_heat_scales_by_both_kinds_of_signal(connection: Any, network: Any) -> None:
    heat = connection.orchestration
    stack = heat.create_stack(name="scaling", template=GROUP, parameters={"network": network.id})
    reach(connection, stack, 1)
    known = outputs(connection, stack)
    # Pre-signed: the URL is the secret, no token goes with it. Broken in Debian's heat without our repair.
    assert connection.session.post(known["alarm"], authenticated=False).status_code == 200
    reach(connection, stack, 2)
    assert connection.session.post(known["signal"], json={}).status_code == 200
    reach(connection, stack, 3)
    signal = {"status": "SUCCESS", "id": "1", "data": "ready", "reason": "joined"}
    answer = connection.session.post(
        known["endpoint"], json=signal, headers={"X-Auth-Token": known["token"]}, authenticated=False
    )
    assert answer.status_code == 200
    # The third server is there before Heat has finished with its group.
    eventually(lambda: outputs(connection, stack)["size"] == 3, "the group's size is not said to be 3")
    heat.delete_stack(stack)
    eventually(lambda: not list(heat.stacks()), "the stack stays")
    assert list(connection.compute.servers()) == []
