# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The networks of a colony's servers: whose address Ansible uses, and on which a floating address is of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused, at

ROUTER_PORTS = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)


@dataclass(frozen=True)
class Networks:
    """Networks of each server in the order of its interfaces. ``routed`` are known to lead to the floating network, ``dead_ends`` not to."""

    wanted: tuple = ()  # documents: those of given ports, then those of every server
    every: tuple = ()  # ids of those every server is on
    address: str = ""  # id of the network whose address Ansible uses; empty: the first interface
    floating: str = ""  # id of the network floating addresses come from; empty: none are wanted
    routed: frozenset = frozenset()  # ids
    dead_ends: frozenset = frozenset()  # ids

    @property
    def ids(self) -> list:
        """Identifiers, in order."""
        return [network["id"] for network in self.wanted]

    def named(self, network: str) -> str:
        """Name of one of them, for people."""
        return next((str(one.get("name") or network) for one in self.wanted if one["id"] == network), network)

    def rank(self, network: str) -> tuple:
        """Lowest first: where a floating address belongs. Ansible's network, then those with a router, then the order wished for."""
        order = self.ids.index(network) if network in self.ids else len(self.ids)
        way = 0 if network in self.routed else 2 if network in self.dead_ends else 1
        return (bool(self.address) and network != self.address, way, order)

    def check(self, name: str) -> None:
        """Raise CloudError when it is known that a floating address of the network called ``name`` could not be bound."""
        if not self.floating or not self.wanted:
            return
        best = min(self.ids, key=self.rank)
        if best not in self.dead_ends:
            return
        others = [self.named(one) for one in self.ids if one in self.routed]
        way_out = (
            "name a network that has one as address_network: %s" % ", ".join(others)
            if others
            else "add one (openstack router add subnet), or drop floating_network"
        )
        raise CloudError(
            "no router leads from network %s to floating_network %s, so its servers can have no floating address: %s"
            % (self.named(best), name, way_out)
        )


def address_network(wanted: Any, networks: Iterable) -> str:
    """Id of the network with this id or name; it must be one of the servers'. Empty when none is wanted."""
    if not wanted:
        return ""
    networks = list(networks)
    same = [one for one in networks if one["id"] == wanted] or [one for one in networks if one.get("name") == wanted]
    if len(same) == 1:
        return str(same[0]["id"])
    there = ", ".join(
        "%s (%s)" % (one["name"], one["id"]) if one.get("name") else one["id"] for one in same or networks
    )
    what = "several networks of the servers, give the id of one" if same else "no network of the servers, which are"
    raise CloudError("address_network %r is %s: %s" % (wanted, what, there or "none at all"))


def given_ports(cloud: Cloud, ports: Iterable) -> list:
    """Documents of the ports servers shall have. Raises CloudError for one that is not there."""
    found = []
    for port in ports:
        try:
            found.append(cloud.get("network", at("ports", port))["port"])
        except Refused as exc:
            if exc.status != 404:
                raise
            raise CloudError("infrastructure.ports: there is no port %s" % port) from None
    return found


def networks_of_ports(cloud: Cloud, ports: Iterable) -> list:
    """Documents of the networks these ports are on, each once, in their order. One that may not be seen has no name."""
    ids = list(dict.fromkeys(port["network_id"] for port in ports))
    if not ids:
        return []
    seen = dict((one["id"], one) for one in cloud.pages("network", "/networks", "networks", {"id": ids}))
    return [seen.get(one, dict(id=one)) for one in ids]


def routes(cloud: Cloud, networks: Iterable, floating: str) -> tuple:
    """``(routed, dead ends)`` among ``networks``, as far as they show.

    Routers of other projects do not show, and neither do their ports on a network that is shared with this project; but
    on a network of its own a project sees every port.
    """
    networks = list(networks)
    query = {"network_id": [network["id"] for network in networks], "device_owner": list(ROUTER_PORTS)}
    ports = [port for port in cloud.pages("network", "/ports", "ports", query) if port["device_owner"] in ROUTER_PORTS]
    routers: dict = {}
    for router in {port["device_id"] for port in ports}:
        try:
            gateway = cloud.get("network", at("routers", router))["router"].get("external_gateway_info") or {}
            routers[router] = gateway.get("network_id") == floating
        except Refused:
            routers[router] = None  # of another project: it may lead anywhere
    routed, dead = set(), set()
    for network in networks:
        ways = [routers[port["device_id"]] for port in ports if port["network_id"] == network["id"]]
        if True in ways:
            routed.add(network["id"])
        elif None not in ways and _is_own(cloud, network) and network["id"] != floating:
            dead.add(network["id"])
    return frozenset(routed), frozenset(dead)


def _is_own(cloud: Cloud, network: Mapping) -> bool:
    owner = network.get("project_id") or network.get("tenant_id")
    return bool(owner) and owner == cloud.connection.current_project_id
