"""What every benchmark shares: statistics, records, and how they are shown.

A record holds values that were measured in this run and nothing else. Ours name the peers and floors they stand
beside, which must have been recorded before, so that every ratio is of one run.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal

import msgspec

Kind = Literal["aware", "peer", "floor"]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Of a sample; ``p95`` is interpolated and of little worth below 20 values, ``n`` says how many there are."""

    n: int
    median: float
    min: float
    max: float
    p95: float


def summarize(values: Sequence[float]) -> Stats:
    """Statistics of at least one value. Raises ValueError for none."""
    if not values:
        raise ValueError("no values were measured")
    return Stats(
        n=len(values),
        median=statistics.median(values),
        min=min(values),
        max=max(values),
        p95=percentile(values, 95),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear interpolation between the closest ranks; 0 is the smallest, 100 the largest value."""
    if not values:
        raise ValueError("no values were measured")
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is not a percentage")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement. ``ratios``: our median divided by that of the named peer or floor; ``load`` is of 1 minute."""

    bench: str
    what: str
    kind: Kind
    settings: str
    unit: str
    stats: Stats
    ratios: dict[str, float]
    load: float
    values: list[float]
    extra: dict[str, float | int | str]


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be measured here, and why."""

    bench: str
    what: str
    skipped: str


class Run:
    """One run of one benchmark: collects records and skips, in order."""

    def __init__(self, bench: str, *, quick: bool, as_json: bool, without: Sequence[str] = ()) -> None:
        self.bench = bench
        self.quick = quick
        self.as_json = as_json
        self.without = frozenset(without)
        self.records: list[Record] = []
        self.skips: list[Skipped] = []
        self._started = time.monotonic()

    def record(
        self,
        what: str,
        values: Sequence[float],
        *,
        unit: str,
        kind: Kind,
        settings: str = "",
        against: Sequence[str] = (),
        **extra: float | int | str,
    ) -> Record:
        """Keep a measurement and, for ours, compare it with those of ``against`` that this run has."""
        stats = summarize(values)
        medians = {r.what: r.stats.median for r in self.records if r.unit == unit and r.what in against}
        record = Record(
            bench=self.bench,
            what=what,
            kind=kind,
            settings=settings,
            unit=unit,
            stats=stats,
            ratios={name: stats.median / median for name, median in medians.items() if median > 0},
            load=os.getloadavg()[0],
            values=[float(value) for value in values],
            extra=extra,
        )
        self.records.append(record)
        self._emit(record)
        return record

    def skip(self, what: str, reason: str) -> None:
        """Say that ``what`` was not measured."""
        skipped = Skipped(bench=self.bench, what=what, skipped=reason)
        self.skips.append(skipped)
        self._emit(skipped)

    def say(self, text: str) -> None:
        """Progress, on stderr."""
        print(f"[{time.monotonic() - self._started:6.1f} s] {text}", file=sys.stderr, flush=True)

    async def peer(self, what: str, measure: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Measure a peer; what it lacks or breaks on becomes a skip: a peer's trouble must not hide our figures."""
        if what in self.without:
            self.skip(what, "left out by --without")
            return
        self.say(what)
        try:
            await measure()
        except Unavailable as error:
            self.skip(what, str(error))
        except Exception as error:  # see above; the reason is shown
            self.skip(what, f"failed: {type(error).__name__}: {error}")

    def _emit(self, item: Record | Skipped) -> None:
        if self.as_json:
            sys.stdout.write(msgspec.json.encode(item).decode() + "\n")
            sys.stdout.flush()
        elif isinstance(item, Record):
            self.say(f"{item.what}: {number(item.stats.median)} {item.unit} (n={item.stats.n})")
        else:
            self.say(f"{item.what}: skipped, {item.skipped}")


class Unavailable(Exception):
    """A peer cannot run here; the text says what it lacks."""


def number(value: float) -> str:
    """Three significant digits or a bit more: 0.0123, 1.23, 12.3, 12,345."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    digits = 4 if size < 0.1 else 3 if size < 1 else 2 if size < 10 else 1
    return f"{value:.{digits}f}"
