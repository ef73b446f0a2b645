"""What a colony has and what of it is in use, by caste: sums over nodes, told from what nobody knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from aware_agent.colony.load import LoadView
from aware_agent.colony.node import Status
from aware_agent.colony.view import SPARE, ColonyView, NodeView


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Of some nodes that are ready. What is in use is summed over the ``reporting`` ones, whose load is known: while
    there are none, nothing is known of it, and it is None."""

    nodes: int
    ready: int
    reporting: int
    vcpus: int  # of all that are ready, as are the next two
    ram_mib: int
    disk_gib: int
    cpu: float | None  # share of the processors of the reporting nodes, 0 to 1
    vcpus_used: float | None
    memory: float | None  # share of their memory, 0 to 1
    ram_used_mib: int | None
    load1: float | None  # mean of their load averages of a minute


class CasteCapacity(Capacity, frozen=True, kw_only=True):
    """Of the nodes of one caste; of ``spare`` those that are in none."""

    name: str


class Metrics(Capacity, frozen=True, kw_only=True):
    """Of the whole colony. ``oldest``: when the oldest of the loads that are summed was told, Unix seconds."""

    oldest: float | None
    castes: list[CasteCapacity]


def metrics(view: ColonyView) -> Metrics:
    """Of ``view``, with the loads that it carries."""
    members: dict[str, list[NodeView]] = {caste.name: [] for caste in view.castes}
    members.setdefault(SPARE, [])
    for node in view.nodes:
        members.setdefault(node.caste, []).append(node)
    known = [load.at for load in _loads(view.nodes)]
    return Metrics(
        oldest=min(known, default=None),
        castes=[CasteCapacity(name=name, **_sums(nodes)) for name, nodes in members.items()],
        **_sums(view.nodes),
    )


def _loads(nodes: Iterable[NodeView]) -> list[LoadView]:
    return [node.load for node in nodes if node.status is Status.READY and node.load is not None]


def _sums(nodes: Sequence[NodeView]) -> dict[str, Any]:
    """The fields of a :class:`Capacity`."""
    ready = [node for node in nodes if node.status is Status.READY]
    pairs = [(node.capabilities.vcpus, node.load) for node in ready if node.load is not None]
    used = sum(vcpus * load.cpu for vcpus, load in pairs)
    vcpus = sum(vcpus for vcpus, _ in pairs)
    ram_used = sum(load.memory_used_mib for _, load in pairs)
    ram = sum(load.memory_mib for _, load in pairs)
    return {
        "nodes": len(nodes),
        "ready": len(ready),
        "reporting": len(pairs),
        "vcpus": sum(node.capabilities.vcpus for node in ready),
        "ram_mib": sum(node.capabilities.ram_mib for node in ready),
        "disk_gib": sum(node.capabilities.disk_gib for node in ready),
        "cpu": round(used / vcpus, 3) if vcpus else None,
        "vcpus_used": round(used, 2) if pairs else None,
        "memory": round(ram_used / ram, 3) if ram else None,
        "ram_used_mib": ram_used if pairs else None,
        "load1": round(sum(load.load1 for _, load in pairs) / len(pairs), 2) if pairs else None,
    }
