# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What Ansible needs to reach the servers of a colony, and at which address their nodes know each other. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any, Collection, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Server
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import Found


def address_of(raw: Mapping, allowed: Any = None, floating: bool = True) -> str:
    """An address of a server: floating first, then IPv4, then IPv6, in the order of its interfaces; only ``allowed`` fixed ones if given."""
    best = []
    for entries in (raw.get("addresses") or {}).values():
        for entry in entries:
            kind = entry.get("OS-EXT-IPS:type") or "fixed"
            if kind == "floating" and not floating or kind == "fixed" and allowed and entry["addr"] not in allowed:
                continue
            best.append((kind != "floating", ipaddress.ip_address(entry["addr"]).version, len(best), entry["addr"]))
    return min(best)[3] if best else ""


def fixed_addresses(ports: Collection, network: str) -> list:
    """Addresses these ports have on a network, as Neutron says."""
    return [ip["ip_address"] for port in ports if port["network_id"] == network for ip in port.get("fixed_ips") or ()]


def hosts_of(found: Found, ports: Mapping, network: str = "", floating: Mapping | None = None) -> list:
    """Arguments for ansible.builtin.add_host, by index. ``network`` is the id of the one whose addresses count."""
    living = [server for server in found.owned if not server.leaving]
    living.sort(key=lambda server: (server.index, server.created))
    return [
        host_of(
            server,
            found.raw[server.id],
            fixed_addresses(ports.get(server.id) or (), network),
            (floating or {}).get(server.name, ""),
        )
        for server in living
    ]


def host_of(server: Server, raw: Mapping, allowed: Any = None, floating: str = "") -> dict:
    """Arguments for ansible.builtin.add_host of one server."""
    here, own = floating or address_of(raw, allowed), address_of(raw, allowed, floating=False)
    return dict(
        name=server.name,
        ansible_host=here,
        groups=["aware_bootstrap", server.caste or "spare"],
        aware_name=server.name,
        aware_index=server.index,
        aware_caste=server.caste,
        aware_zone=server.zone,
        aware_address=own,
        aware_outside_address=here if here != own else "",
        aware_server_id=server.id,
        aware_server_status=server.status,
        aware_vcpus=server.size.vcpus,
        aware_ram_mib=server.size.ram_mib,
        aware_disk_gib=server.size.disk_gib,
    )
