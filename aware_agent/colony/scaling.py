"""How many nodes a caste wants: from what is needed now and was needed lately. Pure.

More is wanted at once, as fast as ``out`` allows. Less is wanted only when the most that was needed at any moment of
the last ``in.after_s`` seconds is less, and only when all of that time is known: what nobody knows takes no node away.
Need that differs from the nodes there are by no more than ``tolerance`` changes nothing. Bounds of people come before
all of it, and at once.

What is remembered for that is small (a handful of peaks and steps), and goes with the colony: a queen that follows
another counts on from where that one was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from aware_agent.colony.decoding import Count, Line, Moment
from aware_agent.colony.load import Load, shares
from aware_agent.colony.scale import Bounds, Metric, Scale, targets

BREAK_S = 90.0  # what was unknown for longer begins the time anew after which nodes may go
MINUTE_S = 60.0
PARTS = 10  # of the time that peaks are remembered for; more would be more exact, and more to keep
_EXACT = 1e-9  # a need of 3.0000000000000004 nodes is 3


class Peak(msgspec.Struct, frozen=True, array_like=True):
    """The most nodes that were needed in a part of the time that began ``at``."""

    at: Moment
    need: float


class Step(msgspec.Struct, frozen=True, array_like=True):
    """How many were wanted before a change."""

    at: Moment
    before: Count


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs to know of the past. Times in Unix seconds."""

    known_since: Moment = 0.0  # all needs were known all the time since then
    known_at: Moment = 0.0  # and were so last then
    peaks: tuple[Peak, ...] = ()
    steps: tuple[Step, ...] = ()  # of the last minute
    blind: bool = False  # that something is not known was told


class Elastic(msgspec.Struct, frozen=True, kw_only=True):
    """How many nodes a caste wants, since when, why, and who is on his way out: by node id the moment it goes, 0 for
    one whose time is over."""

    wanted: Count
    changed_at: Moment = 0.0
    why: Line = ""
    leaving: dict[str, Moment] = {}


class State(NamedTuple):
    """Of one caste."""

    elastic: Elastic
    memory: Memory


class Need(NamedTuple):
    """Nodes that are needed: at least ``least``, and perhaps as many as ``most`` while some nodes tell nothing."""

    least: float
    most: float
    said: str  # what that was made of


class Inputs(NamedTuple):
    """What a decision is made of: the rule, the bounds that hold now, and needs by metric; None is not known."""

    scale: Scale
    bounds: Bounds
    needs: Mapping[Metric, Need | None]


class Effect(NamedTuple):
    """Something to tell, in one sentence."""

    kind: Literal["scaled", "blind", "seeing"]
    message: str
    before: int = 0
    after: int = 0


class Serving(NamedTuple):
    """A node that is ready in the caste: its processors, and its load when that is known."""

    vcpus: int
    load: Load | None


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A demand as it is kept: what was posted, when by the queen's clock, and by whom."""

    value: float
    at: Moment
    by: Line


# What is needed --------------------------------------------------------------------------------------------------


def needs(scale: Scale, serving: Iterable[Serving], posted: Posted | None, now: float) -> dict[Metric, Need | None]:
    """Nodes that each target asks for."""
    nodes = list(serving)
    found: dict[Metric, Need | None] = {}
    for metric in targets(scale):
        found[metric] = _by_demand(scale, posted, now) if metric == "demand" else _by_load(scale, metric, nodes)
    return found


def _by_demand(scale: Scale, posted: Posted | None, now: float) -> Need | None:
    target = scale.demand
    if target is None or posted is None or now - posted.at > target.unknown_after_s:
        return None
    need = posted.value / target.per_node
    return Need(need, need, f"a demand of {posted.value:g}, of which a node carries {target.per_node:g},")


def _by_load(scale: Scale, metric: Metric, nodes: Sequence[Serving]) -> Need | None:
    """As Kubernetes does with pods: who tells nothing is idle where more would be wanted, and at his target where fewer
    would be."""
    target: float = getattr(scale, metric)
    told = [use for use in (_use(node, metric) for node in nodes) if use is not None]
    if not told:
        return None
    need = sum(told) / target
    silent = len(nodes) - len(told)
    unit = f"{sum(told) / len(told):.0%}" if metric != "load" else f"{sum(told) / len(told):.2f} a processor"
    wanted = f"{target:.0%}" if metric != "load" else f"{target:g}"
    word = {"cpu": "use of processors", "memory": "use of memory", "load": "load"}[metric]
    return Need(need, need + silent, f"{word} of {unit} on {len(told)} nodes, where {wanted} is wanted,")


def _use(node: Serving, metric: Metric) -> float | None:
    if node.load is None:
        return None
    if metric == "load":
        return node.load.load / 100 / max(1, node.vcpus)
    cpu, memory, _ = shares(node.load)
    permille = cpu if metric == "cpu" else memory
    return None if permille is None else permille / 1000


# What follows ----------------------------------------------------------------------------------------------------


def decide(state: State, inputs: Inputs, now: float) -> tuple[State, tuple[Effect, ...]]:
    """How many are wanted from now on (Unix time), and what is to be told of it."""
    known = {metric: need for metric, need in inputs.needs.items() if need is not None}
    memory, effects = _noticed(state.memory, inputs, blind=len(known) < len(inputs.needs), now=now)
    before, scale = state.elastic.wanted, inputs.scale
    after, why = _wished(before, memory, list(known.values()), inputs, now)
    after, why = _paced(before, after, why, memory.steps, scale)
    after, why = _bounded(before, after, why, inputs.bounds)
    if after == before:
        return State(state.elastic, memory), effects
    steps = (*memory.steps, Step(now, before))
    message = f"{why}: {before} -> {after}"
    elastic = msgspec.structs.replace(state.elastic, wanted=after, changed_at=now, why=why)
    told = (*effects, Effect("scaled", message, before, after))
    return State(elastic, msgspec.structs.replace(memory, steps=steps)), told


def begun(count: int, now: float) -> State:
    """What a caste starts with."""
    return State(Elastic(wanted=count, changed_at=now, why="where it starts"), Memory(known_since=now, known_at=now))


def _noticed(memory: Memory, inputs: Inputs, *, blind: bool, now: float) -> tuple[Memory, tuple[Effect, ...]]:
    """What is remembered after this look."""
    steps = tuple(Step(min(one.at, now), one.before) for one in memory.steps if one.at > now - MINUTE_S)
    since, last = min(memory.known_since, now), min(memory.known_at, now)  # clocks of queens differ
    if blind:
        if now - last <= BREAK_S or memory.blind:
            return msgspec.structs.replace(memory, steps=steps, known_since=since, known_at=last), ()
        unknown = ", ".join(metric for metric, need in inputs.needs.items() if need is None)
        told = Effect("blind", f"{unknown} is not known: no node is taken away until it is")
        return msgspec.structs.replace(memory, steps=steps, known_since=since, known_at=last, blind=True), (told,)
    if now - last > BREAK_S:
        since, memory = now, msgspec.structs.replace(memory, peaks=())
    need = max((one.most for one in inputs.needs.values() if one is not None), default=0.0)
    peaks = _with_peak(memory.peaks, need, inputs.scale.in_.after_s, now)
    effects = (Effect("seeing", "all it is scaled by is known again"),) if memory.blind else ()
    return Memory(known_since=since, known_at=now, peaks=peaks, steps=steps), effects


def _with_peak(peaks: Sequence[Peak], need: float, window_s: float, now: float) -> tuple[Peak, ...]:
    """Peaks of the last ``window_s``, to the end of the part that each is of; those that a later one tops are of no
    use."""
    part_s = max(window_s / PARTS, _EXACT)
    kept = [Peak(min(one.at, now), one.need) for one in peaks if one.at + part_s > now - window_s]
    if kept and now - kept[-1].at < part_s:
        kept[-1] = Peak(kept[-1].at, max(kept[-1].need, need))
    else:
        kept.append(Peak(now, need))
    useful: list[Peak] = []
    for one in reversed(kept):
        if not useful or one.need > useful[-1].need:
            useful.append(one)
    return tuple(reversed(useful))


def _wished(before: int, memory: Memory, known: Sequence[Need], inputs: Inputs, now: float) -> tuple[int, str]:
    """By need alone."""
    scale = inputs.scale
    most = max(known, key=lambda one: one.least, default=None)
    if most is not None and most.least > before * (1 + scale.tolerance) + _EXACT:
        return _nodes(most.least), f"{most.said} needs {_nodes(most.least)}"
    if len(known) < len(inputs.needs) or now - memory.known_since < scale.in_.after_s:
        return before, ""
    peak = max((one.need for one in memory.peaks), default=0.0)
    if peak >= before * (1 - scale.tolerance) - _EXACT or _nodes(peak) >= before:
        return before, ""
    if not inputs.needs:
        return min(before, inputs.bounds.least), "the schedule wants no more"
    return _nodes(peak), f"no more than {_nodes(peak)} were needed for {scale.in_.after_s:g} s"


def _nodes(need: float) -> int:
    return math.ceil(min(need, 1e9) - _EXACT)


def _paced(before: int, after: int, why: str, steps: Sequence[Step], scale: Scale) -> tuple[int, str]:
    """No faster than people allow. What was wanted at any moment of the last minute counts."""
    lately = [before, *(step.before for step in steps)]
    if after > before:
        start = min(lately)
        limit = max(start + scale.out.nodes, math.floor(start * (1 + scale.out.share)))
        limit, word = max(limit, before), "more"
        slower = after > limit
    elif after < before:
        start = max(lately)
        limit = min(start - scale.in_.nodes, math.ceil(start * (1 - scale.in_.share)))
        limit, word = min(max(limit, 0), before), "fewer"
        slower = after < limit
    else:
        return after, why
    return (limit, f"{why}, and no {word} in a minute") if slower else (after, why)


def _bounded(before: int, after: int, why: str, allowed: Bounds) -> tuple[int, str]:
    bounded = min(max(after, allowed.least), allowed.most)
    if bounded in {after, before}:
        return bounded, why
    bound = f"{'min' if bounded == allowed.least else 'max'} is {bounded}"
    bound += f" ({allowed.window})" if allowed.window else ""
    return bounded, f"{why}, and {bound}" if why else bound
