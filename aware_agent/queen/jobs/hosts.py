"""The hosts of a job: of the colony's inventory, what the operation may touch."""

from __future__ import annotations

from typing import Any, NamedTuple

from aware_agent.colony.inventory import GONE, build_inventory, group_name
from aware_agent.colony.view import ColonyView


class Hosts(NamedTuple):
    """Names, the document for Ansible, and in a few words why there are no more of them."""

    names: list[str]
    document: dict[str, Any]
    why: str


def hosts_of(view: ColonyView, castes: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the hosts, as the job's process will choose them, in the picture of now."""
    return tuple(sorted(selected(build_inventory(view), castes, ()).names))


def selected(document: dict[str, Any], castes: tuple[str, ...], wanted: tuple[str, ...]) -> Hosts:
    """Living hosts of ``castes`` (empty: all), of those only ``wanted`` (empty: all), with their groups."""
    hosts: dict[str, dict[str, Any]] = document["hosts"]
    groups: dict[str, list[str]] = document["groups"]
    names = [name for name, known in hosts.items() if known.get("aware_status") not in GONE]
    why = "every node is dead, away or has left" if hosts else "the colony has no nodes"
    if castes:
        inside = {name for caste in castes for name in groups.get(group_name(caste), ())}
        names, why = [name for name in names if name in inside], f"nobody alive is of {', '.join(castes)}"
    if wanted:
        names, why = [name for name in names if name in wanted], f"none of {', '.join(wanted[:5])} is among them"
    kept = set(names)
    children = {
        group: {"hosts": dict.fromkeys(name for name in members if name in kept)}
        for group, members in groups.items()
        if group not in ("all", "ungrouped")
    }
    inventory = {"all": {"hosts": {name: unsafe(hosts[name]) for name in names}, "children": children}}
    return Hosts(names, inventory, why)


def unsafe(value: Any) -> Any:
    """``value`` for Ansible's JSON, where every text is data and never a template."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, dict):
        return {name: unsafe(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [unsafe(one) for one in value]
    return value
