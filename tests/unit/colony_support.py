"""Nodes for tests of the pure core."""

from __future__ import annotations

from typing import Any

from aware_agent.colony.node import Capabilities, Record, Report, Status


def a_report(name: str, **fields: Any) -> Report:
    """What a live node of that name says of itself."""
    return Report(**{"name": name, "address": "127.0.0.1", "url": "https://127.0.0.1:1", "incarnation": "1", **fields})


def a_record(node: str, **fields: Any) -> Record:
    """A node's record; capabilities may be given directly as vcpus, ram_mib, disk_gib, zone."""
    has = {key: fields.pop(key) for key in ("vcpus", "ram_mib", "disk_gib", "zone") if key in fields}
    reported = fields.pop("reported_labels", {})
    report = a_report(node, capabilities=Capabilities(**has), labels=reported)
    return Record(**{"id": node, "name": node, "joined_at": 0.0, "report": report, "eligible": True, **fields})


def records(*given: Record) -> dict[str, Record]:
    """Records by id."""
    return {record.id: record for record in given}


SILENT = (Status.DEAD, Status.LEFT)
