# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Ports of the colony's servers: which there are, which are outside the security groups, and what a deleted server left."""

from __future__ import annotations

from typing import Any, Collection, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, Refused, at
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import owned, project_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import is_owned, read_server

_AT_ONCE = 25  # servers a request names; longer addresses are refused by some proxies


def ports_of(cloud: Cloud, servers: Iterable, given: Iterable = ()) -> dict:
    """``{server's id: its ports}``, of the project's own and of those the user named by id (``given``).

    Anybody may write any server's id into a port of his, and an administrator is listed that one as well.
    """
    ids = [server.id for server in servers]
    found: dict = dict((one, []) for one in ids)
    ports = [
        port
        for start in range(0, len(ids), _AT_ONCE)
        for port in owned(cloud, "port", device_id=ids[start : start + _AT_ONCE])
    ]
    known = {port["id"] for port in ports}
    ports += [port for port in (_port(cloud, one) for one in given if ids and one not in known) if port]
    for port in ports:
        if port.get("device_id") in found:
            found[port["device_id"]].append(port)
    return found


def _port(cloud: Cloud, port: str) -> dict:
    """Its document; empty when there is none."""
    try:
        return dict(cloud.get("network", at("ports", port))["port"])
    except Refused as exc:
        if exc.status != 404:
            raise
        return {}


def of_servers(cloud: Cloud, ports: Iterable) -> set:
    """Ids of the servers these ports of the project's own are of; what is no server, such as a load balancer, is left out."""
    return {
        port["device_id"]
        for port in ports
        if port.get("device_id")
        and project_of(port) == cloud.project
        and str(port.get("device_owner") or "").startswith("compute:")
    }


def outside(servers: Iterable, ports: Mapping, groups: Collection, given: Collection) -> tuple:
    """``(steps, warnings)`` for ports that lack one of ``groups``: ``(server, port)`` pairs to be mended, sentences for ports of the user."""
    steps, warnings = [], []
    for server in servers:
        for port in ports.get(server.id) or ():
            missing = [group for group in groups if group not in (port.get("security_groups") or ())]
            if not missing or port.get("port_security_enabled") is False:
                continue  # a port without security lets everything through
            if port["id"] in given:
                options = " ".join("--security-group %s" % group for group in missing if group)
                warnings.append(
                    "port %s of server %s is yours and not in the colony's security groups, so its nodes may not reach it: "
                    "openstack port set %s %s"
                    % (port["id"], server.name, options or "--security-group GROUP", port["id"])
                )
            else:
                steps.append((server, port))
    return steps, warnings


def put_inside(cloud: Cloud, port: Mapping, groups: Iterable) -> None:
    """Add the groups a port lacks; those it has stay."""
    try:
        now = cloud.get("network", at("ports", port["id"]))["port"]
        wanted = list(dict.fromkeys(list(now.get("security_groups") or ()) + list(groups)))
        cloud.request("network", "PUT", at("ports", port["id"]), {"port": {"security_groups": wanted}})
    except Refused as exc:
        if exc.status != 404:  # it went with its server
            raise


def device_of(cloud: Cloud, port: str) -> str:
    """Id of the server a port serves; empty when it serves none or is gone."""
    return str(_port(cloud, port).get("device_id") or "")


def is_departed(cloud: Cloud, colony: str, server: str) -> bool:
    """True for a server that is gone, or one of the colony's that was deleted softly: Nova lists it no more, but its ports stay."""
    try:
        raw: Any = cloud.get("compute", at("servers", server))["server"]
    except Refused as exc:
        if exc.status != 404:
            raise
        return True
    return is_owned(raw, colony) and read_server(raw, colony).leaving
