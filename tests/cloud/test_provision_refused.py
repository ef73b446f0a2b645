"""What a cloud refuses, or says yes to: openstack_cluster looks again before it says that something was done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openstack")

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_group import SecurityGroup
from ansible_collections.aware.cluster.plugins.module_utils._openstack_rules import wanted_rules
from provisioning import MARKS, Project, project, result_of

pytestmark = MARKS
OPEN = {"security_group": {"ssh_cidrs": ["0.0.0.0/0", "192.0.2.9/24"], "gateway_cidrs": ["::/0"]}}
PORTS = {"gateway_port": 8443, "channel_port": 8444, "discovery_port": 20100, "etcd_ports": [2379, 2380]}
RULES = len(wanted_rules({**PORTS, **OPEN["security_group"]}, "own"))  # two more let everything out


@pytest.fixture
def colony() -> Iterator[Project]:
    """A project of the test's own."""
    with project() as made:
        yield made
        made.good(state="absent")
        made.empty()


def limit(colony: Project, **quota: int) -> None:
    """Set quotas of the network service."""
    answer = colony.admin.network.put(f"/quotas/{colony.id}", json={"quota": quota})
    assert answer.status_code == 200, answer.text


def rules(colony: Project) -> list[dict[str, Any]]:
    """Rules of the colony's group that let something in."""
    (group,) = colony.groups()
    return [rule for rule in group["security_group_rules"] if rule["direction"] == "ingress"]


def test_the_quota_of_rules_is_named_until_it_is_mended(colony: Project) -> None:
    default = 4  # the project's default group has these
    limit(colony, security_group_rule=default + 2 + 3)
    for _ in range(2):
        result = colony.run(1, infrastructure=OPEN)
        assert result["failed"]
        assert "quota" in result["msg"]
        assert "rules" in result["msg"]
        assert "secgroup-rules" in result["msg"]
        assert not [sentence for sentence in result["done"] if "security group" in sentence]
        assert not colony.servers()
        assert not any(group["tags"] for group in colony.groups()), "the lock was not given back"
    limit(colony, security_group_rule=-1)
    colony.good(1, infrastructure=OPEN)
    assert len(rules(colony)) == RULES
    assert not colony.good(1, infrastructure=OPEN)["changed"]

    # A quota that is reached in mid-run: Neutron refuses, and what lacks is named.
    limit(colony, security_group_rule=default + 2 + RULES - 1)
    victim = next(rule for rule in rules(colony) if rule["port_range_min"] == 2379)
    colony.connection.network.delete(f"/security-group-rules/{victim['id']}")
    group = SecurityGroup(Cloud(colony.connection), "bee", {**PORTS, **OPEN["security_group"]})
    with pytest.raises(CloudError, match=r"lacks the rules for etcd, for the project's quota of security group rules"):
        group.apply()
    assert len(rules(colony)) == RULES - 1
    limit(colony, security_group_rule=-1)
    assert len(group.apply()["security_group_rules"]) == RULES + 2
    assert not colony.good(1, infrastructure=OPEN)["changed"]
    colony.check(1)


def test_equal_rules_made_by_hand_take_the_place_of_ours(colony: Project) -> None:
    """Neutron refuses an equal rule in another spelling with 409, so nobody could ever have both."""
    colony.good(1, infrastructure=OPEN)
    network = colony.connection.network
    spelt = {"0.0.0.0/0": None, "::/0": None, "192.0.2.0/24": "192.0.2.77/24"}
    by_hand = []
    for rule in rules(colony):
        network.delete(f"/security-group-rules/{rule['id']}")
        names = ("ethertype", "port_range_min", "port_range_max", "remote_group_id", "security_group_id")
        again = {name: rule[name] for name in names}
        again.update(direction="ingress", protocol={"tcp": "6", "udp": "17"}[rule["protocol"]], description="by hand")
        again["remote_ip_prefix"] = spelt.get(rule["remote_ip_prefix"], rule["remote_ip_prefix"])
        answer = network.post("/security-group-rules", json={"security_group_rule": again})
        assert answer.status_code == 201, answer.text
        by_hand.append(answer.json()["security_group_rule"]["id"])
    result = colony.good(1, infrastructure=OPEN)
    assert not result["changed"], result["plan"]
    assert sorted(rule["id"] for rule in rules(colony)) == sorted(by_hand)
    # Nobody wishes for them any more; they stay, for they are not ours.
    assert not colony.good(1, infrastructure={"security_group": {}})["changed"]
    assert sorted(rule["id"] for rule in rules(colony)) == sorted(by_hand)


def test_a_port_that_keeps_the_group_is_named_before_anything_is_removed(colony: Project) -> None:
    colony.good(1)
    (group,) = colony.groups()
    public = colony.connection.network.find_network("public")
    port = colony.connection.network.create_port(network_id=public.id, name="printer", security_groups=[group["id"]])
    before = colony.everything()
    for check in (True, False):
        refused = colony.run(state="absent", _ansible_check_mode=check)
        assert refused["failed"]
        assert f"port {port.id} (named printer, of no server)" in refused["msg"]
        assert f"openstack port unset --security-group {group['id']} PORT" in refused["msg"]
        assert not refused.get("done")
    assert colony.everything() == before
    assert not colony.good(1)["changed"]
    colony.connection.network.delete_port(port)


def test_nothing_to_do_is_not_said_while_another_run_is_at_work(colony: Project) -> None:
    colony.good(1)
    (group,) = colony.groups()
    tags = [f"lock.0123abcd.feedbeef.4242.99.{int(time.time()) + 3600}", "who.0123abcd.anna@elsewhere"]
    for tag in tags:
        assert colony.connection.network.put(f"/security-groups/{group['id']}/tags/{tag}").status_code == 201
    refused = colony.run(1, lock_wait=0)
    assert refused["failed"]
    assert "colony bee is being changed by anna@elsewhere (run 0123abcd)" in refused["msg"]
    planned = colony.good(1, _ansible_check_mode=True)
    assert "is being changed by anna@elsewhere" in str(planned["warnings"])
    # She removes the server and ends; who waited sees what she did.
    waiting = colony.start(colony.options(1, lock_wait=200))
    try:
        colony.until(lambda: set(colony.groups()[0]["tags"]) - set(tags), 200)
    finally:
        colony.delete("bee-1")
        for tag in tags:
            colony.connection.network.delete(f"/security-groups/{group['id']}/tags/{tag}")
    healed = result_of(waiting)
    assert not healed.get("failed"), healed
    assert healed["changed"]
    assert healed["done"] == ["create server bee-1: spare"]
    colony.check(1)


def test_a_locked_server_that_is_off_is_not_said_to_be_started(colony: Project) -> None:
    colony.good(1)
    server = colony.server_id("bee-1")
    compute = colony.connection.compute
    for action in ("os-stop", "lock"):
        assert compute.post(f"/servers/{server}/action", json={action: None}).status_code == 202
        colony.until(lambda: colony.servers()[0]["status"] == "SHUTOFF")
    try:
        result = colony.run(1)
        assert not [sentence for sentence in result["done"] if "start" in sentence]
        assert not result["changed"]
        told = result.get("msg", "") + str(result.get("warnings", ""))
        assert "server bee-1" in told
        assert f"openstack server unlock {server}" in told
    finally:
        assert compute.post(f"/servers/{server}/action", json={"unlock": None}).status_code == 202
    started = colony.good(1)
    assert started["done"] == ["start server bee-1: it is shut off"]
    colony.check(1)
