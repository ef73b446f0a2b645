"""How full a node may be before it gets no new work: limits of a spec, and who is over which of them. Pure.

A node is over a limit when it was above it for ``for_s`` without a break, and within it again when it was clearly below
for as long. What nobody knows changes nothing. What a node works at it keeps: taking work from a full node would fill
the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.load import Load, shares

Limit = Literal["cpu", "memory", "disk"]
LIMITS: tuple[Limit, ...] = ("cpu", "memory", "disk")
SHARE = (0.05, 1.0)
FOR_S = (30.0, 86_400.0)
SLACK = 50  # permille below a limit that a node has to be to be within it again


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Shares of a node, 0 to 1, above which it gets no new work; None: no limit."""

    cpu: float | None = None
    memory: float | None = None
    disk: float | None = None  # of the file system with the agent's state
    for_s: float = 300.0  # above for so long, and below again for as long


class Changed(msgspec.Struct, frozen=True):
    """A node is over other limits than before, and the sentence that says so."""

    node: str
    over: tuple[Limit, ...]
    message: str


class Judged(msgspec.Struct, frozen=True):
    """What changed, and since when (by the clock of ``now``) what is not yet due has been so, by node and limit."""

    changed: tuple[Changed, ...]
    since: Mapping[tuple[str, Limit], float]


def check_limits(limits: Limits, where: str) -> None:
    """Raise :class:`InvalidInput` that names the field."""
    for name in LIMITS:
        share = getattr(limits, name)
        if share is not None and not SHARE[0] <= share <= SHARE[1]:
            raise InvalidInput(
                f"spec: {where}.{name} {share:g} is no share of a node",
                field=f"{where}.{name}",
                hint=f"{SHARE[0]:g} to {SHARE[1]:g}",
            )
    if not FOR_S[0] <= limits.for_s <= FOR_S[1]:
        raise InvalidInput(
            f"spec: {where}.for_s {limits.for_s:g} is out of range",
            field=f"{where}.for_s",
            hint=f"{FOR_S[0]:g} to {FOR_S[1]:g} seconds",
        )


def judge(
    limits: Limits | None,
    nodes: Mapping[str, tuple[str, tuple[Limit, ...]]],
    loads: Mapping[str, Load],
    since: Mapping[tuple[str, Limit], float],
    now: float,
) -> Judged:
    """Compare loads with limits. ``nodes``: name and what is on record of each; ``now`` is monotonic, in seconds.

    Limits that are none any more hold nobody, at once.
    """
    rules = limits or Limits()
    changed, waiting = [], {}
    for node, (name, before) in nodes.items():
        after: list[Limit] = []
        for limit in LIMITS:
            was, key = limit in before, (node, limit)
            turns, patience_s = _turns(rules, limit, was, loads.get(node)), rules.for_s
            if turns and getattr(rules, limit) is None:
                patience_s = 0.0
            began = since.get(key, now)
            if turns and now - began < patience_s:
                waiting[key] = began
                turns = False
            if was != turns:
                after.append(limit)
        if tuple(after) != before:
            changed.append(Changed(node, tuple(after), _sentence(name, before, after)))
    return Judged(tuple(changed), waiting)


def _turns(rules: Limits, limit: Limit, was: bool, load: Load | None) -> bool:
    """Whether the load speaks against what is on record."""
    most = getattr(rules, limit)
    if most is None:
        return was
    share = None if load is None else shares(load)[LIMITS.index(limit)]
    if share is None:
        return False
    return bool(share <= 1000 * most - SLACK if was else share > 1000 * most)


def _sentence(name: str, before: tuple[Limit, ...], after: list[Limit]) -> str:
    over = [limit for limit in after if limit not in before]
    if over:
        return f"{name} is over its limit of {' and '.join(over)}: it gets no new work"
    within = " and ".join(limit for limit in before if limit not in after)
    rest = f", but still over that of {' and '.join(after)}" if after else ""
    return f"{name} is within its limit of {within} again{rest}"
