# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From names and requirements to identifiers: images, flavors, networks, groups, and whether the quota is enough."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Size

# Flavors that hand out rare things are not chosen by size alone; name such a flavor to get it.
_RARE = ("pci_passthrough:", "resources:", "hw:mem_page_size", "hw:cpu_policy", "aggregate_instance_extra_specs:")


@dataclass(frozen=True)
class Flavor:
    """A flavor as its name, identifier and size."""

    id: str
    name: str
    size: Size
    rare: bool = False


@dataclass(frozen=True)
class Image:
    """An image and what it needs. ``kind`` tells for messages what it was found by."""

    id: str
    name: str
    need: Size = Size()


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

    def image(self, wanted: str | None, properties: Mapping | None) -> Image:
        """The named image, or the newest active one that has all ``properties``."""
        if wanted:
            found = self.cloud.pages("image", "/images", "images", {"name": wanted})
            if not found:
                found = self.cloud.pages("image", "/images", "images", {"limit": "200"})
            image = chosen("image", wanted, found)
            if image["status"] != "active":
                raise CloudError("image %r is %s, not active" % (wanted, image["status"]))
            return read_image(image)
        query = dict((str(key), str(value)) for key, value in (properties or {}).items())
        found = self.cloud.pages("image", "/images", "images", dict(query, status="active"))
        # Clouds that do not filter by a property of their own ignore it.
        found = [image for image in found if all(str(image.get(key)) == value for key, value in query.items())]
        if not found:
            raise CloudError(
                "there is no active image with %s" % ", ".join("%s=%s" % pair for pair in sorted(query.items()))
            )
        return read_image(max(found, key=lambda image: (image.get("created_at") or "", image["id"])))

    def network(self, wanted: str, config_drive: bool) -> dict:
        """The network; refused when a guest could not get an address on it."""
        network = chosen("network", wanted, self.cloud.pages("network", "/networks", "networks"))
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
        return chosen(kind, wanted, self.cloud.pages(service, path, key))

    def zones(self, wanted: Iterable) -> tuple:
        """The availability zones, checked. With none wanted Nova chooses."""
        wanted = tuple(wanted)
        if wanted:
            listed = self.cloud.get("compute", "/os-availability-zone").get("availabilityZoneInfo") or []
            there = [zone["zoneName"] for zone in listed if zone["zoneState"]["available"]]
            for zone in wanted:
                if zone.split(":")[0] not in there:
                    raise CloudError(
                        "there is no availability zone %r; there is %s" % (zone, ", ".join(sorted(there)) or "none")
                    )
        return wanted

    def check_quota(self, sizes: Iterable, freed: Iterable) -> None:
        """Raise CloudError when the project may not have servers of these ``sizes`` beside those it has, less those ``freed``."""
        sizes, freed = list(sizes), list(freed)
        try:
            limits = self.cloud.get("compute", "/limits")["limits"]["absolute"]
        except (Refused, KeyError):
            return  # Nova will say so itself
        short = []
        for what, limit, used, number in (
            ("instances", "maxTotalInstances", "totalInstancesUsed", len),
            ("cores", "maxTotalCores", "totalCoresUsed", lambda all_: sum(size.vcpus for size in all_)),
            ("MiB of RAM", "maxTotalRAMSize", "totalRAMUsed", lambda all_: sum(size.ram_mib for size in all_)),
        ):
            most, now, more = limits.get(limit, -1), limits.get(used, 0), number(sizes)
            left = most - now + number(freed)
            if most >= 0 and more > left:
                short.append("%d %s are wanted, %d of %d are left" % (more, what, max(left, 0), most))
        if short:
            raise CloudError(
                "quota: %s: wish for less, delete something, or ask for a higher quota; nothing was made"
                % "; ".join(short)
            )


def read_flavor(raw: Mapping) -> Flavor:
    """Flavor from Nova's document."""
    extra = raw.get("extra_specs") or {}
    rare = any(str(key).startswith(_RARE) for key in extra)
    return Flavor(raw["id"], raw["name"], Size(int(raw["vcpus"]), int(raw["ram"]), int(raw["disk"])), rare)


def read_image(raw: Mapping) -> Image:
    """Image from Glance's document."""
    return Image(
        raw["id"], raw.get("name") or raw["id"], Size(0, int(raw.get("min_ram") or 0), int(raw.get("min_disk") or 0))
    )
