# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a server is made of: flavors by caste and everything else of its blueprint, looked up once, with ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import Lookup, at_least, size_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import SPARE, Size
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import checked_castes


def flavors_of(params: Mapping, lookup: Lookup) -> dict:
    """Flavor by caste. Raises CloudError for one that is not there or cannot carry the image."""
    options = params["infrastructure"]
    if not options["image"] and not options["image_properties"]:
        raise CloudError("infrastructure.image or infrastructure.image_properties is needed")
    image = lookup.image(options["image"], options["image_properties"])
    # By Nova's default policy only administrators may boot an image on a flavor without a disk.
    disk = Size(disk_gib=0 if options["boot_volume"] or options["flavor"] else 1)
    base = at_least(at_least(size_of(options["requires"]), image.need), disk)
    flavors = {SPARE: lookup.flavor(options["flavor"], base, "infrastructure")}
    for name, caste in checked_castes(params).items():
        need = at_least(base, size_of(caste["requires"]))
        flavors[name] = lookup.flavor(caste["flavor"] or options["flavor"], need, "caste " + name)
    return flavors


def bound_to_flavors(wish: Any, params: Mapping, flavors: Mapping) -> Any:
    """The wish in which a caste that names its flavor is served by nothing smaller."""
    named = [name for name, caste in checked_castes(params).items() if caste["flavor"]]
    castes = tuple(
        replace(caste, need=flavors[caste.name].size) if caste.name in named else caste for caste in wish.castes
    )
    return replace(wish, castes=castes)


def parts_of(params: Mapping, lookup: Lookup) -> dict:
    """The other parts of the blueprint, with ids. Raises CloudError for what is not there."""
    options = params["infrastructure"]
    _check_ports(options, params["size"])
    parts = dict(
        image=lookup.image(options["image"], options["image_properties"]).id,
        ports=tuple(options["ports"]),
        config_drive=options["config_drive"],
        user_data=options["user_data"] or "",
        networks=tuple(lookup.network(name, options["config_drive"])["id"] for name in options["networks"]),
        boot_volume=options["boot_volume"] or {},
        term=params["term"],
        floating="",
        extra=tuple(
            lookup.named("security group", name, "network", "/security-groups", "security_groups")["id"]
            for name in options["security_groups"]
        ),
    )
    if options["floating_network"]:
        network = lookup.named("network", options["floating_network"], "network", "/networks", "networks")
        parts["floating"] = network["id"]
    return parts


def _check_ports(options: Mapping, size: int) -> None:
    if not options["networks"] and not options["ports"]:
        raise CloudError("infrastructure.networks or infrastructure.ports is needed")
    if options["ports"] and not options["networks"] and len(options["ports"]) < size:
        raise CloudError("infrastructure.ports has %d ports for %d servers" % (len(options["ports"]), size))
