"""How busy a node or a colony is, in words and in columns; what is not known is a dash."""

from __future__ import annotations

from typing import Any

from aware_agent.cli.output import ago

HEADER = ("CPU", "LOAD", "MEMORY", "DISK", "HEARD")


def load_cells(node: dict[str, Any]) -> tuple[str, ...]:
    """Of one node, under :data:`HEADER`."""
    load = node.get("load")
    heard = ago(node.get("last_heartbeat"))
    if not load:
        return "-", "-", "-", "-", heard
    memory, disk = (_part(load[f"{what}_used_mib"], load[f"{what}_mib"]) for what in ("memory", "disk"))
    return f"{load['cpu']:.0%}", f"{load['load1']:.2f}", memory, disk, heard


def load_line(load: dict[str, Any] | None) -> str:
    """Of one node, as a sentence."""
    if not load:
        return "-"
    memory, disk = (
        f"{what} {_part(load[f'{what}_used_mib'], load[f'{what}_mib'])} of {load[f'{what}_mib']} MiB"
        for what in ("memory", "disk")
    )
    return f"cpu {load['cpu']:.0%}, load average {load['load1']:.2f}, {memory}, {disk}, told {ago(load['at'])} ago"


def metrics_line(metrics: dict[str, Any]) -> str:
    """Of a colony, as a sentence."""
    told = f"{metrics['reporting']} of {metrics['ready']} ready nodes tell"
    if metrics["cpu"] is None:
        return told
    memory = "" if metrics["memory"] is None else f", {metrics['memory']:.0%} of their memory"
    return f"{metrics['cpu']:.0%} of their processors{memory}; {told}"


def _part(used: int, size: int) -> str:
    return f"{used / size:.0%}" if size else "-"
