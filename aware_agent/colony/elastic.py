"""What a spec comes to once the colony chose how many nodes its castes want, and who leaves when they want fewer. Pure.

The spec is what people wrote, and stays as they wrote it: who applies the same file again changes nothing. What the
colony chose lies beside it, in ``elastic``, and counts only between the spec's bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from aware_agent.colony.node import Record, Status
from aware_agent.colony.scaling import Elastic
from aware_agent.colony.spec import Spec

ELASTIC = "elastic"
MEMORY = "elastic-memory"


class ElasticRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Castes that scale, as the queen of ``term`` left them. ``missing_servers``: as of her last look."""

    term: int = 0
    castes: dict[str, Elastic] = {}
    missing_servers: int = 0


NOBODY = ElasticRecord()


def as_they_serve(spec: Spec, castes: Mapping[str, Sequence[str]]) -> ElasticRecord:
    """Instead of a record that is lost: castes that scale want no fewer than serve, so that nobody is taken away."""
    why = "as many as served when what was chosen could not be read"
    scaled = {name: caste.count for name, caste in spec.castes.items() if caste.scale is not None}
    return ElasticRecord(
        castes={
            name: Elastic(wanted=max(count, len(castes.get(name, ()))), changed_at=0.0, why=why)
            for name, count in scaled.items()
        }
    )


def wanted(spec: Spec, elastic: Mapping[str, Elastic], name: str) -> int:
    """How many nodes the caste ``name`` of ``spec`` wants now."""
    caste = spec.castes[name]
    chosen = elastic.get(name)
    if caste.scale is None or chosen is None:
        return caste.count
    windows = [one.min for one in caste.scale.schedule if one.min is not None]
    return max(min([caste.scale.min, *windows]), min(chosen.wanted, caste.scale.highest))


def counts(spec: Spec, elastic: Mapping[str, Elastic], castes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many nodes serve in each caste: those that are wanted, and those who still have a while to go."""
    result = {}
    for name in spec.castes:
        going = leaving(spec, elastic, name)
        result[name] = wanted(spec, elastic, name) + sum(going.get(node, 0.0) > 0 for node in castes.get(name, ()))
    return result


def leaving(spec: Spec, elastic: Mapping[str, Elastic], name: str) -> Mapping[str, float]:
    """Who is on his way out of the caste, and when it goes."""
    chosen = elastic.get(name)
    return chosen.leaving if chosen is not None and spec.castes[name].scale is not None else {}


def wanted_size(spec: Spec, elastic: Mapping[str, Elastic]) -> int:
    """How many nodes the colony shall have: the spec's size, and more where castes want more than that.

    Spare nodes serve first. A node on its way out of a caste counts until it left.
    """
    serving = sum(wanted(spec, elastic, name) + len(leaving(spec, elastic, name)) for name in spec.castes)
    return max(spec.size, serving)


def missing_servers(spec: Spec, elastic: Mapping[str, Elastic], records: Mapping[str, Record]) -> int:
    """How many nodes there are too few. Who is away comes back."""
    there = sum(record.status in (Status.READY, Status.SUSPECT, Status.AWAY) for record in records.values())
    return max(0, wanted_size(spec, elastic) - there)


def on_the_way_out(
    members: Sequence[str],
    wanted: int,
    before: Mapping[str, float],
    records: Mapping[str, Record],
    *,
    drain_s: float,
    now: float,
) -> dict[str, float]:
    """Who of the members of a caste is to leave it, and when (Unix time; 0: its time is over). ``before``: as it was.

    Those go first that can do least: not there, drained, cordoned, full; then workers before nodes that may have a seat
    in the council, and the youngest before the others. Who was told to leave does, unless more are wanted again; then
    the last one told stays first.
    """
    surplus = len(members) - wanted
    if surplus <= 0:
        return {}
    told = {node: at for node, at in before.items() if node in members}
    longest = sorted(told, key=lambda node: (told[node], node))[:surplus]
    others = sorted((node for node in members if node not in told), key=lambda node: _last(records.get(node)))
    chosen = {node: min(told[node], now + drain_s) for node in longest}
    chosen |= dict.fromkeys(others[: surplus - len(chosen)], now + drain_s)
    return {node: at if at > now else 0.0 for node, at in chosen.items()}


def _last(record: Record | None) -> tuple[bool, bool, bool, bool, bool, float, str]:
    """Sorts whom a caste misses least to the front."""
    if record is None:
        return False, False, False, False, False, 0.0, ""
    able = record.status is Status.READY
    return (
        able,
        not record.drained,
        not record.cordoned,
        not record.over,
        record.eligible,
        -record.joined_at,
        record.id,
    )
