# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a server is made of: flavors by caste and everything else of its blueprint, looked up once, with ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_findings import straight
from ansible_collections.aware.cluster.plugins.module_utils._openstack_images import Image
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import Flavor, Lookup, at_least, size_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import SPARE, Size
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import (
    Networks,
    address_network,
    given_ports,
    networks_of_ports,
    routes,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import checked_castes


def flavors_of(params: Mapping, lookup: Lookup, attempt: Callable = straight) -> dict:
    """Flavor by caste; None for one that is not there or cannot carry the image, when ``attempt`` notes that instead of raising."""
    options = params["infrastructure"]
    if not options["image"] and not options["image_properties"]:
        raise CloudError("infrastructure.image or infrastructure.image_properties is needed")
    image = attempt(lookup.image, options["image"], options["image_properties"]) or Image("", "")
    base = size_of(options["requires"])
    flavors = {SPARE: attempt(_flavor, options, lookup, image, options["flavor"], base, "infrastructure")}
    for name, caste in checked_castes(params).items():
        need = at_least(base, size_of(caste["requires"]))
        wanted = caste["flavor"] or options["flavor"]
        flavors[name] = attempt(_flavor, options, lookup, image, wanted, need, "caste " + name)
    return flavors


def _flavor(options: Mapping, lookup: Lookup, image: Image, wanted: Any, need: Size, purpose: str) -> Flavor:
    """The flavor that carries the image and what else is needed; a boot volume is the disk, when there is one."""
    volume, whole = options["boot_volume"], at_least(need, image.need)
    if volume and volume["size_gib"] < whole.disk_gib:
        raise CloudError(
            "infrastructure.boot_volume.size_gib is %d, but %s needs %d" % (volume["size_gib"], purpose, whole.disk_gib)
        )
    if volume or (wanted and not need.disk_gib and lookup.is_diskless(wanted)):
        # Where there is no disk Nova makes one of the image's size; the preflight says who may have that.
        return lookup.flavor(wanted, replace(whole, disk_gib=0), purpose)
    return lookup.flavor(wanted, at_least(whole, Size(disk_gib=0 if wanted else 1)), purpose)


def flavor_need(need: Size, options: Mapping) -> Size:
    """What a flavor has to offer: no disk, when servers boot from a volume."""
    return replace(need, disk_gib=0) if options["boot_volume"] else need


def bound_to_flavors(wish: Any, params: Mapping, flavors: Mapping) -> Any:
    """The wish in which a caste that names its flavor is served by nothing smaller."""
    named = [name for name, caste in checked_castes(params).items() if caste["flavor"] and flavors.get(name)]
    castes = tuple(
        replace(
            caste,
            need=flavors[caste.name].size if caste.name in named else flavor_need(caste.need, params["infrastructure"]),
        )
        for caste in wish.castes
    )
    return replace(wish, castes=castes)


def needs_of(params: Mapping) -> dict:
    """Least size by caste, of those for which the user named no flavor."""
    options, castes = params["infrastructure"], checked_castes(params)
    base = size_of(options["requires"])
    needs = {} if options["flavor"] else {SPARE: flavor_need(base, options)}
    for name, caste in castes.items():
        if not caste["flavor"] and not options["flavor"]:
            needs[name] = flavor_need(at_least(base, size_of(caste["requires"])), options)
    return needs


def parts_of(params: Mapping, lookup: Lookup, attempt: Callable = straight) -> dict:
    """The other parts of the blueprint, with ids. What is not there raises CloudError, unless ``attempt`` notes it.

    Beside them ``places``, what is known of the networks, and ``given``, the documents of the user's ports.
    """
    options = params["infrastructure"]
    _check_ports(options, params["size"])
    image = attempt(lookup.image, options["image"], options["image_properties"])
    given = attempt(given_ports, lookup.cloud, options["ports"]) or []
    networks = [attempt(lookup.network, name, options["config_drive"]) for name in options["networks"]]
    whole = all(networks) and len(given) == len(options["ports"])
    networks = [network for network in networks if network]
    attempt(check_guarded, networks, options)
    groups = [
        attempt(lookup.named, "security group", name, "network", "/security-groups", "security_groups")
        for name in options["security_groups"]
    ]
    parts = dict(
        image=image.id if image else "",
        ports=tuple(options["ports"]),
        config_drive=options["config_drive"],
        user_data=options["user_data"] or "",
        networks=tuple(network["id"] for network in networks),
        boot_volume=options["boot_volume"] or {},
        term=params["term"],
        given=tuple(given),
        places=(attempt(_places, options, lookup, given, networks) if whole else None) or Networks(),
        extra=tuple(group["id"] for group in groups if group),
    )
    return parts


def check_guarded(networks: Iterable, options: Mapping) -> None:
    """Raise CloudError when a security group is wanted on a network that has none."""
    if not options["security_group"]["manage"] and not options["security_groups"]:
        return
    names = [str(network["name"]) for network in networks if network.get("port_security_enabled") is False]
    if names:
        raise CloudError(
            "network %s has no port security, so Neutron puts no security group on its ports: name another network, or set "
            "infrastructure.security_group.manage to false and security_groups to []"
            % " and network ".join(names)
        )


def _places(options: Mapping, lookup: Lookup, given: list, networks: list) -> Networks:
    """Which network is for what. Raises CloudError for what cannot be, before anything is made."""
    wanted = networks_of_ports(lookup.cloud, given)
    wanted += [network for network in networks if network["id"] not in [one["id"] for one in wanted]]
    places = Networks(
        wanted=tuple(wanted),
        every=tuple(network["id"] for network in networks),
        address=address_network(options["address_network"], wanted),
    )
    if options["floating_network"]:
        outer = lookup.named("network", options["floating_network"], "network", "/networks", "networks")["id"]
        routed, dead_ends = routes(lookup.cloud, wanted, outer)
        places = replace(places, floating=outer, routed=routed, dead_ends=dead_ends)
        places.check(options["floating_network"])
    return places


def _check_ports(options: Mapping, size: int) -> None:
    if not options["networks"] and not options["ports"]:
        raise CloudError("infrastructure.networks or infrastructure.ports is needed")
    if options["ports"] and not options["networks"] and len(options["ports"]) < size:
        raise CloudError("infrastructure.ports has %d ports for %d servers" % (len(options["ports"]), size))
