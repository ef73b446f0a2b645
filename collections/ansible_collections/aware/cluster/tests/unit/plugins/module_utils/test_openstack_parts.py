# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing flavors and images, rules, keys, addresses and the request for a server: pure parts."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_connection import secrets_of, version_tuple
from ansible_collections.aware.cluster.plugins.module_utils._openstack_hosts import address_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_keys import same_key
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import Flavor, chosen, smallest_flavor
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Size, Step, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_rules import rule_steps, wanted_rules
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import (
    Blueprint,
    index_of,
    is_owned,
    may_be_many,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import wish_of

FLAVORS = [
    Flavor("1", "big", Size(4, 8192, 80)),
    Flavor("2", "small", Size(1, 512, 10)),
    Flavor("3", "gpu", Size(1, 512, 5), rare=True),
    Flavor("4", "wide", Size(2, 512, 10)),
    Flavor("5", "tall", Size(1, 4096, 10)),
]
OPTIONS = dict(
    etcd_ports=[2379, 2380],
    discovery_port=20100,
    gateway_port=8443,
    channel_port=8444,
    ssh_cidrs=["192.0.2.7/24", "2001:db8::/64"],
    gateway_cidrs=[],
)
WISH = Wish("demo", 3, tags=("aware:demo",))


@pytest.mark.parametrize(
    "need, name",
    [
        (Size(), "small"),
        (Size(2), "wide"),
        (Size(1, 513), "tall"),
        (Size(1, 4096), "tall"),
        (Size(2, 1024), "big"),
        (Size(1, 1, 11), "big"),
    ],
)
def test_the_smallest_flavor_that_fits(need, name):
    assert smallest_flavor(FLAVORS, need, "x").name == name


def test_no_flavor_fits():
    with pytest.raises(CloudError, match=r"no flavor has 8 vCPU.*caste db needs; the biggest is big \(4, 8192, 80\)"):
        smallest_flavor(FLAVORS, Size(8), "caste db")
    with pytest.raises(CloudError, match="none at all"):
        smallest_flavor([], Size(1), "x")


def test_names_and_ids():
    entries = [
        dict(id="a", name="debian-12"),
        dict(id="b", name="debian-13"),
        dict(id="c", name="a"),
        dict(id="d", name="twin"),
        dict(id="e", name="twin"),
    ]
    assert chosen("image", "debian-13", entries)["id"] == "b"
    assert chosen("image", "a", entries)["id"] == "a"
    with pytest.raises(
        CloudError, match="there is no image 'debian-14' in this project; there is debian-1[23], debian-1[23]"
    ):
        chosen("image", "debian-14", entries)
    with pytest.raises(CloudError, match="not unique: d, e"):
        chosen("image", "twin", entries)


def test_rules_are_added_once_and_only_own_ones_removed():
    wanted = wanted_rules(OPTIONS, "g")
    assert [rule["remote_ip_prefix"] for rule in wanted if rule["port_range_min"] == 22] == [
        "192.0.2.0/24",
        "2001:db8::/64",
    ]
    assert len([rule for rule in wanted if rule["protocol"] == "udp" and rule["remote_group_id"] == "g"]) == 2
    add, drop = rule_steps(wanted, {"security_group_rules": []})
    assert add == wanted and not drop
    there = [dict(rule, id=str(number)) for number, rule in enumerate(wanted)]
    assert rule_steps(wanted, {"security_group_rules": there}) == ([], [])
    own = dict(there[0], id="old", port_range_min=1, port_range_max=1)
    others = dict(own, id="others", port_range_min=2, port_range_max=2, description="mine")
    assert rule_steps(wanted, {"security_group_rules": there + [own, others]}) == ([], ["old"])


def test_a_wrong_range_is_named():
    with pytest.raises(CloudError, match="SSH from '300.0.0.0/8'"):
        wanted_rules(dict(OPTIONS, ssh_cidrs=["300.0.0.0/8"]), "g")


def test_keys_differ_by_key_and_not_by_comment():
    assert same_key("ssh-ed25519 AAAA me@home\n", "ssh-ed25519 AAAA") and not same_key(
        "ssh-ed25519 AAAA", "ssh-ed25519 AAAB"
    )


@pytest.mark.parametrize(
    "raw, owned",
    [
        (dict(tags=["aware:demo"], metadata={"aware_colony": "demo"}), True),
        (dict(tags=["aware:demo"], metadata={}), False),
        (dict(tags=[], metadata={"aware_colony": "demo"}), False),
        (dict(tags=["aware:demo2"], metadata={"aware_colony": "demo2"}), False),
        ({}, False),
    ],
)
def test_ownership_takes_tag_and_metadata(raw, owned):
    assert is_owned(raw, "demo") is owned


def test_index_from_metadata_or_name():
    assert index_of(dict(name="renamed", metadata={"aware_index": "7"}), "demo") == 7
    assert index_of(dict(name="demo-12", metadata={}), "demo") == 12
    assert index_of(dict(name="demo-12-x", metadata={"aware_index": "x"}), "demo") == 0


def blueprint(**more):
    return Blueprint(
        **dict(dict(wish=WISH, image="img", flavors={"": FLAVORS[1], "db": FLAVORS[0]}, networks=("net",)), **more)
    )


def test_the_request_for_one_server():
    step = Step("create", "demo-2", "", 2, "db", "az1")
    body = blueprint(
        ports=("p1", "p2"), server_group="sg", user_data="#!/bin/sh", term=7, key_name="k", security_groups=("g",)
    ).body(step)
    assert body["os:scheduler_hints"] == {"group": "sg"}
    server = body["server"]
    assert base64.b64decode(server.pop("user_data")) == b"#!/bin/sh"
    assert server == dict(
        name="demo-2",
        flavorRef="1",
        imageRef="img",
        tags=["aware:demo"],
        networks=[{"port": "p2"}, {"uuid": "net"}],
        key_name="k",
        security_groups=[{"name": "g"}],
        availability_zone="az1",
        metadata=dict(aware_colony="demo", aware_node="demo-2", aware_index="2", aware_caste="db", aware_term="7"),
    )


def test_a_boot_volume_takes_the_place_of_the_image():
    server = blueprint(boot_volume=dict(size_gib=20)).body(Step("create", "demo-1", "", 1))["server"]
    assert "imageRef" not in server and server["block_device_mapping_v2"] == [
        dict(
            boot_index=0,
            uuid="img",
            source_type="image",
            destination_type="volume",
            volume_size=20,
            delete_on_termination=True,
        )
    ]


def test_one_request_for_many_only_where_they_do_not_differ():
    steps = [Step("create", "demo-%d" % index, "", index) for index in (1, 2, 3)]
    assert may_be_many(blueprint(), steps, [])
    assert not may_be_many(blueprint(), steps, ["one is there"])
    assert not may_be_many(blueprint(), steps[1:], [])
    assert not may_be_many(blueprint(), steps[:1], [])
    assert not may_be_many(blueprint(ports=("p",)), steps, [])
    assert not may_be_many(blueprint(), steps[:2] + [Step("create", "demo-3", "", 3, "db")], [])
    assert not may_be_many(blueprint(), steps[:2] + [Step("create", "demo-3", "", 3, zone="b")], [])
    server = blueprint().body_of_many(steps)["server"]
    assert (server["name"], server["min_count"], server["max_count"], server["metadata"]) == (
        "demo",
        3,
        3,
        {"aware_colony": "demo"},
    )


def test_the_address_to_use():
    raw = {
        "addresses": {
            "b": [
                {"addr": "2001:db8::1", "OS-EXT-IPS:type": "fixed"},
                {"addr": "192.0.2.9", "OS-EXT-IPS:type": "fixed"},
            ],
            "a": [{"addr": "198.51.100.1", "OS-EXT-IPS:type": "fixed"}],
        }
    }
    assert address_of(raw) == "192.0.2.9", "IPv4 of the first interface, whatever the networks are called"
    assert address_of(raw, ["198.51.100.1"]) == "198.51.100.1"
    raw["addresses"]["a"].append({"addr": "203.0.113.5", "OS-EXT-IPS:type": "floating"})
    assert address_of(raw, ["192.0.2.9"]) == "203.0.113.5"
    assert address_of(raw, ["192.0.2.9"], floating=False) == "192.0.2.9"
    assert address_of({}) == ""


def params(**more):
    infrastructure = dict(metadata={}, tags=[])
    infrastructure.update(more.pop("infrastructure", {}))
    names = dict((key, None) for key in ("remove", "replace", "dead", "spare", "protect", "council"))
    return dict(
        dict(
            colony="demo",
            size=3,
            castes=None,
            replace_failed=False,
            shrink=True,
            infrastructure=infrastructure,
            **names,
        ),
        **more,
    )


@pytest.mark.parametrize(
    "more, message",
    [
        (dict(size=0), "size 0 is impossible"),
        (dict(colony="Demo"), "colony: 'Demo' cannot be the name of a colony"),
        (dict(infrastructure=dict(keypair=dict(name=".."))), "infrastructure.keypair.name: '..' cannot be"),
        (dict(castes={"web": {"count": 4}}), "castes want 4 nodes, but size is 3"),
        (dict(castes={"web": {"count": 1, "requires": {"cpus": 2}}}), "cpus"),
        (dict(castes={"We b": {"count": 1}}), "castes: 'We b' cannot be the name of a caste"),
        (dict(castes={"web": {"count": True}}), "castes: web.count must be a whole number, not true or false"),
        (dict(castes={"web": {"count": float("nan")}}), "castes: web.count must be a whole number, not a number"),
        (dict(castes={"web": {"count": -1}}), "0 or more"),
        (dict(infrastructure=dict(metadata={"aware_node": "x"})), "the colony's own"),
        (dict(infrastructure=dict(tags=["a,b"])), "without / and ,"),
        (dict(infrastructure=dict(tags=["aware:other"])), "say whose"),
    ],
)
def test_an_impossible_wish_is_refused_in_one_line(more, message):
    with pytest.raises(CloudError) as caught:
        wish_of(params(**more))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_wish():
    wish = wish_of(
        params(
            castes={"web": {"count": 2, "requires": {"vcpus": 2, "zone": "z"}}},
            infrastructure=dict(tags=["x"], metadata={"a": 1}),
        )
    )
    assert (
        wish.castes[0].need == Size(2)
        and wish.castes[0].zone == "z"
        and wish.tags == ("aware:demo", "x")
        and wish.marks == {"a": "1"}
    )


@pytest.mark.parametrize("text, numbers", [("4.22.0", (4, 22)), ("3.9", (3, 9)), ("5.0.0rc1", (5, 0)), ("x", (0, 0))])
def test_versions(text, numbers):
    assert version_tuple(text) == numbers


@pytest.mark.parametrize(
    "cloud, secrets",
    [
        (None, set()),
        ("mycloud", set()),
        ({"region_name": "R"}, set()),
        ({"auth": "x"}, set()),
        (
            {
                "auth": {
                    "auth_url": "http://x",
                    "username": "u",
                    "password": "p",
                    "application_credential_secret": "s",
                    "token": "t",
                }
            },
            {"p", "s", "t"},
        ),
    ],
)
def test_what_of_a_cloud_is_secret(cloud, secrets):
    assert secrets_of(cloud) == secrets
