# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks, ports and floating addresses, servers that differ from the wish: what is decided, without a cloud."""

from __future__ import annotations

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_create import lanes
from ansible_collections.aware.cluster.plugins.module_utils._openstack_drift import Wanted, remarks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_floating import FloatingAddresses
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import Flavor
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Server, Size, Step
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import Networks, address_network
from ansible_collections.aware.cluster.plugins.module_utils._openstack_ports import outside

NETS = (dict(id="n1", name="private"), dict(id="n2", name="mgmt"), dict(id="n3", name="mgmt"))


@pytest.mark.parametrize("wanted, found", [("private", "n1"), ("n2", "n2"), ("n3", "n3"), (None, ""), ("", "")])
def test_the_network_of_the_address_by_name_or_id(wanted, found):
    assert address_network(wanted, NETS) == found


@pytest.mark.parametrize(
    "wanted, words", [("privat", "private (n1), mgmt (n2), mgmt (n3)"), ("mgmt", "give the id of one: mgmt (n2), mgmt")]
)
def test_a_typo_names_the_candidates(wanted, words):
    with pytest.raises(CloudError) as caught:
        address_network(wanted, NETS)
    assert words in str(caught.value) and repr(wanted) in str(caught.value)


def port(number, network, **more):
    return dict(dict(id=number, network_id=network, security_groups=["g"], fixed_ips=[]), **more)


@pytest.mark.parametrize(
    "more, chosen",
    [
        (dict(), "p9"),  # the first of those wished for, not the smallest identifier
        (dict(routed=frozenset(["n2"])), "p5"),
        (dict(routed=frozenset(["n2", "n3"])), "p5"),
        (dict(dead_ends=frozenset(["n1"])), "p5"),
        (dict(routed=frozenset(["n2"]), address="n3"), "p0"),
        (dict(address="gone"), "p9"),
    ],
)
def test_the_port_a_floating_address_belongs_to(more, chosen):
    floating = FloatingAddresses(None, "demo", Networks(wanted=NETS, floating="f", **more))
    assert floating.port_of([port("p0", "n3"), port("p5", "n2"), port("p9", "n1")])["id"] == chosen


def test_what_is_known_to_lead_nowhere_is_refused():
    dead = frozenset(["n1"])
    with pytest.raises(CloudError, match="no router leads from network private to floating_network out.*router add"):
        Networks(wanted=NETS[:1], floating="f", dead_ends=dead).check("out")
    with pytest.raises(CloudError, match="as address_network: mgmt"):
        Networks(wanted=NETS[:2], floating="f", dead_ends=dead, routed=frozenset(["n2"]), address="n1").check("out")
    Networks(wanted=NETS[:2], floating="f", dead_ends=dead, routed=frozenset(["n2"])).check("out")
    Networks(wanted=NETS[:1], dead_ends=dead).check("out")


def server(number=1, **more):
    return Server(**dict(dict(id="s%d" % number, name="demo-%d" % number, index=number, size=Size(1, 512, 1)), **more))


def test_ports_outside_the_groups():
    ports = {"s1": [port("a", "n1"), port("b", "n1", security_groups=[]), port("mine", "n1", security_groups=["x"])]}
    ports["s2"] = [port("open", "n1", security_groups=[], port_security_enabled=False)]
    steps, warnings = outside([server(1), server(2)], ports, ("g",), ["mine"])
    assert [(one.name, there["id"]) for one, there in steps] == [("demo-1", "b")]
    assert len(warnings) == 1 and "openstack port set --security-group g mine" in warnings[0]
    assert outside([server(1)], ports, (), []) == ([], [])
    assert len(outside([server(1)], ports, ("",), ["mine"])[0]) == 2, "a group that is not there yet has no ports"


class Neutron:
    """What FloatingAddresses asks: addresses of the project, ports and servers by id."""

    project = "mine"

    def __init__(self, entries, ports, servers):
        self.entries, self.ports, self.servers = entries, ports, servers

    def pages(self, service, path, key, params=None):
        return self.entries

    def get(self, service, path):
        from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Refused

        kind, unused, one = path.strip("/").partition("/")
        there = (self.ports if kind == "ports" else self.servers).get(one)
        if there is None:
            raise Refused(404, path, "gone")
        return {kind[:-1]: there}


def entry(number, node, bound):
    text = "AWARE colony demo: " + node
    return dict(id=number, description=text, floating_ip_address="f-" + number, port_id=bound, project_id="mine")


def test_an_address_counts_for_who_has_the_port(monkeypatch):
    from ansible_collections.aware.cluster.plugins.module_utils import _openstack_floating

    monkeypatch.setattr(_openstack_floating, "description", lambda colony: "AWARE colony " + colony)
    soft = dict(
        id="old",
        name="demo-2",
        status="SOFT_DELETED",
        tags=["aware:demo"],
        metadata={"aware_colony": "demo"},
        flavor={},
    )
    cloud = Neutron(
        [
            entry("1", "demo-1", "p1"),
            entry("2", "demo-2", "p-old"),
            entry("3", "demo-3", None),
            entry("4", "demo-4", "p-other"),
            entry("5", "demo-5", "p-vanished"),
        ],
        {"p-old": dict(device_id="old"), "p-other": dict(device_id="other")},
        {"old": soft, "other": dict(soft, id="other", status="ACTIVE", tags=[], metadata={})},
    )
    networks = Networks(wanted=NETS, floating="f", routed=frozenset(["n2"]))
    ports = {"s1": [port("p1", "n1"), port("p0", "n2")], "s2": [port("p2", "n1")]}
    shares = FloatingAddresses(cloud, "demo", networks).look([server(1), server(2)], ports)
    assert shares.addresses == {"demo-1": "f-1"}, "the dead server's address is nobody's"
    assert [str(gift) for gift in shares.gifts] == [
        "move the floating address of server demo-1 to its port on the right network",
        "give server demo-2 a floating address",
    ]
    assert shares.gifts[0].port["id"] == "p0"
    assert [one["id"] for one in shares.idle] == ["2", "3", "5"]
    assert len(shares.warnings) == 1 and "f-4" in shares.warnings[0]


FLAVORS = {"": Flavor("1", "small", Size(1, 512, 1)), "db": Flavor("2", "big", Size(4, 4096, 8))}
RAW = dict(flavor=dict(original_name="small"), image=dict(id="img"), key_name="k", config_drive="", addresses={})
AS_WANTED = dict(flavors=FLAVORS, image="img", key_name="k", networks=Networks(wanted=NETS[:1], every=("n1",)))


@pytest.mark.parametrize(
    "one, raw, wanted, words",
    [
        ({}, {}, {}, ""),
        ({}, dict(flavor=dict(original_name="tiny")), {}, "flavor tiny instead of small"),
        (dict(size=Size(2, 512, 1)), {}, {}, "flavor small as it was (2 vCPU, 512 MiB, 1 GiB)"),
        # A server of another caste's flavor that is big enough serves here.
        (dict(size=Size(4, 4096, 8)), dict(flavor=dict(original_name="big")), {}, ""),
        (dict(size=Size(9, 9999, 9)), dict(flavor=dict(original_name="huge")), {}, "flavor huge instead of small"),
        # No flavor was named: any that fits will do.
        (dict(size=Size(9, 9999, 9)), dict(flavor=dict(original_name="huge")), dict(needs={"": Size(2)}), ""),
        ({}, {}, dict(needs={"": Size(2)}), "small where small is needed"),
        ({}, dict(image=dict(id="old")), {}, "image old instead of img"),
        ({}, dict(image=dict(id="old")), dict(image=""), ""),
        ({}, dict(image=""), {}, "a volume, not a disk of its flavor"),
        ({}, {}, dict(volume=True), "a disk of its flavor, not a volume"),
        ({}, dict(image=""), dict(volume=True), ""),
        ({}, dict(key_name=None), {}, "key pair none instead of k"),
        ({}, {}, dict(key_name=""), "key pair k instead of none"),
        ({}, {}, dict(config_drive=True), "no config drive"),
        ({}, dict(config_drive="True"), dict(config_drive=True), ""),
        (dict(zone="a"), {}, dict(zones=("b", "c:host")), "in zone a, not in b or c"),
        (dict(zone="c"), {}, dict(zones=("b", "c:host")), ""),
        ({}, {}, dict(networks=Networks(wanted=NETS[:2], every=("n1", "n2"))), "not on network mgmt"),
        ({}, {}, dict(networks=Networks(wanted=NETS[1:2], every=("n2",))), "not on network mgmt, also on network n1"),
        ({}, {}, dict(networks=Networks(wanted=NETS[:1]), given=(port("p", "n1"),)), ""),
        ({}, {}, dict(networks=Networks(wanted=NETS[:1]), given=()), "also on network private"),
        (dict(status="ERROR"), dict(image=dict(id="old")), {}, ""),
        (dict(status="BUILD"), dict(image=dict(id="old")), {}, ""),
    ],
)
def test_what_differs_is_named(one, raw, wanted, words):
    said = remarks(server(**one), dict(RAW, **raw), [port("p", "n1")], Wanted(**dict(AS_WANTED, **wanted)))
    if not words:
        assert said == []
    else:
        (text,) = said
        assert text.startswith("server demo-1 differs from what is wished for: " + words)
        assert text.endswith("it is left as it is: replace.yml -e aware_replace=demo-1 makes it anew")


def test_who_must_not_be_scheduled_at_the_same_time():
    def step(index, zone=""):
        return Step("create", "demo-%d" % index, "", index, zone=zone)

    def numbers(steps):
        return [[one.index for one in lane] for lane in lanes(steps)]

    assert numbers([step(1, "a"), step(2, "b"), step(3, "a")]) == [[1, 3], [2]]
    assert numbers([step(1, "a"), step(2)]) == [[1, 2]]
    assert numbers([step(1), step(2)]) == [[1, 2]]
