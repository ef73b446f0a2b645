"""From the spec that is to the spec that is wanted: ordered steps, shown before they are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from aware_agent.colony.castes import assign
from aware_agent.colony.elastic import wanted_size
from aware_agent.colony.node import Record, Status
from aware_agent.colony.scale import Scale
from aware_agent.colony.scaling import Elastic
from aware_agent.colony.spec import CasteSpec, CouncilSpec, Spec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What applying a spec would do, one sentence per step."""

    changed: bool
    steps: tuple[str, ...]
    missing_nodes: int  # to be provisioned before the spec is met
    surplus_nodes: int  # beyond the wished size


def plan(
    before: Spec | None,
    after: Spec,
    records: Mapping[str, Record],
    castes: Mapping[str, Sequence[str]],
    queen: str = "",
    *,
    elastic: Mapping[str, Elastic] = MappingProxyType({}),
) -> Plan:
    """Compare specs and say what would follow. ``elastic``: what castes want that scale."""
    # Who is away comes back: no other is made for it.
    alive = sum(r.status in (Status.READY, Status.SUSPECT, Status.AWAY) for r in records.values())
    steps = list(spec_steps(before, after))
    outcome = assign(after, records, castes, queen, elastic=elastic)
    steps += outcome.sentences
    steps += [f"caste {name} lacks {nodes(count)}" for name, count in outcome.missing.items()]
    steps += _vacant_seats(after, records)
    size = wanted_size(after, elastic)
    if alive < size:
        steps.append(f"{nodes(size - alive)} missing: to be provisioned")
    if alive > size:
        steps.append(f"{nodes(alive - size)} more than wanted: remove them when you like")
    return Plan(
        changed=before != after,
        steps=tuple(steps),
        missing_nodes=max(0, size - alive),
        surplus_nodes=max(0, alive - size),
    )


def spec_steps(before: Spec | None, after: Spec) -> list[str]:
    """What is new in ``after``, whatever nodes there are: one sentence a change."""
    if before is None:
        return [f"first spec: {nodes(after.size)}"]
    steps = []
    if before.size != after.size:
        steps.append(f"size {before.size} -> {after.size}")
    for name in sorted(set(before.castes) | set(after.castes)):
        old, new = before.castes.get(name), after.castes.get(name)
        if old is None and new is not None:
            steps.append(f"new caste {name}: {nodes(new.count)}" + (f", then{_range(new.scale)}" if new.scale else ""))
        elif new is None:
            steps.append(f"caste {name} ends; its nodes become spare")
        elif old is not None:
            steps += _caste_steps(name, old, new)
    if before.council != after.council:
        steps.append(_council_step(before.council, after.council))
    if before.policies != after.policies:
        steps.append("policies change")
    return steps


def _caste_steps(name: str, old: CasteSpec, new: CasteSpec) -> list[str]:
    steps = []
    if old.count != new.count:
        began = ", which is what it starts with" if new.scale else ""
        steps.append(f"caste {name}: {old.count} -> {nodes(new.count)}{began}")
    if old.requires != new.requires:
        steps.append(f"caste {name}: requirements change")
    if old.scale != new.scale:
        told = _range(new.scale) if new.scale else f" {nodes(new.count)}, and scales no more"
        steps.append(f"caste {name}:{told}")
    return steps


def _range(scale: Scale) -> str:
    return f" scales from {scale.min} to {nodes(scale.highest)}"


def _council_step(before: CouncilSpec | None, after: CouncilSpec | None) -> str:
    if after is None:
        return "the council is left as it is from now on"
    if before is None:
        return f"the council is kept at {seats(after.size)} from now on"
    if before.size != after.size:
        return f"council: {before.size} -> {seats(after.size)}, one member at a time"
    return "council: lost members are replaced after another time"


def _vacant_seats(after: Spec, records: Mapping[str, Record]) -> list[str]:
    """Seats for which there is no node that an admin allowed into the council."""
    if after.council is None:
        return []
    able = sum(r.eligible and r.status not in (Status.DEAD, Status.AWAY) for r in records.values())
    if able >= after.council.size:
        return []
    return [f"the council of {after.council.size} lacks {nodes(after.council.size - able)} allowed into it"]


def seats(count: int) -> str:
    """``1 seat``, ``3 seats``."""
    return f"{count} seat{'' if count == 1 else 's'}"


def nodes(count: int) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{count} node{'' if count == 1 else 's'}"
