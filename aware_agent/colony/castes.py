"""Who does which work: stable assignment of nodes to castes.

A node keeps its caste as long as it can serve there; only then are gaps filled, the scarcest caste first, each with
the smallest node that fits, the queen last. Nodes are never moved between castes to make room: moving working nodes
is worse than reporting a gap. A drained node serves until another that fits is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from aware_agent.colony.elastic import counts, leaving
from aware_agent.colony.node import Capabilities, Record, Status, effective_labels
from aware_agent.colony.scaling import Elastic
from aware_agent.colony.spec import Requirements, Spec

Castes = dict[str, list[str]]


class Assignment(msgspec.Struct, frozen=True):
    """Who serves where, what is missing, and one sentence per change."""

    castes: Castes
    missing: dict[str, int]
    sentences: tuple[str, ...]


def assign(
    spec: Spec,
    records: Mapping[str, Record],
    before: Mapping[str, Sequence[str]],
    queen: str = "",
    *,
    spare_queen: bool = False,
    elastic: Mapping[str, Elastic] = MappingProxyType({}),
) -> Assignment:
    """Assign nodes to the castes of ``spec``, changing as little as possible. ``elastic``: what castes want that scale.

    With ``spare_queen`` the queen gets no new work, even if a caste stays short: other nodes are still to come.
    """
    castes: Castes = {}
    stay = (Status.READY, Status.SUSPECT, *((Status.DEAD,) if spec.policies.replace_dead == "never" else ()))
    taken: set[str] = set()
    there = {name: [i for i in ids if i in records and records[i].status in stay] for name, ids in before.items()}
    count = counts(spec, elastic, there)
    shares = {
        name: _Share(caste.requires, count[name], leaving(spec, elastic, name)) for name, caste in spec.castes.items()
    }
    for name, share in shares.items():
        members = [i for i in dict.fromkeys(before.get(name, ())) if i not in taken]
        kept = _keep(share, records, members, stay)
        castes[name] = kept
        taken.update(kept)
    taken |= {queen} if spare_queen else set()
    free = [r for i, r in records.items() if i not in taken and takes_work(r)]
    for name in _scarcest_first(spec, count, castes, free):
        caste = spec.castes[name]
        gap = count[name] - len(castes[name])
        chosen = sorted((r for r in free if fits(r, caste.requires)), key=lambda r: _cost(r, queen))[: max(0, gap)]
        castes[name] += [r.id for r in chosen]
        free = [r for r in free if r not in chosen]
    for name, share in shares.items():
        castes[name], free = _relieved(share, castes[name], records, free, queen)
    castes = {name: _in_order(members, before.get(name, ())) for name, members in castes.items()}
    missing = {n: count[n] - len(castes[n]) for n in spec.castes if len(castes[n]) < count[n]}
    return Assignment(castes, missing, tuple(_tell(castes, before, records)))


def moves(
    before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, list[str]] | None]:
    """Who left and who joined each caste that changed, in the order of joining; None for a caste that ended.

    Whoever takes out those who left and appends those who joined gets from ``before`` to ``after``.
    """
    changed: dict[str, dict[str, list[str]] | None] = dict.fromkeys(sorted(set(before) - set(after)))
    for name, members in sorted(after.items()):
        then, now = before.get(name), set(members)
        if then is None or list(then) != list(members):
            old = set(then or ())
            changed[name] = {
                "left": [i for i in then or () if i not in now],
                "joined": [i for i in members if i not in old],
            }
    return changed


def _in_order(members: Sequence[str], before: Sequence[str]) -> list[str]:
    """``members`` in the order in which they joined."""
    now = set(members)
    stayed = [i for i in dict.fromkeys(before) if i in now]
    return stayed + [i for i in members if i not in set(stayed)]


class _Share(NamedTuple):
    """What a caste is made of: so many nodes that meet these requirements. ``going``: who is to leave, and when."""

    requires: Requirements
    wanted: int
    going: Mapping[str, float]


def _keep(
    share: _Share, records: Mapping[str, Record], before: Sequence[str], statuses: tuple[Status, ...]
) -> list[str]:
    """Members that stay, at most ``count``; those longest in the colony stay first, whose time is over last."""
    staying = [
        records[i]
        for i in before
        if i in records and records[i].status in statuses and fits(records[i], share.requires)
    ]
    staying.sort(
        key=lambda r: (
            share.going.get(r.id) == 0.0,
            r.status is not Status.READY,
            r.id in share.going,
            r.cordoned,
            r.joined_at,
            r.id,
        )
    )
    stay = {r.id for r in staying[: share.wanted]}
    return [i for i in before if i in stay]


def _relieved(
    share: _Share, members: list[str], records: Mapping[str, Record], free: list[Record], queen: str
) -> tuple[list[str], list[Record]]:
    """``members`` with free nodes in the places of drained ones, as far as some fit; and who is free then.

    In the place of who is on his way out nobody comes.
    """
    after = list(members)
    for place, member in enumerate(members):
        fitting = [r for r in free if fits(r, share.requires)]
        if records[member].drained and member not in share.going and fitting:
            chosen = min(fitting, key=lambda r: _cost(r, queen))
            after[place] = chosen.id
            free = [r for r in free if r is not chosen]
    return after, free


def _scarcest_first(spec: Spec, count: Mapping[str, int], castes: Castes, free: Sequence[Record]) -> list[str]:
    gaps = [n for n in spec.castes if count[n] > len(castes[n])]
    return sorted(gaps, key=lambda n: (sum(fits(r, spec.castes[n].requires) for r in free), n))


def _cost(record: Record, queen: str) -> tuple[bool, int, int, float, str]:
    has = record.report.capabilities if record.report else Capabilities()
    return (record.id == queen, has.vcpus, has.ram_mib, record.joined_at, record.id)


def takes_work(record: Record) -> bool:
    """Whether a node may be given new work at all."""
    return record.status is Status.READY and not record.cordoned and not record.over


def fits(record: Record, needs: Requirements) -> bool:
    """True if the node's last report meets the requirements.

    With ``pinned`` zone and labels are those that people gave it (the zone as label ``zone``), whatever it reports.
    """
    has = record.report.capabilities if record.report else Capabilities()
    labels = record.labels if needs.pinned else effective_labels(record)
    zone = labels.get("zone", "") if needs.pinned else has.zone
    return (
        has.vcpus >= needs.vcpus
        and has.ram_mib >= needs.ram_mib
        and has.disk_gib >= needs.disk_gib
        and needs.zone in ("", zone)
        and all(labels.get(key) == value for key, value in needs.labels.items())
    )


def _tell(after: Castes, before: Mapping[str, Sequence[str]], records: Mapping[str, Record]) -> Iterable[str]:
    def name(node: str) -> str:
        return records[node].name if node in records else node

    for caste in sorted(set(after) | set(before)):
        now, then = set(after.get(caste, ())), set(before.get(caste, ()))
        yield from (f"{name(i)} joins caste {caste}" for i in sorted(now - then))
        yield from (f"{name(i)} leaves caste {caste}" for i in sorted(then - now))
