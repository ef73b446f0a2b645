# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the project: asked for by project, and looked at again in the answer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ansible_collections.aware.cluster.plugins.module_utils import _openstack_owned
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._openstack_around import Surroundings
from ansible_collections.aware.cluster.plugins.module_utils._openstack_floating import FloatingAddresses, Gift
from ansible_collections.aware.cluster.plugins.module_utils._openstack_group import SecurityGroup
from ansible_collections.aware.cluster.plugins.module_utils._openstack_keys import Keypairs, key_mark, keypair_name
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import description, own_groups
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Server
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import Networks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import foreign_text, owned, usable
from ansible_collections.aware.cluster.plugins.module_utils._openstack_ports import of_servers, ports_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import find

OPTIONS = dict(security_group=dict(manage=True), keypair=None, server_group="none")


class Everybodys(Cloud):
    """A cloud that lists what all projects have, whatever it is asked; ``deleted`` are the paths it was told to delete."""

    project = "a"

    def __init__(self, **lists):
        super().__init__(None)
        self.lists, self.asked, self.deleted, self.answers, self.made = lists, [], [], {}, []

    def pages(self, service, path, key, params=None):
        self.asked.append((path, dict(params or {})))
        return [dict(entry) for entry in self.lists.get(key, ())]

    def request(self, service, method, path, body=None, params=None, headers=None, busy=()):
        if path in self.answers:
            raise self.answers[path]
        if method == "DELETE":
            self.deleted.append(path)
        else:
            self.made.append((method, path, body))
        return {}


def both(**values):
    """The same thing in project a, in project b, and in one that does not say."""
    return [dict(values, id="ours", project_id="a"), dict(values, id="theirs", project_id="b"), dict(values, id="none")]


@pytest.mark.parametrize("kind", ["security group", "floating address", "port"])
def test_neutron_is_asked_by_project(kind):
    cloud = Everybodys()
    owned(cloud, kind, name="x")
    assert cloud.asked[0][1] == dict(name="x", project_id="a")


@pytest.mark.parametrize("kind", sorted(_openstack_owned._KINDS))
def test_the_answer_is_looked_at_again(kind):
    key = _openstack_owned._KINDS[kind][2]
    cloud = Everybodys(**{key: both() + [dict(id="old", tenant_id="a")]})
    assert [entry["id"] for entry in owned(cloud, kind)] == ["ours", "old"]
    assert foreign_text(cloud) == (
        "the cloud listed resources of other projects (2 of kind %s); they are left alone" % kind
    )


def test_nothing_foreign_is_nothing_to_say():
    assert foreign_text(Everybodys()) == ""


def test_groups_addresses_server_groups_and_servers_of_others_are_not_ours():
    server = dict(
        name="demo-1", status="ACTIVE", tags=["aware:demo"], metadata=dict(aware_colony="demo", aware_index="1")
    )
    cloud = Everybodys(
        security_groups=both(name="aware-demo", description=description("demo")),
        floatingips=both(description=description("demo") + ": demo-1", floating_ip_address="192.0.2.1", port_id="p"),
        server_groups=both(name="aware:demo", policy="affinity"),
        servers=both(**server),
    )
    assert [group["id"] for group in own_groups(cloud, "demo")] == ["ours"]
    assert [one["id"] for one in FloatingAddresses(cloud, "demo", Networks()).owned()] == ["ours"]
    assert [one["id"] for one in Surroundings(cloud, "demo", OPTIONS).server_groups()] == ["ours"]
    found = find(cloud, "demo")
    assert [one.id for one in found.owned] == ["ours"] and not found.foreign


def test_names_mean_own_shared_or_external_ones_and_ids_anything():
    networks = [
        dict(id="1", name="n", project_id="a"),
        dict(id="2", name="n", project_id="b"),
        dict(id="3", name="n", project_id="b", shared=True),
        dict(id="4", name="n", project_id="b", shared=False, **{"router:external": True}),
    ]
    cloud = Everybodys(networks=networks)
    assert [one["id"] for one in usable(cloud, "network", "/networks", "networks", "n")] == ["1", "3", "4"]
    assert [one["id"] for one in usable(cloud, "network", "/networks", "networks", "2")] == ["1", "2", "3", "4"]


def test_credentials_for_no_project_are_refused():
    class Unscoped:
        current_project_id = None

    with pytest.raises(CloudError, match="the credentials are for no project"):
        Cloud(Unscoped()).project


def test_lists_that_decide_ownership_are_asked_for_in_one_place():
    """Whoever adds one elsewhere forgets the project."""
    paths = {entry[1] for entry in _openstack_owned._KINDS.values()} | {"/os-keypairs", "/servers"}
    here = Path(_openstack_owned.__file__)
    found = []
    for path in sorted(here.parent.glob("_openstack_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("pages", "get"):
                asked = [one.value for one in node.args if isinstance(one, ast.Constant)]
                found += [(path.name, one) for one in asked if one in paths]
    # Whosever the ports are: those that keep a group from going are named, those of a router show a way out of a network.
    allowed = [("_openstack_group.py", "/ports"), ("_openstack_networks.py", "/ports")]
    assert [one for one in found if one[0] != here.name] == allowed


# -- keypairs


def pair(name, key, *comment):
    return {"keypair": dict(name=name, public_key=" ".join(("ssh-ed25519", key) + comment), fingerprint="f")}


def test_a_keypair_says_in_its_comment_whose_it_is():
    cloud = Everybodys()
    name, key = Keypairs(cloud, "demo").look(dict(public_key="ssh-ed25519 AAAA me@here\n"))
    assert (name, key) == (keypair_name("demo", "a"), "ssh-ed25519 AAAA me@here")
    Keypairs(cloud, "demo").make(name, key)
    body = cloud.made[0][2]["keypair"]
    assert body == dict(name="aware-demo-a", public_key="ssh-ed25519 AAAA me@here aware:demo@a")


def test_only_keypairs_with_our_mark_are_deleted():
    marks = [key_mark("demo", "a"), key_mark("demo", "b"), key_mark("demo2", "a"), "x" + key_mark("demo", "a")]
    pairs = [pair("k%d" % number, "AAAA", mark) for number, mark in enumerate(marks)]
    cloud = Everybodys(keypairs=pairs + [pair("aware-demo-a", "AAAA"), pair("k9", "AAAA", key_mark("demo", "a"), "x")])
    assert Keypairs(cloud, "demo").owned() == ["k0"]


def test_a_keypair_that_came_meanwhile_is_good_only_with_the_same_key():
    cloud = Everybodys(keypairs=[])
    cloud.answers = {"/os-keypairs": Refused(409, "POST", "exists")}
    keys = Keypairs(cloud, "demo")
    with pytest.raises(Refused):
        keys.make("k", "ssh-ed25519 AAAA")
    cloud.lists["keypairs"] = [pair("k", "AAAB")]
    with pytest.raises(CloudError, match="holds another public key"):
        keys.make("k", "ssh-ed25519 AAAA")
    cloud.lists["keypairs"] = [pair("k", "AAAA")]
    keys.make("k", "ssh-ed25519 AAAA")


# -- a group that is to go


def port(identifier, **more):
    return dict(dict(id=identifier, security_groups=["g", "x"], device_id="", name="", project_id="a"), **more)


GROUP = dict(id="g", name="aware-demo", description=description("demo"), project_id="a")


def test_ports_that_keep_the_group_are_named_before_anything_is_removed():
    cloud = Everybodys(ports=[port("p1", device_id="s1"), port("p2", device_id="s2", name="db"), port("p3")])
    group = SecurityGroup(cloud, "demo", {})
    (text,) = group.kept_by([GROUP], {"s1"})
    assert "used by port p2 (named db, of s2), p3 (of no server), not of the colony's servers" in text
    assert "openstack port unset --security-group g PORT" in text
    assert not group.kept_by([GROUP], {"s1", "s2", ""}) and not group.kept_by([], set())


def test_ports_of_other_groups_do_not_count():
    """A cloud that does not filter lists all."""
    cloud = Everybodys(ports=[port("p1", security_groups=["h"])])
    assert not SecurityGroup(cloud, "demo", {}).kept_by([GROUP], set())


def test_a_port_that_was_given_outlives_its_server_without_the_group():
    cloud = Everybodys(
        ports=[port("p1"), port("p2", device_id="s1"), port("p3", device_id="s9"), port("p4", project_id="b")]
    )
    SecurityGroup(cloud, "demo", {}).delete(GROUP, {"s1"})
    assert [(path, body["port"]["security_groups"]) for unused, path, body in cloud.made] == [
        ("/ports/p1", ["x"]),
        ("/ports/p2", ["x"]),
    ]
    assert cloud.deleted == ["/security-groups/g"]


def test_a_group_in_use_is_named_with_its_ports():
    cloud = Everybodys(ports=[port("p3", device_id="s9")])
    cloud.answers = {"/security-groups/g": Refused(409, "DELETE", "in use")}
    with pytest.raises(CloudError, match=r"used by port p3 \(of s9\)"):
        SecurityGroup(cloud, "demo", {}).delete(GROUP, {"s1"})
    cloud.lists["ports"] = []
    with pytest.raises(CloudError, match="ports this project may not see.*ask the cloud's administrator"):
        SecurityGroup(cloud, "demo", {}).delete(GROUP, {"s1"})


def test_not_found_is_gone_only_when_it_is_not_listed():
    cloud = Everybodys()
    cloud.answers = {"/security-groups/g": Refused(404, "DELETE", "not found")}
    SecurityGroup(cloud, "demo", {}).delete(GROUP)
    cloud.lists["security_groups"] = [GROUP]
    with pytest.raises(Refused, match="404"):
        SecurityGroup(cloud, "demo", {}).delete(GROUP)


# -- ports and floating addresses of servers

SERVER = Server(id="s1", name="demo-1", index=1)


def test_a_port_of_another_project_that_names_our_server_is_not_the_servers():
    """Anybody may write any id into device_id."""
    forged = port("p2", device_id="s1", project_id="b")
    cloud = Everybodys(ports=[port("p1", device_id="s1"), forged])
    assert [one["id"] for one in ports_of(cloud, [SERVER])["s1"]] == ["p1"]
    cloud.get = lambda service, path, params=None: {"port": forged}
    assert [one["id"] for one in ports_of(cloud, [SERVER], ["p2"])["s1"]] == ["p1", "p2"], "the user named it"


def test_a_load_balancer_in_the_group_is_no_server_that_is_gone():
    ports = [
        port("p1", device_id="s1", device_owner="compute:az1"),
        port("p2", device_id="lb-1", device_owner="Octavia"),
        port("p3", device_id="s2", device_owner="compute:az1", project_id="b"),
        port("p4"),
    ]
    assert of_servers(Everybodys(), ports) == {"s1"}


def floating(identifier, on, whose="ours"):
    text = description("demo") + ": demo-1" if whose == "ours" else "mine"
    return dict(id=identifier, port_id=on, description=text, floating_ip_address="192.0.2." + identifier, project_id="a")


@pytest.mark.parametrize(
    "entries, gifts, address",
    [
        ([], 1, None),
        ([floating("1", "p1")], 0, "192.0.2.1"),
        ([floating("2", "p1", "hand")], 0, "192.0.2.2"),
        ([floating("2", "p9", "hand")], 1, None),
        ([floating("3", None)], 1, None),
        ([dict(floating("4", "p1"), project_id="b")], 1, None),
    ],
    ids=["none", "ours", "by hand", "by hand elsewhere", "idle", "another project's"],
)
def test_a_floating_address_by_hand_is_as_good(entries, gifts, address):
    ports = {"s1": [port("p1", device_id="s1", network_id="n")]}
    shares = FloatingAddresses(Everybodys(floatingips=entries), "demo", Networks(floating="ext")).look([SERVER], ports)
    assert len(shares.gifts) == gifts and shares.addresses.get("demo-1") == address
    assert [one["id"] for one in shares.idle] == [one["id"] for one in entries if one["id"] == "3"]


def test_a_conflict_at_a_port_is_fine_only_when_it_has_one():
    gift = Gift(SERVER, port("p1", network_id="n"))
    cloud = Everybodys(floatingips=[])
    cloud.answers = {"/floatingips": Refused(409, "POST", "already has a floating IP")}
    addresses = FloatingAddresses(cloud, "demo", Networks(floating="ext"))
    with pytest.raises(Refused, match="409"):
        addresses.give(gift, [])
    cloud.lists["floatingips"] = [floating("2", "p1", "hand")]
    addresses.give(gift, [])
