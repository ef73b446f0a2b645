# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What must be so before the first change: quotas, volumes, networks, limits of Nova. Each finding says what to set.

A run that makes nothing needs nothing. What a cloud does not tell is not checked, and then the service says no itself.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Plan
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import keypairs
from ansible_collections.aware.cluster.plugins.module_utils._openstack_quotas import (
    Need,
    Quotas,
    shortages,
    told,
)

MOST_USER_DATA = 65535  # characters of base64; Nova's own schema
MOST_TAGS = 50


@dataclass(frozen=True)
class Planned:
    """What a run is about to do."""

    plan: Plan
    raw: Mapping  # Nova's documents of the colony's servers, by id
    flavors: Mapping  # by caste; those that were not found are missing or None
    options: Mapping  # infrastructure
    marks: int = 0  # metadata items of a server
    tags: int = 0
    addresses: int = 0  # floating addresses to allocate
    members: tuple = ()  # ids of the servers in the server group
    made: Mapping = field(default_factory=dict)  # how many more there will be of what is around the servers, by quota

    def needs(self) -> list:
        """What it asks of each quota, but for the members of the server group."""
        around = [Need(quota, number) for quota, number in sorted(self.made.items()) if quota != "key_pairs"]
        return self._servers() + self._volumes() + around + [Need("floatingip", self.addresses)]

    def _servers(self) -> list:
        creates, deletes = self.plan.of("create"), self._deleted()
        flavors = [self.flavors[step.caste].size for step in creates if self.flavors.get(step.caste)]
        sizes = [raw.get("flavor") or {} for raw in deletes]
        count = len(creates)
        given = len(self.options["ports"])
        interfaces = count * len(self.options["networks"])
        gone = sum(max(len(_interfaces(raw)) - (1 if given else 0), 0) for raw in deletes)
        return [
            Need("instances", count, len(deletes)),
            Need("cores", sum(one.vcpus for one in flavors), sum(int(size.get("vcpus") or 0) for size in sizes)),
            Need("ram", sum(one.ram_mib for one in flavors), sum(int(size.get("ram") or 0) for size in sizes)),
            Need("metadata_items", self.marks if count else 0, otherwise="infrastructure.metadata to fewer"),
            Need("port", interfaces, gone),
        ]

    def _volumes(self) -> list:
        volume = self.options["boot_volume"]
        count = len(self.plan.of("create"))
        if not volume or not count:
            return []
        size = volume["size_gib"]
        gone = sum(1 for raw in self._deleted() for one in _volumes(raw) if one.get("delete_on_termination"))
        return [
            Need("volumes", count, gone),
            Need("gigabytes", count * size, gone * size),
            Need("per_volume_gigabytes", size, otherwise="infrastructure.boot_volume.size_gib to less"),
        ]

    def _deleted(self) -> list:
        return [self.raw[step.server] for step in self.plan.of("delete") if step.server in self.raw]


def obstacles(cloud: Cloud, planned: Planned) -> list:
    """Sentences about what stands in the way of this run."""
    needs = planned.needs() + keys(cloud, planned) + members(cloud, planned)
    texts = no_volumes(cloud, planned) + no_disk(cloud, planned) + too_long(planned) + no_key(planned)
    return texts + shortages(needs, Quotas(cloud).of, cloud.project)


def keys(cloud: Cloud, planned: Planned) -> list:
    """Each user has a quota of keypairs, and Nova does not tell how many are used."""
    number = planned.made.get("key_pairs", 0)
    if number < 1:
        return []
    used = told(lambda: len(keypairs(cloud)), 0)
    return [Need("key_pairs", number, used=used)]


def no_key(planned: Planned) -> list:
    """A public key to make a keypair of that is none: Nova would say so when the groups are made."""
    if planned.made.get("key_pairs", 0) < 1:
        return []
    words = planned.options["keypair"]["public_key"].split()
    try:
        blob = base64.b64decode(words[1], validate=True)
        kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii")
    except (IndexError, ValueError):
        kind = ""
    if kind and kind == words[0]:
        return []
    return ["infrastructure.keypair.public_key is no SSH public key: give the one line of a .pub file"]


def members(cloud: Cloud, planned: Planned) -> list:
    """How many a server group will have. Nova counts those of one user, and of those that are left."""
    count = len(planned.plan.of("create"))
    if not count or planned.options["server_group"] == "none":
        return []
    user = told(lambda: cloud.connection.current_user_id, None)
    staying = {server.id for server in planned.plan.keep} & set(planned.members)
    mine = [server for server in staying if user is None or planned.raw.get(server, {}).get("user_id") == user]
    return [Need("server_group_members", len(mine) + count, otherwise="infrastructure.server_group to none")]


def too_long(planned: Planned) -> list:
    """Limits of Nova that no quota moves."""
    texts = []
    if not planned.plan.of("create"):
        return texts
    size = len(base64.b64encode((planned.options["user_data"] or "").encode()))
    if size > MOST_USER_DATA:
        texts.append(
            "infrastructure.user_data has %d bytes in base64, and Nova takes %d (%d of plain text): shorten it, or let it fetch the rest"
            % (size, MOST_USER_DATA, MOST_USER_DATA // 4 * 3)
        )
    if planned.tags > MOST_TAGS:
        texts.append(
            "a server would have %d tags, and Nova takes %d: set infrastructure.tags to fewer"
            % (planned.tags, MOST_TAGS)
        )
    return texts


def no_volumes(cloud: Cloud, planned: Planned) -> list:
    """Boot volumes where the catalogue has no service for them."""
    if not planned.options["boot_volume"] or not planned.plan.of("create") or _has_service(cloud, "block-storage"):
        return []
    return [
        "this cloud has no volume service, so infrastructure.boot_volume cannot be had: leave it out, and servers boot from the flavor's disk"
    ]


def no_disk(cloud: Cloud, planned: Planned) -> list:
    """Flavors without a disk: by Nova's default policy only administrators may boot an image on one."""
    made = [planned.flavors.get(step.caste) for step in planned.plan.of("create")]
    names = sorted({flavor.name for flavor in made if flavor and not flavor.size.disk_gib})
    if not names or planned.options["boot_volume"] or "admin" in (roles(cloud) or ("admin",)):
        return []
    return [
        "flavor %s has no disk, and Nova lets only administrators boot an image on it: set infrastructure.boot_volume, or another flavor"
        % name
        for name in names
    ]


def roles(cloud: Cloud) -> Any:
    """Names of the roles the credentials have; None when that cannot be told."""
    return told(lambda: list(cloud.connection.session.auth.get_access(cloud.connection.session).role_names), None)


def _has_service(cloud: Cloud, service: str) -> bool:
    """False when the catalogue has no address of the service."""
    return bool(told(lambda: cloud.connection.config.get_session_endpoint(service) or "", "unknown"))


def _interfaces(raw: Mapping) -> set:
    entries = [one for several in (raw.get("addresses") or {}).values() for one in several]
    return {one.get("OS-EXT-IPS-MAC:mac_addr") for one in entries}


def _volumes(raw: Mapping) -> Any:
    return raw.get("os-extended-volumes:volumes_attached") or ()
