"""Prometheus text format 0.0.4, just as much of it as AWARE needs; light enough for every worker."""

from __future__ import annotations

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


def render(families: Iterable[Family]) -> bytes:
    """The exposition of ``families``; the samples of families of one name are put together."""
    merged: dict[str, Family] = {}
    for family in families:
        first = merged.get(family.name)
        samples = [*first.samples, *family.samples] if first else family.samples
        merged[family.name] = Family(family.name, family.kind, family.help, samples)
    return "".join(line for family in merged.values() for line in _lines(family)).encode()


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
