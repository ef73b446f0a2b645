"""What Kubernetes' HorizontalPodAutoscaler wants, by its published rules and defaults. Pure.

Sources: "Horizontal Pod Autoscaling" in the documentation of Kubernetes (algorithm, treatment of pods that are not
ready, configurable scaling behaviour and its defaults), and for the order of the steps ``replica_calculator.go`` and
``horizontal.go`` of its controller (``pkg/controller/podautoscaler``). Defaults: a look every 15 s, tolerance 0.1,
300 s of stabilisation for fewer, none for more; in 15 s at most the larger of 4 and 100 % more, and 100 % fewer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

LOOK_S = 15.0
TOLERANCE = 0.1
DOWN_WINDOW_S = 300.0
PERIOD_S = 15.0
UP_PODS, UP_SHARE, DOWN_SHARE = 4, 1.0, 1.0


class Seen(NamedTuple):
    """Of one moment: pods that are ready, pods there are, mean use of those that are ready, or a whole demand."""

    ready: int
    replicas: int
    use: float | None = None
    demand: float | None = None


class Autoscaler:
    """One, with its memory of recommendations and of changes. ``target``: of use, or of demand for each pod."""

    def __init__(self, least: int, most: int, target: float) -> None:
        self._least, self._most, self._target = least, most, target
        self._recommended: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []

    def look(self, seen: Seen, now: float) -> int:
        """How many pods there shall be from now on."""
        current = seen.replicas
        desired = self._by_demand(seen) if seen.demand is not None else self._by_use(seen)
        self._recommended = [one for one in self._recommended if one[0] > now - DOWN_WINDOW_S] + [(now, desired)]
        stable = desired
        if desired < current:
            stable = min(current, max(recommended for _, recommended in self._recommended))
        wanted = min(max(self._paced(current, stable, now), self._least), self._most)
        if wanted != current:
            self._changes.append((now, wanted - current))
        return wanted

    def _by_demand(self, seen: Seen) -> int:
        """Target type AverageValue of an external metric."""
        demand = seen.demand or 0.0
        ratio = demand / (self._target * seen.replicas)
        return seen.replicas if abs(1 - ratio) <= TOLERANCE else math.ceil(demand / self._target)

    def _by_use(self, seen: Seen) -> int:
        """Target type Utilization of a resource."""
        if not seen.ready or seen.use is None:
            return seen.replicas
        ratio, unready = seen.use / self._target, seen.replicas - seen.ready
        if unready <= 0 or ratio <= 1:
            return seen.replicas if abs(1 - ratio) <= TOLERANCE else math.ceil(ratio * seen.ready)
        again = seen.use * seen.ready / seen.replicas / self._target  # who is not ready uses nothing
        if abs(1 - again) <= TOLERANCE or again < 1:
            return seen.replicas
        return max(seen.replicas, math.ceil(again * seen.replicas))

    def _paced(self, current: int, wanted: int, now: float) -> int:
        self._changes = [one for one in self._changes if one[0] > now - PERIOD_S]
        if wanted > current:
            start = current - sum(change for _, change in self._changes if change > 0)
            return min(wanted, max(start + UP_PODS, math.ceil(start * (1 + UP_SHARE))))
        start = current - sum(change for _, change in self._changes if change < 0)
        return max(wanted, math.floor(start * (1 - DOWN_SHARE)))
