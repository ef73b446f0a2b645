"""The colony as Ansible sees it: hosts with their variables, and groups. Pure.

Everything a node says of itself is hostile here: it becomes a variable below ``aware_``, never a variable that steers
Ansible; ``ansible_host`` is set only to something that is an IP address, group names are reduced to
``[A-Za-z0-9_]``, and a name that cannot be an inventory name is replaced by the node's id.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aware_agent.colony.node import Status
from aware_agent.colony.view import SPARE, ColonyView, NodeView

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_]")
_MAX_GROUP = 200
# Ansible gives these a meaning of its own; as a host name they would turn a node into something else.
_NOT_HOSTS = frozenset({"all", "ungrouped", "localhost", "implicit_localhost", "localhost4", "localhost6"})
_AWAY = (Status.DEAD, Status.LEFT)


def build_inventory(view: ColonyView) -> dict[str, Any]:
    """The inventory document at ``view``'s revision.

    Dead and departed nodes are hosts of ``aware_status_*`` only: work is never sent to them by a caste's name.
    """
    names = host_names(view.nodes)
    hosts: dict[str, dict[str, Any]] = {}
    groups: dict[str, list[str]] = {"aware_queen": [], "aware_workers": [], SPARE: []}
    groups.update({group_name(caste.name): [] for caste in view.castes})
    for node in view.nodes:
        host = names[node.id]
        hosts[host] = _variables(node)
        for group in _groups(node):
            groups.setdefault(group, []).append(host)
    queen = names.get(view.queen.id) if view.queen else None
    return {
        "revision": view.revision,
        "term": view.term,
        "colony": view.colony,
        "complete": True,
        "queen": queen,
        "members": _members(view),
        "hosts": hosts,
        "groups": groups,
    }


def group_name(text: str) -> str:
    """``text`` as a group name: only ``[A-Za-z0-9_]``, not starting with a digit, not empty."""
    name = _UNSAFE.sub("_", text[:_MAX_GROUP])
    return name if name and not name[0].isdigit() else f"_{name}"


def host_names(nodes: Iterable[NodeView]) -> dict[str, str]:
    """Inventory name of every node id: its name, or its id when the name is no host name or another node's.

    Of several nodes with one name the living one keeps it, then the one that was there first.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for node in sorted(nodes, key=lambda n: (n.status in _AWAY, n.joined_at, n.id)):
        name = node.name
        if name in taken or name in _NOT_HOSTS or not _HOST.fullmatch(name):
            name = f"aware-{group_name(node.id).lower()}"
        taken.add(name)
        names[node.id] = name
    return names


def _members(view: ColonyView) -> list[str]:
    """Gateways of all nodes that may answer, the queen's first."""
    first = [view.queen.url] if view.queen else []
    rest = [node.url for node in view.nodes if node.url and node.status not in _AWAY]
    return list(dict.fromkeys([*first, *rest]))


def _variables(node: NodeView) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "aware_id": node.id,
        "aware_name": node.name,
        "aware_address": node.address,
        "aware_url": node.url,
        "aware_role": node.role,
        "aware_status": str(node.status),
        "aware_caste": node.caste,
        "aware_zone": node.capabilities.zone,
        "aware_cordoned": node.cordoned,
        "aware_labels": node.labels,
        "aware_vars": node.vars,
        "aware_vcpus": node.capabilities.vcpus,
        "aware_ram_mib": node.capabilities.ram_mib,
        "aware_disk_gib": node.capabilities.disk_gib,
        "aware_version": node.version,
        "aware_candidate": node.candidate,
    }
    if _is_address(node.address):
        variables["ansible_host"] = node.address
    return variables


def _groups(node: NodeView) -> Iterable[str]:
    yield group_name(f"aware_status_{node.status}")
    if node.status in _AWAY:
        return
    yield "aware_queen" if node.role == "queen" else "aware_workers"
    yield SPARE if node.caste == SPARE else group_name(node.caste)
    if node.cordoned:
        yield "aware_cordoned"
    if node.capabilities.zone:
        yield group_name(f"aware_zone_{node.capabilities.zone}")
    yield from _label_groups(node.labels)


def _label_groups(labels: Mapping[str, str]) -> Iterable[str]:
    """Distinct: two labels that differ only in unsafe characters make one group."""
    return dict.fromkeys(group_name(f"aware_label_{key}_{value}") for key, value in labels.items())


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # a zone id of IPv6 is free text
