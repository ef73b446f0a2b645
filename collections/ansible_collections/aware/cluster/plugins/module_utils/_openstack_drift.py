# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Servers that are there and were made of something else than what is wished for now. Nova cannot change that; they are named. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Collection, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import SPARE, Server, Size, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import Networks


@dataclass(frozen=True)
class Wanted:
    """What new servers would be made of."""

    flavors: Mapping  # by caste
    needs: Mapping = field(default_factory=dict)  # Size by caste, of those no flavor was named for
    image: str = ""  # id; empty: any, it was not named
    key_name: str = ""
    networks: Networks = Networks()
    given: tuple = ()  # documents of the ports of nodes 1, 2, ...
    volume: bool = False
    zones: tuple = ()
    config_drive: bool = False


def remarks(server: Server, raw: Mapping, ports: Collection, wanted: Wanted) -> list:
    """One sentence for a server that differs, with what to do; none for one that does not."""
    found = _flavor(server, raw, wanted) + _disk(raw, wanted) + _key(raw, wanted) + _place(server, raw, ports, wanted)
    if not found or server.state.busy or server.state.failed:
        return []
    return [
        "server %s differs from what is wished for: %s; it is left as it is: replace.yml -e aware_replace=%s makes it anew"
        % (server.name, ", ".join(found), server.name)
    ]


def _flavor(server: Server, raw: Mapping, wanted: Wanted) -> list:
    """A bigger flavor of another caste is none: servers move between castes. Nor is any that fits, when none was named."""
    caste = server.caste if server.caste in wanted.flavors else SPARE
    flavor, name = wanted.flavors[caste], (raw.get("flavor") or {}).get("original_name")
    if caste in wanted.needs:
        return [] if server.size.fits(wanted.needs[caste]) else ["%s where %s is needed" % (name, flavor.name)]
    others = [one for one in wanted.flavors.values() if one.name == name and one.size == server.size]
    same = name == flavor.name and server.size == flavor.size
    if name is None or same or (others and server.size.fits(flavor.size)):
        return []
    if name == flavor.name:
        return ["flavor %s as it was (%s), not as it is now (%s)" % (name, _size(server.size), _size(flavor.size))]
    return ["flavor %s instead of %s" % (name, flavor.name)]


def _size(size: Size) -> str:
    return "%d vCPU, %d MiB, %d GiB" % (size.vcpus, size.ram_mib, size.disk_gib)


def _disk(raw: Mapping, wanted: Wanted) -> list:
    image = raw.get("image") or ""  # empty for a server that boots from a volume
    if wanted.volume or not image:
        return ["a disk of its flavor, not a volume" if image else "a volume, not a disk of its flavor"] * (
            bool(image) == wanted.volume
        )
    return ["image %s instead of %s" % (image["id"], wanted.image)] * bool(wanted.image and image["id"] != wanted.image)


def _key(raw: Mapping, wanted: Wanted) -> list:
    name = raw.get("key_name") or ""
    texts = ["key pair %s instead of %s" % (name or "none", wanted.key_name or "none")] * (name != wanted.key_name)
    if wanted.config_drive and raw.get("config_drive") in ("", None, False, "False"):
        texts.append("no config drive")
    return texts


def _place(server: Server, raw: Mapping, ports: Collection, wanted: Wanted) -> list:
    own = [wanted.given[server.index - 1]["network_id"]] if 0 < server.index <= len(wanted.given) else []
    expected = own + list(wanted.networks.every)
    there = {port["network_id"] for port in ports}
    texts = ["not on network %s" % wanted.networks.named(one) for one in expected if there and one not in there]
    texts += ["also on network %s" % _network_name(raw, wanted, one, ports) for one in sorted(there - set(expected))]
    zones = [zone.split(":")[0] for zone in wanted.zones]
    if zones and server.zone and server.zone not in zones:
        texts.append("in zone %s, not in %s" % (server.zone, " or ".join(zones)))
    return texts


def _network_name(raw: Mapping, wanted: Wanted, network: str, ports: Collection) -> str:
    """What Nova calls the network with this id: the name beside an address of the port there."""
    addresses = {
        ip["ip_address"] for port in ports if port["network_id"] == network for ip in port.get("fixed_ips") or ()
    }
    for name, entries in (raw.get("addresses") or {}).items():
        if any(entry["addr"] in addresses for entry in entries):
            return str(name)
    return wanted.networks.named(network)


def wanted_of(options: Mapping, wish: Wish, parts: Mapping, flavors: Mapping, needs: Mapping, key_name: str) -> Wanted:
    """From the options and what they were looked up to be."""
    return Wanted(
        flavors=flavors,
        needs=needs,
        image=parts["image"] if options["image"] else "",
        key_name=key_name,
        networks=parts["places"],
        given=parts["given"],
        volume=bool(options["boot_volume"]),
        zones=wish.zones + tuple(caste.zone for caste in wish.castes if caste.zone) if wish.zones else (),
        config_drive=options["config_drive"],
    )
