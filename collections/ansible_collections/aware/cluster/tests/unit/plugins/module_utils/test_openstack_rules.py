# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: one rule in many spellings, and that they are there when it is said so."""

from __future__ import annotations

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._openstack_group import SecurityGroup
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import description
from ansible_collections.aware.cluster.plugins.module_utils._openstack_rules import rule_key, rule_steps, wanted_rules

OPTIONS = dict(
    etcd_ports=[2379, 2380],
    discovery_port=20100,
    gateway_port=8443,
    channel_port=8444,
    ssh_cidrs=["0.0.0.0/0", "::/0", "192.0.2.7/24", "2001:db8::/64"],
    gateway_cidrs=["198.51.100.4"],
)


def rule(**more):
    ours = dict(
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=22,
        port_range_max=22,
        remote_ip_prefix="192.0.2.0/24",
        remote_group_id=None,
        description="",
    )
    return dict(ours, **more)


@pytest.mark.parametrize(
    "one, other",
    [
        (dict(protocol="6"), {}),
        (dict(protocol=6), {}),
        (dict(protocol="TCP"), {}),
        (dict(protocol="17"), dict(protocol="udp")),
        (dict(protocol=None), dict(protocol="any")),
        (dict(protocol="0"), dict(protocol="any")),
        (dict(protocol="ipv6-icmp"), dict(protocol="58")),
        (dict(protocol="icmpv6"), dict(protocol="58")),
        (dict(ethertype="ipv4"), {}),
        (dict(direction="Ingress"), {}),
        (dict(remote_ip_prefix="192.0.2.9/24"), {}),
        (dict(remote_ip_prefix=None), dict(remote_ip_prefix="0.0.0.0/0")),
        (dict(remote_ip_prefix=""), dict(remote_ip_prefix="0.0.0.0/0")),
        (dict(remote_ip_prefix="10.1.2.3/0"), dict(remote_ip_prefix=None)),
        (dict(ethertype="IPv6", remote_ip_prefix=None), dict(ethertype="IPv6", remote_ip_prefix="::/0")),
        (dict(remote_ip_prefix="192.0.2.9"), dict(remote_ip_prefix="192.0.2.9/32")),
        (
            dict(ethertype="IPv6", remote_ip_prefix="2001:DB8:0::/64"),
            dict(ethertype="IPv6", remote_ip_prefix="2001:db8::/64"),
        ),
        (
            dict(port_range_min=None, port_range_max=None),
            dict(port_range_min=1, port_range_max=65535),
        ),
        (dict(port_range_min="22", port_range_max="22"), {}),
        (dict(remote_group_id=""), {}),
        (dict(description="mine", id="x", tenant_id="y", remote_address_group_id=None), {}),
    ],
)
def test_spellings_of_one_rule(one, other):
    assert rule_key(rule(**one)) == rule_key(rule(**other))


@pytest.mark.parametrize(
    "more",
    [
        dict(protocol="udp"),
        dict(protocol=None),
        dict(ethertype="IPv6"),
        dict(direction="egress"),
        dict(remote_ip_prefix=None),
        dict(remote_ip_prefix="192.0.2.0/25"),
        dict(remote_group_id="g"),
        dict(remote_ip_prefix=None, remote_address_group_id="a"),
        dict(port_range_max=23),
        dict(port_range_min=None, port_range_max=None),
        dict(remote_ip_prefix="nonsense"),
    ],
)
def test_other_rules_are_others(more):
    assert rule_key(rule(**more)) != rule_key(rule())


def test_an_equal_rule_made_by_hand_satisfies_ours_and_is_never_removed():
    wanted = wanted_rules(OPTIONS, "g")
    by_hand = [
        dict(
            one,
            id="hand%d" % number,
            protocol={"tcp": "6", "udp": "17"}[one["protocol"]],
            remote_ip_prefix=None if one["remote_ip_prefix"] in ("0.0.0.0/0", "::/0") else one["remote_ip_prefix"],
            description=["", None, "mine"][number % 3],
        )
        for number, one in enumerate(wanted)
    ]
    assert rule_steps(wanted, dict(security_group_rules=by_hand)) == ([], [])
    assert rule_steps([], dict(security_group_rules=by_hand)) == (wanted[:0], [])


def test_ours_goes_when_it_is_not_wanted_and_the_equal_one_by_hand_stays():
    ours = dict(rule(), id="ours", description="aware: SSH from 192.0.2.0/24")
    there = [ours, dict(rule(protocol="6"), id="hand"), dict(ours, id="second")]
    assert rule_steps([], dict(security_group_rules=there)) == ([], ["ours", "second"])
    assert rule_steps([dict(rule(), description="aware: x")], dict(security_group_rules=there)) == ([], [])


class Neutron(Cloud):
    """One group. ``room`` rules fit in; ``refusal`` is how it says no to a list, ``lazy`` that it says yes and does nothing."""

    project = "a"

    def __init__(self, room=99, refusal=None, lazy=False, rules=()):
        self.rules, self.room, self.refusal, self.lazy, self.foreign = list(rules), room, refusal, lazy, set()
        self.posts = 0

    def pages(self, service, path, key, params=None):
        group = dict(id="g", name="aware-demo", description=description("demo"), project_id="a")
        return [dict(group, security_group_rules=[dict(one) for one in self.rules])]

    def create(self, service, path, body, there=None):
        self.posts += 1
        bulk = "security_group_rules" in body
        rules = body.get("security_group_rules") or [body["security_group_rule"]]
        if bulk and self.refusal:
            raise self.refusal
        if len(self.rules) + len(rules) > self.room:
            raise Refused(409, "POST", "Quota exceeded for resources: ['security_group_rule'].")
        keys = {rule_key(one) for one in self.rules}
        if any(rule_key(one) in keys for one in rules):
            raise Refused(409, "POST", "Security group rule already exists. Rule id is x.")
        if not self.lazy:
            self.rules += [dict(one, id="r%d" % (len(self.rules) + place)) for place, one in enumerate(rules)]
        return {}

    def request(self, service, method, path, body=None, params=None, headers=None, busy=()):
        self.rules = [one for one in self.rules if one["id"] != path.rpartition("/")[2]]
        return {}


def test_rules_are_made_at_once_and_seen():
    neutron = Neutron()
    group = SecurityGroup(neutron, "demo", OPTIONS).apply()
    assert len(group["security_group_rules"]) == 13 and neutron.posts == 1
    SecurityGroup(neutron, "demo", OPTIONS).apply()
    assert neutron.posts == 1


def test_the_quota_of_rules_is_named_and_what_lacks():
    neutron = Neutron(room=4)
    for unused in range(2):
        with pytest.raises(CloudError) as caught:
            SecurityGroup(neutron, "demo", OPTIONS).apply()
        text = str(caught.value)
        assert "security group aware-demo lacks the rules for beacons, gateway of members, channels, etcd, " in text
        assert "the project's quota of security group rules is reached" in text
        assert "openstack quota set --secgroup-rules NUMBER PROJECT" in text and "\n" not in text
    assert not neutron.rules


def test_a_cloud_that_takes_no_lists_gets_them_one_by_one():
    neutron = Neutron(refusal=Refused(400, "POST", "Bulk operation not supported"))
    assert len(SecurityGroup(neutron, "demo", OPTIONS).apply()["security_group_rules"]) == 13


def test_a_conflict_with_one_is_no_reason_to_lack_the_others():
    wanted = wanted_rules(OPTIONS, "g")
    neutron = Neutron(refusal=Refused(409, "POST", "Security group rule already exists."))
    neutron.rules = [dict(wanted[0], id="came meanwhile")]
    assert len(SecurityGroup(neutron, "demo", OPTIONS).apply()["security_group_rules"]) == 13


def test_a_yes_is_no_proof():
    with pytest.raises(CloudError, match="lacks the rules for .*though the cloud took them"):
        SecurityGroup(Neutron(lazy=True), "demo", OPTIONS).apply()


@pytest.mark.parametrize(
    "status, detail, quota",
    [
        (409, "Quota exceeded for resources: ['security_group_rule'].", True),
        (403, "Quota exceeded, too many key pairs.", True),
        (403, "Quota exceeded for instances: Requested 1, but already used 3 of 3 instances", True),
        (403, "Maximum number of ports exceeded", True),
        (403, "Policy doesn't allow os_compute_api:servers:create to be performed.", False),
        (409, "Security group rule already exists. Rule id is x.", False),
        (404, "Quota exceeded", False),
    ],
)
def test_a_refusal_says_whether_it_is_for_a_quota(status, detail, quota):
    assert Refused(status, "POST /x", detail).quota is quota
