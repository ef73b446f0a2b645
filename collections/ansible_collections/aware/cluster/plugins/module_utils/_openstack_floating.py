# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Floating addresses of a colony's servers."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import description


class FloatingAddresses:
    """Floating addresses of a colony; their description says whose they are, from the moment they exist."""

    def __init__(self, cloud: Cloud, colony: str, network: str) -> None:
        self.cloud, self.colony, self.network = cloud, colony, network

    def owned(self) -> list:
        """All of the colony, bound or not."""
        found = self.cloud.pages("network", "/floatingips", "floatingips")
        return [one for one in found if str(one.get("description") or "").startswith(description(self.colony) + ": ")]

    def bound(self) -> dict:
        """``{node: address}``. Nova tells of them too, but only after a while."""
        return dict((_node_of(one), one["floating_ip_address"]) for one in self.owned() if one.get("port_id"))

    def missing(self, servers: Iterable) -> tuple:
        """``(servers without one, those of ours that serve nobody)``."""
        owned = self.owned()
        bound = set(_node_of(one) for one in owned if one.get("port_id"))
        idle = [one for one in owned if not one.get("port_id")]
        return [server for server in servers if server.name not in bound], idle

    def give(self, server: Any, idle: list) -> None:
        """Bind one to the server's first port: the one the node had before, any idle one of ours, else a new one."""
        ports = self.cloud.pages("network", "/ports", "ports", {"device_id": server.id})
        if not ports:
            raise CloudError("server %s has no port to bind a floating address to" % server.name)
        body = dict(
            port_id=min(ports, key=lambda port: port["id"])["id"],
            description="%s: %s" % (description(self.colony), server.name),
        )
        if idle:
            idle.sort(key=lambda one: _node_of(one) == server.name)
            self.cloud.request("network", "PUT", "/floatingips/%s" % idle.pop()["id"], {"floatingip": body})
        else:

            def there() -> Any:
                return next((one for one in self.owned() if one.get("port_id") == body["port_id"]), None)

            body["floating_network_id"] = self.network
            self.cloud.create("network", "/floatingips", {"floatingip": body}, there)

    def release(self, entries: Iterable) -> None:
        """Delete these."""
        for entry in entries:
            self.cloud.delete("network", "/floatingips/%s" % entry["id"])


def _node_of(entry: Mapping) -> str:
    return str(entry.get("description")).rpartition(": ")[2]
