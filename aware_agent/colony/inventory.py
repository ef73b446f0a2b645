"""The colony as Ansible sees it: hosts with their variables, and groups. Pure.

Everything a node says of itself is hostile here: it becomes a variable below ``aware_``, never a variable that steers
Ansible; ``ansible_host`` is set only to something that is an IP address, group names are reduced to
``[A-Za-z0-9_]``, and a name that is none, or that of a group, is replaced by one made of the node's id.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aware_agent.colony.names import Kind, is_name
from aware_agent.colony.node import Status
from aware_agent.colony.view import SPARE, ColonyView, NodeView

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
_UNSAFE = re.compile(r"[^A-Za-z0-9_]")
_MAX_GROUP = 200
SENT_AWAY = "aware_away"  # those that somebody sent away: in no group that work is sent to
ALIVE = "aware_alive"  # those that show their presence: a play over them reaches whom it can
COUNCIL = "aware_council"  # the queen, the heir and the other members
GONE = (Status.DEAD, Status.LEFT, Status.AWAY)


def build_inventory(view: ColonyView) -> dict[str, Any]:
    """The inventory document at ``view``'s revision.

    Nodes that are dead, departed or away are hosts of ``aware_status_*`` and ``aware_away`` only: work is never sent to
    them by a caste's name.
    """
    names = host_names(view.nodes, (caste.name for caste in view.castes))
    hosts: dict[str, dict[str, Any]] = {}
    groups: dict[str, list[str]] = {
        "aware_queen": [],
        COUNCIL: [],
        "aware_workers": [],
        ALIVE: [],
        SENT_AWAY: [],
        SPARE: [],
    }
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


def host_names(nodes: Iterable[NodeView], groups: Iterable[str] = ()) -> dict[str, str]:
    """Inventory name of every node id: its name, or one made of its id when that is no name, a group's or taken.

    Of several nodes with one name the living one keeps it, then the one that was there first.
    """
    names: dict[str, str] = {}
    taken, nameless = set(groups), []
    for node in sorted(nodes, key=lambda n: (n.status in GONE, n.joined_at, n.id)):
        if node.name in taken or not is_name(Kind.NODE, node.name):
            nameless.append(node)
        else:
            taken.add(node.name)
            names[node.id] = node.name
    for node in nameless:
        name = substitute = f"aware-{_NOT_IN_NAMES.sub('', node.id.lower())[:40] or 'x'}"
        number = 1
        while name in taken:
            number += 1
            name = f"{substitute}-{number}"
        taken.add(name)
        names[node.id] = name
    return names


def _members(view: ColonyView) -> list[str]:
    """Gateways of all nodes that may answer, the queen's first."""
    first = [view.queen.url] if view.queen else []
    rest = [node.url for node in view.nodes if node.url and node.status not in GONE]
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
        "aware_drained": node.drained,
        "aware_labels": node.labels,
        "aware_vars": node.vars,
        "aware_vcpus": node.capabilities.vcpus,
        "aware_ram_mib": node.capabilities.ram_mib,
        "aware_disk_gib": node.capabilities.disk_gib,
        "aware_version": node.version,
        "aware_eligible": node.eligible,
        "aware_candidate": node.candidate,
    }
    if node.away is not None:
        variables |= {
            "aware_away_since": node.away.since,
            "aware_away_until": node.away.until,
            "aware_away_by": node.away.by,
            "aware_away_reason": node.away.reason,
        }
    if _is_address(node.address):
        variables["ansible_host"] = node.address
    return variables


def _groups(node: NodeView) -> Iterable[str]:
    yield group_name(f"aware_status_{node.status}")
    if node.status is Status.READY:
        yield ALIVE
    if node.status is Status.AWAY:
        yield SENT_AWAY
    if node.status in GONE:
        return
    if node.role == "queen":
        yield "aware_queen"
    yield "aware_workers" if node.role == "worker" else COUNCIL
    yield SPARE if node.caste == SPARE else group_name(node.caste)
    if node.cordoned:
        yield "aware_cordoned"
    if node.leaving is not None:
        yield "aware_leaving"
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
