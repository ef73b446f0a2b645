"""Prometheus text format 0.0.4, just as much of it as AWARE needs; light enough for every worker.

``prometheus-client`` costs each process 2 MiB and 20 ms, a tenth of what a worker may take. It reads these pages in the
tests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["counter", "gauge"]
Sample = tuple[Mapping[str, str], float]


class Family(msgspec.Struct, frozen=True):
    """One metric: its name, what it counts, its samples by labels."""

    name: str
    kind: Kind
    help: str
    samples: Sequence[Sample]


def gauge(name: str, help_text: str, value: float, **labels: str) -> Family:
    """A gauge with one sample."""
    return Family(name, "gauge", help_text, [(labels, value)])


def counter(name: str, help_text: str, value: float, **labels: str) -> Family:
    """A counter with one sample; ``name`` ends in ``_total``."""
    return Family(name, "counter", help_text, [(labels, value)])


BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of the buckets of durations, in seconds; 0.1 is among them, the time within which 95 of 100 answers have to come."""


class Histogram:
    """How long things took, by one label. Bounded: the caller names what is timed, never a path as it was sent."""

    def __init__(self, name: str, help_text: str, label: str, bounds: Sequence[float] = BOUNDS_S) -> None:
        self.name, self.help = name, help_text
        self._label, self._bounds = label, tuple(bounds)
        self._rows: dict[str, list[int]] = {}  # by value of the label: how many in each bucket, the last without end
        self._sums: dict[str, float] = {}

    def observe(self, value: str, seconds: float) -> None:
        """Count one of ``seconds``."""
        row = self._rows.get(value)
        if row is None:
            row = self._rows[value] = [0] * (len(self._bounds) + 1)
            self._sums[value] = 0.0
        row[bisect_left(self._bounds, seconds)] += 1
        self._sums[value] += seconds

    def lines(self) -> Iterable[str]:
        """Its part of the exposition; nothing while nothing was timed."""
        if not self._rows:
            return
        yield f"# HELP {self.name} {_escape(self.help)}\n# TYPE {self.name} histogram\n"
        for value, row in self._rows.items():
            total = 0
            for bound, count in zip((*self._bounds, float("inf")), row, strict=True):
                total += count
                labels = _labels({self._label: value, "le": "+Inf" if bound == float("inf") else repr(bound)})
                yield f"{self.name}_bucket{labels} {total}\n"
            labels = _labels({self._label: value})
            yield f"{self.name}_sum{labels} {self._sums[value]!r}\n{self.name}_count{labels} {total}\n"


def render(families: Iterable[Family], histograms: Iterable[Histogram] = ()) -> bytes:
    """The exposition of ``families``; the samples of families of one name are put together."""
    merged: dict[str, Family] = {}
    for family in families:
        first = merged.get(family.name)
        samples = [*first.samples, *family.samples] if first else family.samples
        merged[family.name] = Family(family.name, family.kind, family.help, samples)
    lines = [line for family in merged.values() for line in _lines(family)]
    lines += [line for histogram in histograms for line in histogram.lines()]
    return "".join(lines).encode()


def _lines(family: Family) -> Iterable[str]:
    yield f"# HELP {family.name} {_escape(family.help)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for labels, value in family.samples:
        yield f"{family.name}{_labels(labels)} {_number(value)}\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{key}="{_escape(text, quotes=True)}"' for key, text in sorted(labels.items()))
    return "{" + ",".join(pairs) + "}"


def _escape(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


class RequestCounter:
    """Counts answers by kind of resource and status class. Bounded: the caller names resources, never raw paths."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()

    def family(self) -> Family:
        """The counts so far."""
        samples: list[Sample] = [
            ({"resource": resource, "status": f"{status // 100}xx"}, count)
            for (resource, status), count in self._by_class().items()
        ]
        return Family("aware_gateway_requests_total", "counter", "HTTP requests answered by this node.", samples)

    def _by_class(self) -> Counter[tuple[str, int]]:
        classes: Counter[tuple[str, int]] = Counter()
        for (resource, status), count in self.counts.items():
            classes[resource, status // 100 * 100] += count
        return classes
