"""How a caste may grow and shrink: the part of a spec that says so, and the rules that make it impossible. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.schedule import Window, check_windows, in_force, zone_of

Metric = Literal["cpu", "memory", "load", "demand"]
METRICS: tuple[Metric, ...] = ("cpu", "memory", "load", "demand")
TARGETS = {"cpu": (0.05, 0.95), "memory": (0.05, 0.95), "load": (0.05, 20.0)}
MAX_NODES = 10_000
MAX_DEMAND = 1e12
PER_NODE = (1e-6, MAX_DEMAND)
TOLERANCE = (0.0, 0.5)
AFTER_S = (0.0, 86_400.0)
DRAIN_S = (0.0, 3_600.0)
UNKNOWN_AFTER_S = (10.0, 86_400.0)
SHARE = (0.0, 10.0)


class DemandTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A number that somebody posts, such as the length of a queue."""

    per_node: float  # so much of it one node carries
    unknown_after_s: float = 300.0  # what was not posted for so long is not known any more


class ScaleOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How fast it grows: in a minute at most by the larger of ``nodes`` and ``share`` of what there was."""

    nodes: int = 4
    share: float = 3.0


class ScaleIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How it shrinks: to the most that was needed at any moment of ``after_s`` seconds, and in a minute at most by the
    larger of ``nodes`` and ``share``. Who leaves is told ``drain_s`` seconds before."""

    after_s: float = 300.0
    drain_s: float = 60.0
    nodes: int = 1
    share: float = 0.5


class Scale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Bounds, and what says how many nodes are wanted between them; None: that says nothing."""

    min: int
    max: int
    cpu: float | None = None  # share of their processors that nodes shall use, 0 to 1
    memory: float | None = None
    load: float | None = None  # load average of a minute for each processor
    demand: DemandTarget | None = None
    tolerance: float = 0.1  # by so much need and nodes may differ, as a share of the nodes
    out: ScaleOut = ScaleOut()
    in_: ScaleIn = msgspec.field(name="in", default=ScaleIn())
    zone: str = "UTC"  # of the schedule
    schedule: tuple[Window, ...] = ()

    @property
    def highest(self) -> int:
        """The most nodes it may ever want."""
        return max([self.max, *(window.max for window in self.schedule if window.max is not None)])


class Bounds(msgspec.Struct, frozen=True):
    """What holds now; ``window``: of the schedule, empty outside of all."""

    least: int
    most: int
    window: str = ""


def bounds(scale: Scale, now: float) -> Bounds:
    """Bounds at Unix time ``now``. Raises :class:`InvalidInput` for a zone that this host does not know."""
    window = in_force(scale.schedule, zone_of(scale.zone), now) if scale.schedule else None
    if window is None:
        return Bounds(scale.min, scale.max)
    least = scale.min if window.min is None else window.min
    most = scale.max if window.max is None else window.max
    return Bounds(least, most, str(window))


def targets(scale: Scale) -> tuple[Metric, ...]:
    """What says how many are wanted."""
    return tuple(metric for metric in METRICS if getattr(scale, metric) is not None)


def check_scale(scale: Scale, count: int, field: str, where: str) -> None:
    """Raise :class:`InvalidInput` that names the field. ``count``: what the caste starts with."""
    _check_bounds(scale, count, field, where)
    if not targets(scale) and not scale.schedule:
        raise InvalidInput(
            f"{where}nothing says how many nodes are wanted between {scale.min} and {scale.max}",
            field=field,
            hint="give it a target: cpu, memory, load or demand; or a schedule",
        )
    for name, (least, most) in TARGETS.items():
        _in_range(getattr(scale, name), (least, most), f"{field}.{name}", where)
    if scale.demand is not None:
        _in_range(scale.demand.per_node, PER_NODE, f"{field}.demand.per_node", where)
        _in_range(scale.demand.unknown_after_s, UNKNOWN_AFTER_S, f"{field}.demand.unknown_after_s", where)
    _in_range(scale.tolerance, TOLERANCE, f"{field}.tolerance", where)
    _in_range(scale.in_.after_s, AFTER_S, f"{field}.in.after_s", where)
    _in_range(scale.in_.drain_s, DRAIN_S, f"{field}.in.drain_s", where)
    for name, pace in (("out", scale.out), ("in", scale.in_)):
        _in_range(pace.nodes, (1, MAX_NODES), f"{field}.{name}.nodes", where)
        _in_range(pace.share, SHARE, f"{field}.{name}.share", where)
    zone_of(scale.zone, f"{field}.zone", where)
    check_windows(scale.schedule, f"{field}.schedule", where)


def _check_bounds(scale: Scale, count: int, field: str, where: str) -> None:
    pairs = [(scale.min, scale.max, field)]
    for number, window in enumerate(scale.schedule):
        place = f"{field}.schedule[{number}]"
        if window.min is None and window.max is None:
            raise InvalidInput(f"{where}a window changes nothing", field=place, hint="give it min, max or both")
        least = scale.min if window.min is None else window.min
        pairs.append((least, scale.max if window.max is None else window.max, place))
    for least, most, place in pairs:
        _in_range(least, (0, MAX_NODES), f"{place}.min", where)
        _in_range(most, (1, MAX_NODES), f"{place}.max", where)
        if least > most:
            raise InvalidInput(f"{where}min {least} is more than max {most}", field=f"{place}.min")
        if least == 0 and scale.demand is None and targets(scale):
            raise InvalidInput(
                f"{where}with min 0 nobody would be left to tell its load",
                field=f"{place}.min",
                hint="at least 1, or a target of demand",
            )
    if not scale.min <= count <= scale.max:
        raise InvalidInput(
            f"{where}count {_short(count)} is not between min {scale.min} and max {scale.max}",
            field=f"{field.removesuffix('.scale')}.count",
            hint="it is what the caste starts with",
        )


def _in_range(value: float | None, allowed: tuple[float, float], field: str, where: str) -> None:
    if value is not None and not allowed[0] <= value <= allowed[1]:
        raise InvalidInput(
            f"{where}{field.rpartition('.')[2]} {_short(value)} is out of range",
            field=field,
            hint=f"{allowed[0]:g} to {allowed[1]:g}",
        )


def _short(value: float) -> str:
    text = str(value) if isinstance(value, int) else f"{value:g}"
    return text if len(text) <= 24 else f"{text[:20]}..."
