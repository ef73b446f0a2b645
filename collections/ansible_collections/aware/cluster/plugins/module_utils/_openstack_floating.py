# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Floating addresses of a colony's servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused, at
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import description
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import Networks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import owned
from ansible_collections.aware.cluster.plugins.module_utils._openstack_ports import device_of, is_departed


@dataclass(frozen=True)
class Gift:
    """A server and the port its floating address belongs to; ``entry`` is the one it has, on another port, or None."""

    server: Any
    port: Mapping
    entry: Any = None

    def __str__(self) -> str:
        if self.entry:
            return "move the floating address of server %s to its port on the right network" % self.server.name
        return "give server %s a floating address" % self.server.name


@dataclass(frozen=True)
class Shares:
    """Who has which address: ``{node: address}``, what is to be done, those of ours that serve nobody, and what to tell."""

    addresses: Mapping
    gifts: tuple = ()
    idle: tuple = ()
    warnings: tuple = ()


class FloatingAddresses:
    """Floating addresses of a colony; their description says whose they are, from the moment they exist."""

    def __init__(self, cloud: Cloud, colony: str, networks: Networks) -> None:
        self.cloud, self.colony, self.networks = cloud, colony, networks

    def owned(self) -> list:
        """All of the colony, bound or not."""
        return [one for one in owned(self.cloud, "floating address") if self._is_ours(one)]

    def _is_ours(self, entry: Mapping) -> bool:
        return str(entry.get("description") or "").startswith(description(self.colony) + ": ")

    def look(self, servers: Iterable, ports: Mapping) -> Shares:
        """What there is for these living ``servers`` and their ``ports``.

        An address counts for the server whose port it is bound to. One that is bound to the port of a server that was
        deleted serves nobody; Nova may keep such a port for days. One that somebody else bound to the right port is as
        good as one of ours, for a port takes one only; it is never moved or released.
        """
        servers = [server for server in servers if ports.get(server.id)]
        bound, by_hand, idle, warnings = self._sorted_out(servers, ports)
        gifts = []
        for server in servers:
            best = self.port_of(ports[server.id])
            entry = bound.get(server.id)
            if entry is None and best["id"] in by_hand:
                bound[server.id] = by_hand[best["id"]]
            elif best["id"] in by_hand:
                pass  # ours stays where it is, for the better port is taken
            elif not server.state.failed and (entry is None or self._is_worse(entry, best, ports[server.id])):
                gifts.append(Gift(server, best, entry))
        addresses = dict(
            (server.name, bound[server.id]["floating_ip_address"]) for server in servers if server.id in bound
        )
        return Shares(addresses, tuple(gifts), tuple(idle), tuple(warnings))

    def _sorted_out(self, servers: list, ports: Mapping) -> tuple:
        """``(ours by server, those of somebody else by port, ours that serve nobody, what to tell)``."""
        device = dict((port["id"], server.id) for server in servers for port in ports[server.id])
        bound, by_hand, idle, warnings = {}, {}, [], []
        for entry in owned(self.cloud, "floating address"):
            if not self._is_ours(entry):
                by_hand[entry.get("port_id")] = entry
            elif entry.get("port_id") in device:
                bound.setdefault(device[entry["port_id"]], entry)
            elif self._serves_nobody(entry):
                idle.append(entry)
            else:
                warnings.append(
                    "floating address %s of the colony is bound to a port that is not of its servers; it is left there"
                    % entry["floating_ip_address"]
                )
        return bound, by_hand, idle, warnings

    def port_of(self, ports: Iterable) -> Mapping:
        """The port of a server its floating address belongs to, see :meth:`Networks.rank`."""
        return min(ports, key=lambda port: (self.networks.rank(port["network_id"]), port["id"]))

    def _is_worse(self, entry: Mapping, best: Mapping, ports: Iterable) -> bool:
        (now,) = [port for port in ports if port["id"] == entry["port_id"]]
        return self.networks.rank(now["network_id"]) > self.networks.rank(best["network_id"])

    def _serves_nobody(self, entry: Mapping) -> bool:
        if not entry.get("port_id"):
            return True
        device = device_of(self.cloud, entry["port_id"])
        return not device or is_departed(self.cloud, self.colony, device)

    def give(self, gift: Gift, idle: list) -> None:
        """Bind one: its own, the one the node had before, any idle one of ours, else a new one."""
        body = dict(port_id=gift.port["id"], description="%s: %s" % (description(self.colony), gift.server.name))
        try:
            self._bind(gift, body, idle)
        except Refused as exc:
            if exc.status == 409 and self._has_one(gift.port):
                return  # somebody bound one meanwhile
            if exc.status != 404:
                raise
            raise CloudError(
                "server %s gets no floating address on network %s (add a router to it, or name another network as address_network): %s"
                % (gift.server.name, self.networks.named(gift.port["network_id"]), exc.detail)
            ) from exc

    def _has_one(self, port: Mapping) -> bool:
        return any(one.get("port_id") == port["id"] for one in owned(self.cloud, "floating address"))

    def _bind(self, gift: Gift, body: dict, idle: list) -> None:
        if gift.entry is None and idle:
            idle.sort(key=lambda one: _node_of(one) == gift.server.name)
        entry = gift.entry or (idle.pop() if idle else None)
        if entry:
            self.cloud.request("network", "PUT", at("floatingips", entry["id"]), {"floatingip": body})
            return

        def there() -> Any:
            return next((one for one in self.owned() if one.get("port_id") == body["port_id"]), None)

        body["floating_network_id"] = self.networks.floating
        self.cloud.create("network", "/floatingips", {"floatingip": body}, there)

    def release(self, entries: Iterable) -> None:
        """Delete these."""
        for entry in entries:
            self.cloud.delete(
                "network",
                at("floatingips", entry["id"]),
                lambda entry=entry: any(one["id"] == entry["id"] for one in self.owned()),
            )


def _node_of(entry: Mapping) -> str:
    return str(entry.get("description")).rpartition(": ")[2]
