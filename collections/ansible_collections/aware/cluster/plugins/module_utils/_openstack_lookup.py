# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From names and requirements to identifiers: flavors, networks, groups, zones."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_images import Image, Images
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Size
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import usable

# Flavors that hand out rare things are not chosen by size alone; name such a flavor to get it.
_RARE = ("pci_passthrough:", "resources:", "hw:mem_page_size", "hw:cpu_policy", "aggregate_instance_extra_specs:")


@dataclass(frozen=True)
class Flavor:
    """A flavor as its name, identifier and size."""

    id: str
    name: str
    size: Size
    rare: bool = False


def smallest_flavor(flavors: Iterable, need: Size, purpose: str) -> Flavor:
    """The smallest flavor that fits: fewest vCPUs, then least RAM, then least disk. Raises CloudError."""
    offered = sorted(flavors, key=lambda one: (one.size.vcpus, one.size.ram_mib, one.size.disk_gib, one.name))
    fitting = [one for one in offered if one.size.fits(need) and not one.rare] or [
        one for one in offered if one.size.fits(need)
    ]
    if fitting:
        return fitting[0]
    there = "there is none at all"
    if offered:
        there = "the biggest is %s (%d, %d, %d)" % (
            offered[-1].name,
            offered[-1].size.vcpus,
            offered[-1].size.ram_mib,
            offered[-1].size.disk_gib,
        )
    raise CloudError(
        "no flavor has %d vCPU, %d MiB RAM and %d GiB disk, which %s needs; %s"
        % (need.vcpus, need.ram_mib, need.disk_gib, purpose, there)
    )


def at_least(one: Size, other: Size) -> Size:
    """The size that fits both needs."""
    return Size(max(one.vcpus, other.vcpus), max(one.ram_mib, other.ram_mib), max(one.disk_gib, other.disk_gib))


def size_of(requires: Mapping | None) -> Size:
    """Size from ``{vcpus, ram_mib, disk_gib}``; what is not given is 0."""
    requires = requires or {}
    return Size(*(int(requires.get(key) or 0) for key in ("vcpus", "ram_mib", "disk_gib")))


def chosen(what: str, wanted: str, entries: Iterable) -> Any:
    """The one entry with this id or, failing that, this name. Raises CloudError that says what is there instead."""
    entries = list(entries)
    same = [entry for entry in entries if entry["id"] == wanted] or [
        entry for entry in entries if entry.get("name") == wanted
    ]
    if len(same) == 1:
        return same[0]
    if same:
        raise CloudError(
            "%s %r is not unique: %s; give the id of one" % (what, wanted, ", ".join(entry["id"] for entry in same))
        )
    names = sorted({str(entry.get("name")) for entry in entries})
    close = get_close_matches(wanted, names, 3, 0.4) or names[:8]
    raise CloudError(
        "there is no %s %r in this project; there is %s" % (what, wanted, ", ".join(close) or "none at all")
    )


class Lookup:
    """Looks things up, each kind once."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._flavors: list = []
        self._images: dict = {}

    def flavors(self) -> list:
        """All flavors the project may use."""
        if not self._flavors:
            self._flavors = [read_flavor(raw) for raw in self.cloud.pages("compute", "/flavors/detail", "flavors")]
        return self._flavors

    def flavor(self, wanted: str | None, need: Size, purpose: str) -> Flavor:
        """The named flavor, or the smallest that fits. A named one that does not fit is refused."""
        if not wanted:
            return smallest_flavor(self.flavors(), need, purpose)
        entries = [dict(id=one.id, name=one.name, flavor=one) for one in self.flavors()]
        flavor = chosen("flavor", wanted, entries)["flavor"]
        if not flavor.size.fits(need):
            raise CloudError(
                "flavor %s has %d vCPU, %d MiB RAM and %d GiB disk, but %s needs %d, %d and %d"
                % (
                    flavor.name,
                    flavor.size.vcpus,
                    flavor.size.ram_mib,
                    flavor.size.disk_gib,
                    purpose,
                    need.vcpus,
                    need.ram_mib,
                    need.disk_gib,
                )
            )
        return flavor

    def is_diskless(self, wanted: str) -> bool:
        """Whether the flavor of this name or id has no disk."""
        return any(wanted in (one.id, one.name) and not one.size.disk_gib for one in self.flavors())

    def image(self, wanted: str | None, properties: Mapping | None) -> Image:
        """The image with this id or name, or the newest with these properties, see :class:`Images`."""
        key = (wanted, str(properties))
        if key not in self._images:
            self._images[key] = Images(self.cloud).find(wanted, properties)
        return self._images[key]

    def network(self, wanted: str, config_drive: bool) -> dict:
        """The network; refused when a guest could not get an address on it."""
        network = chosen("network", wanted, usable(self.cloud, "network", "/networks", "networks", wanted))
        subnets = self.cloud.pages("network", "/subnets", "subnets", {"network_id": network["id"]})
        if not subnets:
            raise CloudError("network %r has no subnet that servers could get an address from: create one" % wanted)
        if not config_drive and not any(subnet.get("enable_dhcp") for subnet in subnets):
            raise CloudError(
                "network %r has no subnet with DHCP, so a server would never learn its address: enable DHCP on %s, or set config_drive"
                % (wanted, " or ".join(subnet.get("name") or subnet["id"] for subnet in subnets))
            )
        return network

    def named(self, kind: str, wanted: str, service: str, path: str, key: str) -> dict:
        """Any other thing with a name."""
        return chosen(kind, wanted, usable(self.cloud, service, path, key, wanted))

    def check_zones(self, wanted: Iterable) -> None:
        """Raise CloudError that names those of the availability zones that are not there."""
        wanted = sorted(set(wanted))
        if not wanted:
            return
        listed = self.cloud.get("compute", "/os-availability-zone").get("availabilityZoneInfo") or []
        there = sorted(zone["zoneName"] for zone in listed if zone["zoneState"]["available"])
        absent = [zone for zone in wanted if zone.split(":")[0] not in there]
        if absent:
            raise CloudError(
                "there is no availability zone %s; there is %s"
                % (" and no ".join(map(repr, absent)), ", ".join(there) or "none")
            )


def read_flavor(raw: Mapping) -> Flavor:
    """Flavor from Nova's document."""
    extra = raw.get("extra_specs") or {}
    rare = any(str(key).startswith(_RARE) for key in extra)
    return Flavor(raw["id"], raw["name"], Size(int(raw["vcpus"]), int(raw["ram"]), int(raw["disk"])), rare)
