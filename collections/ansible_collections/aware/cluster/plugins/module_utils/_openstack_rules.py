# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Rules of a colony's security group: which AWARE needs, and which of those that are there are equal to them. Pure.

Neutron takes one rule in many spellings and refuses an equal one with 409, so rules are compared by what they mean.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError

RULE_MARK = "aware: "
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "ipv6-icmp": "icmpv6"}
_ANY_PROTOCOL = ("", "any", "0", "ip", "hopopt", "-1")
_ALL_PORTS = ((0, 65535), (1, 65535), (-1, -1))


def wanted_rules(options: Mapping, own: str) -> list:
    """Rules AWARE needs, as Neutron takes them. ``own`` is the identifier of the group itself."""
    etcd = options["etcd_ports"]
    among = [
        ("beacons", "udp", options["discovery_port"], options["discovery_port"]),
        ("gateway of members", "tcp", options["gateway_port"], options["gateway_port"]),
        ("channels", "tcp", options["channel_port"], options["channel_port"]),
        ("etcd", "tcp", min(etcd), max(etcd)),
    ]
    rules = []
    for family in ("IPv4", "IPv6"):
        for what, protocol, low, high in among:
            rules.append(_rule(what, family, protocol, low, high, group=own))
    for what, cidrs, port in (
        ("SSH", options["ssh_cidrs"], 22),
        ("gateway", options["gateway_cidrs"], options["gateway_port"]),
    ):
        for cidr in cidrs:
            network = _network(cidr, what)
            rules.append(
                _rule("%s from %s" % (what, network), "IPv%d" % network.version, "tcp", port, port, cidr=str(network))
            )
    return rules


def _network(cidr: str, what: str) -> Any:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError as exc:
        raise CloudError("security_group: %s from %r: %s" % (what, cidr, exc)) from None


def _rule(what: str, family: str, protocol: str, low: int, high: int, group: Any = None, cidr: Any = None) -> dict:
    return dict(
        direction="ingress",
        ethertype=family,
        protocol=protocol,
        port_range_min=low,
        port_range_max=high,
        remote_ip_prefix=cidr,
        remote_group_id=group,
        description=RULE_MARK + what,
    )


def rule_key(rule: Mapping) -> tuple:
    """What a rule means; equal for all spellings of it."""
    protocol = str(rule.get("protocol") if rule.get("protocol") is not None else "").lower()
    protocol = "any" if protocol in _ANY_PROTOCOL else _PROTOCOLS.get(protocol, protocol)
    return (
        str(rule.get("direction") or "").lower(),
        str(rule.get("ethertype") or "IPv4").lower(),
        protocol,
        _ports(rule),
        _prefix(rule.get("remote_ip_prefix")),
        rule.get("remote_group_id") or "",
        rule.get("remote_address_group_id") or "",
    )


def _ports(rule: Mapping) -> tuple:
    """(lowest, highest); all ports, however they are said, are an empty pair."""
    low, high = (_number(rule.get(name)) for name in ("port_range_min", "port_range_max"))
    return () if (low, high) in _ALL_PORTS or low is None and high is None else (low, high)


def _number(value: Any) -> Any:
    return None if value is None else int(value)


def _prefix(value: Any) -> str:
    """The network without host bits; from everywhere is empty."""
    if not value:
        return ""
    try:
        network = ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return str(value)
    return "" if network.prefixlen == 0 else str(network)


def rule_steps(wanted: Iterable, group: Mapping) -> tuple:
    """``(rules to add, ids of our own rules to remove)``. Rules somebody else added stay, and count when they are equal."""
    there = group.get("security_group_rules") or ()
    have = {rule_key(rule) for rule in there}
    wanted = dict((rule_key(rule), rule) for rule in wanted)
    add = [rule for key, rule in wanted.items() if key not in have]
    drop = [
        rule["id"]
        for rule in there
        if rule_key(rule) not in wanted and str(rule.get("description") or "").startswith(RULE_MARK)
    ]
    return add, drop


def texts(rules: Iterable) -> str:
    """What rules of ours are for, in a list."""
    return ", ".join(rule["description"][len(RULE_MARK) :] for rule in rules)
