"""What ``bench chaos`` and ``bench steady`` tell: one JSON document, which ``bench plot`` draws, and a summary."""

from __future__ import annotations

import itertools
import os
import time
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from bench.harness import Run, percentile

STEP_S = 1.0


class Mark(msgspec.Struct, kw_only=True):
    """One fault. Seconds since the start; ``gap``: longest without an accepted write; ``whole_s`` after its end.

    ``struck``: whose host, where it was not all of them.
    """

    kind: str
    at: float
    until: float
    gap: float
    whole_s: float
    term: int
    new_term: int
    load: float
    queen: str
    struck: list[str]
    violation: bool = False
    lost_writes: int = 0


class Change(msgspec.Struct, kw_only=True):
    """A reign that ended while nothing was wrong. ``why``: what the history and the members' suspicions say."""

    at: float
    term: int
    new_term: int
    why: list[str]


class Kind(msgspec.Struct, kw_only=True):
    """All faults of one kind."""

    count: int
    gap_median: float
    gap_p95: float
    gap_max: float
    reigns_ended: int
    violations: int
    lost_writes: int


class Report(msgspec.Struct, kw_only=True):
    """``writes``: how many were accepted in each :data:`STEP_S`. ``trouble``: what ended the run before its time."""

    bench: str
    settings: str
    started: float  # Unix seconds
    seed: int = 0
    seconds: float = 0.0
    step_s: float = STEP_S
    faults: dict[str, Kind] = {}
    marks: list[Mark] = []
    false_failovers: list[Change] = []
    violations: list[str] = []
    lost_writes: list[str] = []
    operations: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    available: float = 0.0  # share of seconds in which a write was accepted
    available_when_calm: float = 0.0  # of those outside all faults
    load: list[float] = []  # of 1 minute, after each fault
    writes: list[int] = []
    trouble: str = ""
    suspicions: int = 0  # of the queen, by a member
    etcd_elections: int = 0

    def write(self, path: Path) -> None:
        """To a file, replacing it."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


class Tally:
    """Collects while a run goes on. Of what the clients did only counts and moments are kept."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.began = time.monotonic()
        self._accepted = array("d")

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def wrote(self, moments: Iterable[float]) -> None:
        """Writes were accepted then (monotonic)."""
        self._accepted.extend(sorted(moment - self.began for moment in moments))

    def longest_gap(self, began: float, ended: float) -> float:
        """Between two accepted writes, or the last one and the end."""
        near = [at for at in self._accepted[-100_000:] if at <= ended]
        before = max((at for at in near if at <= began), default=began)
        points = [before, *(at for at in near if began < at), ended]
        return max(later - earlier for earlier, later in itertools.pairwise(points))

    def finish(self) -> Report:
        """Complete the report; it can be asked for more than once."""
        report = self.report
        report.seconds = self.now()
        report.faults = {kind: _kind(marks) for kind, marks in sorted(_by_kind(report.marks).items())}
        report.writes = [0] * (int(report.seconds / STEP_S) + 1)
        for at in self._accepted:
            report.writes[int(max(at, 0.0) / STEP_S)] += 1
        whole = range(len(report.writes) - 1)  # the last second is not over
        calm = [
            second for second in whole if not any(m.at - STEP_S < second < m.until + m.whole_s for m in report.marks)
        ]
        report.available = _share([report.writes[second] for second in whole])
        report.available_when_calm = _share([report.writes[second] for second in calm])
        return report


def _share(writes: Sequence[int]) -> float:
    return sum(count > 0 for count in writes) / len(writes) if writes else 0.0


def _by_kind(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    kinds: dict[str, list[Mark]] = {}
    for mark in marks:
        kinds.setdefault(mark.kind, []).append(mark)
    return kinds


def _kind(marks: Sequence[Mark]) -> Kind:
    gaps = [mark.gap for mark in marks]
    return Kind(
        count=len(marks),
        gap_median=percentile(gaps, 50),
        gap_p95=percentile(gaps, 95),
        gap_max=max(gaps),
        reigns_ended=sum(mark.new_term != mark.term for mark in marks),
        violations=sum(mark.violation for mark in marks),
        lost_writes=sum(mark.lost_writes for mark in marks),
    )


def load() -> float:
    """Of the last minute."""
    return round(os.getloadavg()[0], 2)


def summarize_run(run: Run, report: Report) -> None:
    """For people, and one record for each kind of fault."""
    for name, marks in sorted(_by_kind(report.marks).items()):
        kind = report.faults[name]
        extra = {"reigns_ended": kind.reigns_ended, "violations": kind.violations, "lost_writes": kind.lost_writes}
        gaps = [mark.gap for mark in marks]
        run.record(f"{name}: longest time without a write", gaps, unit="s", kind="aware", **extra)
    run.say(
        f"{len(report.marks)} faults in {report.seconds / 60:.1f} min, {report.operations} operations, "
        f"{report.accepted} writes accepted, {report.refused} refused, {report.unknown} without an answer"
    )
    run.say(
        f"{len(report.violations)} violations, {len(report.lost_writes)} lost writes, "
        f"{len(report.false_failovers)} reigns ended while nothing was wrong; a write was accepted in "
        f"{100 * report.available:.1f} % of all seconds, and {100 * report.available_when_calm:.1f} % outside of faults"
    )
    for change in report.false_failovers:
        run.say(f"  {change.at:.0f} s, term {change.term} -> {change.new_term}: " + "; ".join(change.why))
