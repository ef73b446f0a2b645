# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs of quotas, what of that is missing and what to set; which image counts. On documents as services give them."""

from __future__ import annotations

import pytest

pytest.importorskip("openstack")

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._openstack_findings import Findings
from ansible_collections.aware.cluster.plugins.module_utils._openstack_images import Images, only_active, read_image
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import Flavor
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Plan, Server, Size, Step
from ansible_collections.aware.cluster.plugins.module_utils._openstack_parts import check_guarded, flavors_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_preflight import (
    Planned,
    members,
    no_key,
    too_long,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_quotas import Need, Quota, Quotas, shortages

OPTIONS = dict(
    ports=[],
    networks=["a"],
    boot_volume=None,
    user_data=None,
    server_group="soft-anti-affinity",
    image="debian-13",
    image_properties=None,
    flavor=None,
    requires=None,
)
SMALL = Flavor("f", "small", Size(2, 2048, 10))


class Connection:
    """As much of an SDK's connection as says who we are."""

    current_user_id = "u1"


class Cloud:
    """Answers of services by path; a status is a refusal. Counts what it was asked."""

    project = "p1"

    def __init__(self, **answers):
        self.answers, self.asked, self.connection = answers, [], Connection()

    def get(self, service, path, params=None):
        self.asked.append((service, path, params))
        answer = self.answers.get(service, 404)
        if isinstance(answer, int):
            raise Refused(answer, "GET " + path, "no")
        return answer


def raw(number, volumes=(), networks=1):
    """Nova's document of a server of the colony."""
    interfaces = dict(
        ("net%d" % one, [{"addr": "192.0.2.%d" % one, "OS-EXT-IPS-MAC:mac_addr": "mac%d.%d" % (number, one)}])
        for one in range(networks)
    )
    return {
        "id": "s%d" % number,
        "user_id": "u1",
        "flavor": {"vcpus": 4, "ram": 8192, "disk": 80},
        "addresses": interfaces,
        "os-extended-volumes:volumes_attached": list(volumes),
    }


def run(creates=2, deletes=(), options=None, **more):
    steps = [Step("delete", "bee-%d" % one, "", one, server="s%d" % one) for one in deletes]
    steps += [Step("create", "bee-%d" % one, "", one) for one in range(1, creates + 1)]
    documents = more.pop("documents", [raw(one) for one in deletes])
    return Planned(
        plan=Plan(tuple(steps), more.pop("keep", ())),
        raw=dict((one["id"], one) for one in documents),
        flavors={"": SMALL},
        options=dict(OPTIONS, **(options or {})),
        **more,
    )


def needs(run):
    return dict((need.quota, (need.wanted, need.freed)) for need in run.needs())


def test_what_servers_need_and_what_those_that_go_free():
    wanted = needs(run(3, [1], marks=5))
    assert wanted["instances"] == (3, 1)
    assert wanted["cores"] == (6, 4) and wanted["ram"] == (6144, 8192)
    assert wanted["port"] == (3, 1) and wanted["metadata_items"] == (5, 0)
    assert needs(run(1, options={"networks": ["a", "b"]}))["port"] == (2, 0)


def test_ports_the_user_made_are_neither_made_nor_freed():
    assert needs(run(2, [1], options={"ports": ["x", "y"], "networks": []}))["port"] == (0, 0)


def test_a_run_that_makes_nothing_needs_nothing():
    idle = run(0, [1], marks=500, tags=99, options={"user_data": "x" * 99999})
    assert not shortages(idle.needs(), lambda quota: Quota(0, 5), "p")
    assert not too_long(idle) and not members(Cloud(), idle)


def test_volumes():
    volume = {"boot_volume": {"size_gib": 20}}
    gone = [raw(1, [{"id": "v", "delete_on_termination": True}]), raw(2, [{"id": "w", "delete_on_termination": False}])]
    wanted = needs(run(3, [1, 2], volume, documents=gone))
    assert wanted["volumes"] == (3, 1) and wanted["gigabytes"] == (60, 20) and wanted["per_volume_gigabytes"] == (20, 0)
    assert "volumes" not in needs(run(3))


def test_members_of_a_server_group_are_those_of_the_user_that_stay():
    servers = [Server("s%d" % one, "bee-%d" % one, one) for one in (2, 3)]
    documents = [raw(1), raw(2), dict(raw(3), user_id="somebody else")]
    (need,) = members(Cloud(), run(2, [1], keep=tuple(servers), members=("s1", "s2", "s3"), documents=documents))
    assert need.wanted == 3
    assert not members(Cloud(), run(2, options={"server_group": "none"}))


@pytest.mark.parametrize(
    "need, quota, text",
    [
        (Need("instances", 5), Quota(10, 5), None),
        (
            Need("instances", 6),
            Quota(10, 5),
            "6 instances are wanted, 5 of 10 are left: set quota instances to at least 11",
        ),
        (Need("instances", 6, freed=1), Quota(10, 5), None),
        (Need("instances", 6), Quota(-1, 5), None),
        (Need("instances", 6), None, None),
        (Need("ram", 1), Quota(10, 15), "1 MiB of RAM is wanted, 0 of 10 are left: set quota ram to at least 16"),
        (Need("key_pairs", 1, used=100), Quota(100), "1 keypair is wanted, 0 of 100 are left"),
        (Need("server_group_members", 10), Quota(10), None),
        (
            Need("server_group_members", 11, otherwise="x to y"),
            Quota(10),
            "11 members of one server group are wanted, 10 are allowed: set quota server_group_members to at least 11, or x to y",
        ),
        (Need("security_group", -1), Quota(1, 5), None),
        (Need("floatingip", 0), Quota(0, 0), None),
    ],
)
def test_what_is_missing_and_what_to_set(need, quota, text):
    said = shortages([need], lambda name: quota, "p1")
    assert bool(said) == bool(text)
    assert not text or (text in said[0] and said[0].endswith(" p1"))


def test_one_command_sets_all():
    (text,) = shortages(
        [Need("cores", 9), Need("port", 3), Need("security_group_rule", 7)], lambda quota: Quota(2, 1), "p1"
    )
    assert text.endswith("openstack quota set --cores 10 --ports 4 --secgroup-rules 8 p1")


def test_details_of_quotas_as_services_tell_them():
    network = {"quota": {"port": {"limit": 500, "used": 7, "reserved": 2}, "floatingip": {"limit": -1, "used": 0}}}
    volume = {"quota_set": {"id": "p1", "volumes": {"limit": 10, "in_use": 4, "reserved": 1, "allocated": 0}}}
    cloud = Cloud(
        network=network,
        block_storage=volume,
        compute={"limits": {"absolute": {"maxTotalCores": 20, "totalCoresUsed": 3}}},
    )
    quotas = Quotas(cloud)
    assert quotas.of("port") == Quota(500, 9) and quotas.of("floatingip") == Quota(-1, 0)
    assert quotas.of("volumes") == Quota(10, 5) and quotas.of("gigabytes") is None
    assert quotas.of("cores") == Quota(20, 3) and quotas.of("instances") is None
    assert len(cloud.asked) == 3, "each service is asked once"
    assert cloud.asked[0][1] == "/quotas/p1/details.json"


@pytest.mark.parametrize(
    "answer", [403, 404, {}, {"quota": "none of your business"}, {"limits": {"absolute": {"maxTotalCores": "many"}}}]
)
def test_what_a_cloud_does_not_tell_limits_nothing(answer):
    quotas = Quotas(Cloud(network=answer, compute=answer, block_storage=answer))
    assert [quotas.of(name) for name in ("port", "cores", "volumes")] == [None] * 3


def test_user_data_counts_as_nova_counts_it():
    assert not too_long(run(options={"user_data": "x" * 49149}))
    assert "has 65536 bytes in base64, and Nova takes 65535" in too_long(run(options={"user_data": "x" * 49151}))[0]
    assert "has 65540 bytes" in too_long(run(options={"user_data": "\u00fc" * 24576 + "x"}))[0], "bytes, not characters"


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv5mX0pHc0M7yqSgpmQH3m6r2Z8o0r1dPpM3s3XxqO4"


@pytest.mark.parametrize(
    "key, good",
    [
        (KEY, True),
        (KEY + " me@here", True),
        (KEY.replace("ssh-ed25519", "ssh-rsa"), False),
        ("ssh-ed25519", False),
        ("ssh-ed25519 me@here", False),
        ("ssh-ed25519 AAAA", False),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk", False),
        ("files/id.pub", False),
        ("", False),
    ],
)
def test_a_public_key_is_one(key, good):
    said = no_key(run(made={"key_pairs": 1}, options={"keypair": {"public_key": key}}))
    assert bool(said) != good
    assert "PRIVATE" not in str(said)
    assert not no_key(run(options={"keypair": {"public_key": key}})), "none is made"


def test_findings_come_together_but_a_service_that_says_no_ends_the_run():
    def fails(text):
        raise CloudError(text)

    def forbidden():
        raise Refused(403, "GET /x", "no")

    findings = Findings()
    assert findings.attempt(len, "abc") == 3
    assert findings.attempt(fails, "one") is None and findings.attempt(fails, "one") is None
    findings.add(["two"])
    with pytest.raises(Refused):
        findings.attempt(forbidden)
    with pytest.raises(CloudError, match="^one; two$"):
        findings.check()


class Flavors:
    """A cloud's flavors and one image."""

    def __init__(self, image):
        self._image = image
        self.asked = []

    def image(self, wanted, properties):
        return self._image

    def is_diskless(self, wanted):
        return wanted == "diskless"

    def flavor(self, wanted, need, purpose):
        self.asked.append(need)
        return SMALL


def image(**more):
    return read_image(dict(dict(id="i", name="n", min_ram=0, min_disk=0, size=None, status="active"), **more))


def test_an_image_needs_a_disk_that_holds_it():
    assert image(min_disk=3, size=5, min_ram=512).need == Size(0, 512, 3)
    assert image(min_disk=1, size=2 * 2**30 + 1).need.disk_gib == 3
    assert image(size=100, virtual_size=10 * 2**30).need.disk_gib == 10
    assert image(min_disk=None, min_ram=None, virtual_size="?").need == Size()


def test_with_a_boot_volume_the_volume_is_the_disk():
    options = dict(OPTIONS, boot_volume={"size_gib": 20})
    castes = {"db": {"count": 1, "requires": {"disk_gib": 20}}}
    lookup = Flavors(image(min_disk=10))
    flavors_of(dict(infrastructure=options, castes=castes), lookup)
    assert [need.disk_gib for need in lookup.asked] == [0, 0], "a flavor without a disk does"
    castes["db"]["requires"]["disk_gib"] = 21
    with pytest.raises(CloudError, match="boot_volume.size_gib is 20, but caste db needs 21"):
        flavors_of(dict(infrastructure=options, castes=castes), lookup)
    with pytest.raises(CloudError, match="boot_volume.size_gib is 20, but infrastructure needs 30"):
        flavors_of(dict(infrastructure=options, castes={}), Flavors(image(min_disk=30)))


@pytest.mark.parametrize("flavor, disk", [(None, 3), ("small", 3), ("diskless", 0)])
def test_a_flavor_without_a_disk_takes_the_size_of_the_image(flavor, disk):
    lookup = Flavors(image(size=3 * 2**30))
    flavors_of(dict(infrastructure=dict(OPTIONS, flavor=flavor), castes={}), lookup)
    assert [need.disk_gib for need in lookup.asked] == [disk]
    lookup = Flavors(image())
    flavors_of(dict(infrastructure=dict(OPTIONS, flavor=flavor), castes={}), lookup)
    assert [need.disk_gib for need in lookup.asked] == [0 if flavor else 1]


def documents(*statuses):
    return [
        dict(id="i%d" % number, status=status, created_at="2026-01-0%dT" % number)
        for number, status in enumerate(statuses, 1)
    ]


def test_only_active_images_count():
    assert only_active("x", documents("deactivated", "active"))["id"] == "i2"
    with pytest.raises(
        CloudError, match=r"not unique, 2 active .* give the id of one: i3 of 2026-01-03T?, i1 of 2026-01-01"
    ):
        only_active("x", documents("active", "queued", "active"))
    with pytest.raises(CloudError, match=r"image 'x' is not active \(i1 is deactivated, i2 is queued\)"):
        only_active("x", documents("deactivated", "queued"))


def test_groups_need_port_security():
    networks = [dict(name="a", port_security_enabled=True), dict(name="b", port_security_enabled=False), dict(name="c")]
    options = dict(security_group=dict(manage=True), security_groups=[])
    with pytest.raises(CloudError, match="^network b has no port security"):
        check_guarded(networks, options)
    check_guarded([networks[0], networks[2]], options)
    check_guarded(networks, dict(options, security_group=dict(manage=False)))
    with pytest.raises(CloudError, match="network b"):
        check_guarded(networks, dict(options, security_group=dict(manage=False), security_groups=["mine"]))


class Glance(Cloud):
    """Lists every image to an administrator, whoever owns it; ``accepted`` are shared with the project."""

    def __init__(self, *images, accepted=()):
        super().__init__()
        self.images = [dict(dict(name="x", status="active", owner="p2", os_hidden=False), **one) for one in images]
        self.accepted = accepted

    def pages(self, service, path, key, params=None):
        query = dict(params or {})
        query.pop("limit", None)
        hidden = query.pop("os_hidden", "false") == "true"
        community = query.get("visibility") == "community"
        return [
            one
            for one in self.images
            if one["os_hidden"] == hidden
            and (one["visibility"] == "community") == community
            and all(str(one.get(name)) == value for name, value in query.items())
        ]

    def get(self, service, path, params=None):
        ids = path.strip("/").split("/")
        for one in self.images:
            if ids[1] == one["id"] and len(ids) == 2:
                return one
            if ids[1] == one["id"] and one["id"] in self.accepted:
                return {"status": "accepted"}
        raise Refused(404, "GET " + path, "no")


ID = "0b5a7d6e-3b0f-4f6e-9d0e-6a1f0c2d3e4%d"


def test_images_of_other_projects_are_not_taken_by_name():
    private = dict(id="a", visibility="private")
    shared = dict(id="b", visibility="shared")
    for cloud in (Glance(private), Glance(shared), Glance(private, shared)):
        with pytest.raises(CloudError, match="there is no image 'x'"):
            Images(cloud).find("x", None)
        with pytest.raises(CloudError, match="no active image with os=y"):
            cloud.images[0]["os"] = "y"
            Images(cloud).find(None, {"os": "y"})
    assert Images(Glance(private, shared, accepted=["b"])).find("x", None).id == "b"
    assert Images(Glance(private, dict(id="c", visibility="private", owner="p1"))).find("x", None).id == "c"
    assert Images(Glance(dict(private, id=ID % 1))).find(ID % 1, None).id == ID % 1, "by id it is what was meant"


def test_hidden_and_community_images():
    hidden = dict(id="h", visibility="public", os_hidden=True)
    community = dict(id=ID % 2, visibility="community")
    assert Images(Glance(hidden)).find("x", None).id == "h"
    assert Images(Glance(hidden, dict(id="p", visibility="public"))).find("x", None).id == "p", "listed before hidden"
    with pytest.raises(CloudError, match="community image.*give its id .%s" % (ID % 2)):
        Images(Glance(community)).find("x", None)
    assert Images(Glance(community)).find(ID % 2, None).id == ID % 2
    with pytest.raises(CloudError, match="is not active .p is deactivated"):
        Images(Glance(hidden, dict(id="p", visibility="public", status="deactivated"))).find("x", None)
    named_like_an_id = dict(id="n", visibility="public", name=ID % 3)
    assert Images(Glance(named_like_an_id)).find(ID % 3, None).id == "n"
