"""Why a caste is as it is: who serves, who could, and what keeps the others from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from aware_agent.colony.castes import fits
from aware_agent.colony.elastic import wanted
from aware_agent.colony.node import Capabilities, Record, Status, effective_labels
from aware_agent.colony.scaling import Elastic
from aware_agent.colony.spec import Requirements, Spec


class CasteReport(msgspec.Struct, frozen=True, kw_only=True):
    """Node ids of who serves and of who is free and could; ``reason`` is empty while nobody is missing."""

    members: tuple[str, ...]
    could: tuple[str, ...]
    missing: int
    reason: str


def report(
    name: str,
    spec: Spec,
    records: Mapping[str, Record],
    castes: Mapping[str, Sequence[str]],
    elastic: Mapping[str, Elastic] = MappingProxyType({}),
) -> CasteReport:
    """Of the caste ``name`` of ``spec``, as nodes are assigned now; ``elastic``: what castes want that scale."""
    count = wanted(spec, elastic, name)
    caste, members = spec.castes[name], tuple(castes.get(name, ()))
    serving = {node for others in castes.values() for node in others}
    others = {node: record for node, record in sorted(records.items()) if node not in members}
    could = tuple(
        node for node, record in others.items() if node not in serving and _kept_by(record, caste.requires) == ""
    )
    missing = max(0, count - len(members))
    reason = ""
    if missing:
        reason = f"{missing} of {count} are missing: " + _why(others, could, caste.requires)
    return CasteReport(members=members, could=could, missing=missing, reason=reason)


def _why(others: Mapping[str, Record], could: Sequence[str], requires: Requirements) -> str:
    if could:
        return "free nodes that fit will be given to it in a moment"
    if not others:
        return "the colony has no other nodes"
    why: dict[str, int] = {}
    for record in others.values():
        kept = _kept_by(record, requires) or "in another caste"
        why[kept] = why.get(kept, 0) + 1
    told = sorted(why.items(), key=lambda item: (-item[1], item[0]))
    return "of the other nodes " + ", ".join(f"{count} {kept}" for kept, count in told)


def _kept_by(record: Record, requires: Requirements) -> str:
    """What keeps a node from such work, whoever it works for now; empty: nothing."""
    if record.status is not Status.READY:
        return _ABSENT[record.status]
    if record.cordoned:
        return "cordoned"
    if record.over:
        return f"over the limit of {record.over[0]}"
    if fits(record, requires):
        return ""
    has, labels = record.report.capabilities if record.report else Capabilities(), effective_labels(record)
    lacking = [key for key, value in sorted(requires.labels.items()) if labels.get(key) != value]
    short = {
        "with too few processors": has.vcpus < requires.vcpus,
        "with too little memory": has.ram_mib < requires.ram_mib,
        "with too little disk": has.disk_gib < requires.disk_gib,
        "in another zone": requires.zone not in ("", has.zone),
        f"without the label {lacking[0] if lacking else ''}": bool(lacking),
    }
    return next(reason for reason, holds in short.items() if holds)


_ABSENT = {Status.SUSPECT: "silent", Status.DEAD: "dead", Status.LEFT: "gone with a good-bye", Status.AWAY: "away"}
