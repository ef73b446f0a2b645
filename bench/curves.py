"""Load curves that autoscalers are compared on: all made by formulas, the same bytes from the same seed.

None is recorded: they are the shapes that autoscalers are usually shown on, written down so that anybody can repeat
them. ``python -m bench elastic --curve FILE`` takes a recorded one: lines of ``seconds,requests per second``.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

HOUR = 3600.0


class Curve(NamedTuple):
    """``demand`` in requests per second by seconds from the beginning."""

    name: str
    told: str
    seconds: float
    demand: Callable[[float], float]


def curves(seed: int = 1) -> Mapping[str, Curve]:
    """All of them by name."""
    made = (
        Curve("steady", "950 requests/s", 6 * HOUR, lambda _t: 950.0),
        Curve(
            "noise", "950 requests/s and 20 % of it as Gaussian noise every 15 s", 6 * HOUR, _noise(950.0, 0.2, seed)
        ),
        Curve(
            "step", "300, from 1 h on 1,500, from 3 h on 300", 5 * HOUR, lambda t: 1500 if HOUR <= t < 3 * HOUR else 300
        ),
        Curve("day", "a day with peaks at noon and in the evening, 200 to 1,900, 5 % noise", 24 * HOUR, _day(seed)),
        Curve(
            "crowd", "300, at 1 h up to 3,000 in 3 minutes, then half of the rest every 20 minutes", 5 * HOUR, _crowd
        ),
        Curve("saw", "300 to 1,500 and back at once, every 20 minutes", 5 * HOUR, lambda t: 300 + t % 1200),
    )
    return {curve.name: curve for curve in made}


def recorded(file: Path) -> Curve:
    """Steps between recorded points. Raises ValueError for a file without any."""
    with file.open(newline="", encoding="utf-8") as lines:
        points = [(float(row[0]), float(row[1])) for row in csv.reader(lines)]
    if len(points) < 2 or any(not math.isfinite(value) or value < 0 for point in points for value in point):
        raise ValueError(f"{file}: give at least two lines of seconds,requests per second")
    points.sort()
    first = points[0][0]

    def demand(at: float) -> float:
        low, high = 0, len(points) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if points[middle][0] - first <= at else (low, middle - 1)
        return points[low][1]

    return Curve(file.stem, f"recorded in {file.name}", points[-1][0] - first, demand)


def _noise(mean: float, share: float, seed: int) -> Callable[[float], float]:
    def demand(at: float) -> float:
        return max(0.0, mean * (1 + random.Random(seed * 1_000_003 + int(at // 15)).gauss(0, share)))

    return demand


def _day(seed: int) -> Callable[[float], float]:
    rough = _noise(1.0, 0.05, seed)

    def demand(at: float) -> float:
        hour = at / HOUR % 24
        noon, evening = (math.exp(-(((hour - peak) / width) ** 2)) for peak, width in ((12.5, 2.5), (20.0, 2.0)))
        return (200 + 1300 * noon + 1700 * evening) * rough(at)

    return demand


def _crowd(at: float) -> float:
    if at < HOUR:
        return 300.0
    if at < HOUR + 180:
        return 300 + 2700 * (at - HOUR) / 180
    return float(300 + 2700 * 0.5 ** ((at - HOUR - 180) / 1200))
