"""Draws what other benchmarks wrote: ``python -m bench plot FILE... --out DIRECTORY``.

A file is the report of ``chaos`` or ``steady``, or what ``failover``, ``formation`` or ``elastic`` wrote with
``--json``; several files of one benchmark are drawn together.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.chaos_report import Report
from bench.harness import Record, Run
from bench.svg import Line, Row, lines, strips

_MINUTE = 60


class Unreadable(Exception):
    """A file is none of those."""


def add_arguments(parser: Any) -> None:
    """Options of this command."""
    parser.add_argument("files", type=Path, nargs="+", help="what benchmarks wrote")
    parser.add_argument("--out", type=Path, default=Path(), help="where the SVG files go (default: here)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Draw. Raises :class:`Unreadable` that names the file."""
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in drawn(options.files).items():
        (options.out / name).write_text(text, encoding="utf-8")
        run.say(f"{options.out / name}")


def drawn(files: Sequence[Path]) -> dict[str, str]:
    """File names and what is in them."""
    reports: dict[str, list[Report]] = {}
    records: list[Record] = []
    for file in files:
        found = _read(file)
        if isinstance(found, Report):
            reports.setdefault(found.bench, []).append(found)
        else:
            records += found
    drawings = {}
    for bench, some in reports.items():
        drawings[f"{bench}-availability.svg"] = _availability(bench, some)
        if any(report.marks for report in some):
            drawings[f"{bench}-gaps.svg"] = _gaps(some)
    if any(record.bench == "failover" for record in records):
        drawings["failover.svg"] = _failover(records)
    if any(record.bench == "formation" for record in records):
        drawings["formation.svg"] = _formation(records)
    for curve in dict.fromkeys(record.what.partition(": ")[2] for record in records if record.bench == "elastic"):
        drawings[f"elastic-{curve}.svg"] = _elastic(curve, records)
    return drawings


def _read(file: Path) -> Report | list[Record]:
    try:
        raw = file.read_bytes()
        if raw.lstrip().startswith(b'{\n "bench"'):
            return msgspec.json.decode(raw, type=Report)
        said = [line for line in raw.splitlines() if line.strip() and b'"skipped"' not in line]
        return [msgspec.json.decode(line, type=Record) for line in said]
    except (OSError, msgspec.DecodeError) as error:
        raise Unreadable(f"{file}: {error}; give a report of chaos or steady, or what --json wrote") from error


def _availability(bench: str, reports: Sequence[Report]) -> str:
    """Share of seconds of each minute in which a write was accepted; runs one after the other."""
    points: list[tuple[float, float]] = []
    faults = 0
    for report in reports:
        first = next((second for second, count in enumerate(report.writes) if count), 0)
        whole = report.writes[first:-1]
        for start in range(0, len(whole) - _MINUTE + 1, _MINUTE):
            minute = whole[start : start + _MINUTE]
            points.append((len(points), 100 * sum(count > 0 for count in minute) / _MINUTE))
        faults += len(report.marks)
    load = [value for report in reports for value in report.load] or [0.0]
    what = f"{faults} faults" if faults else f"{sum(len(r.false_failovers) for r in reports)} reigns ended"
    note = f"{what}; load average {min(load):.0f} to {max(load):.0f} on the same machine; {reports[0].settings}"
    title = f"bench {bench}: seconds of each minute in which a write was accepted"
    return lines(title, "minutes", "%", [Line("AWARE", "aware", points)], top=100, note=note[:150])


def _gaps(reports: Sequence[Report]) -> str:
    gaps: dict[str, list[float]] = {}
    for report in reports:
        for mark in report.marks:
            gaps.setdefault(mark.kind, []).append(mark.gap)
    rows = [Row(kind, "aware", values) for kind, values in sorted(gaps.items(), key=lambda item: max(item[1]))]
    load = [value for report in reports for value in report.load]
    note = f"{sum(map(len, gaps.values()))} faults, load average {min(load):.0f} to {max(load):.0f}"
    return strips("bench chaos: longest time without an accepted write, by fault (seconds)", "s", rows, note)


def _failover(records: Sequence[Record]) -> str:
    """Ours by the first accepted write, slowest last; peers as they come."""
    rows = []
    for record in records:
        ours = record.what.endswith("-> first accepted write")
        if record.unit != "s" or (record.kind == "aware") != ours:
            continue
        rows.append(Row(record.what.removesuffix(" -> first accepted write"), record.kind, record.values))
    order = {"aware": 0, "floor": 1, "peer": 2}
    rows.sort(key=lambda row: (order[row.kind], sorted(row.values)[len(row.values) // 2]))
    load = [record.load for record in records]
    note = f"every round a dot, the median a bar; load average {min(load):.0f} to {max(load):.0f}"
    return strips("bench failover: seconds until a write is accepted again", "s", rows, note)


def _formation(records: Sequence[Record]) -> str:
    shown: dict[str, list[tuple[float, float]]] = {}
    kinds = {"join by token": "aware", "restart of workers": "peer", "libraries alone": "floor"}
    last = 0.0
    for record in records:
        if record.bench != "formation" or record.unit != "CPU s of one agent":
            continue
        match = re.match(r"AWARE: (\d+) agents, (.*)", record.what)
        if match:
            last = float(match[1])
            shown.setdefault(match[2], []).append((last, record.stats.median))
    for record in records:  # a floor names how many ran at once; its row comes just before ours
        if record.what.startswith("libraries alone") and record.unit == "CPU s of one agent":
            follower = records[records.index(record) + 1 :]
            nodes = next((re.match(r"AWARE: (\d+)", r.what) for r in follower if r.what.startswith("AWARE")), None)
            if nodes:
                shown.setdefault("libraries alone", []).append((float(nodes[1]), record.stats.median))
    drawing = [Line(name, kinds.get(name, "peer"), sorted(points)) for name, points in shown.items()]
    return lines("bench formation: CPU seconds of one agent", "agents", "CPU s", drawing)


def _elastic(curve: str, records: Sequence[Record]) -> str:
    """Nodes over the minutes of one curve: what was needed, and what each policy had that looks at processors."""
    kinds = {"Kubernetes HPA, CPU": "peer", "Heat and Aodh, CPU": "bad", "AWARE, CPU": "aware"}
    shown, told = [], ""
    for record in records:
        name, _, of = record.what.partition(": ")
        if record.bench == "elastic" and of == curve and name in kinds:
            if not shown:
                shown.append(Line("needed", "floor", _minutes(record.extra["needed"])))
            shown.append(Line(name.removesuffix(", CPU"), kinds[name], _minutes(record.extra["nodes"])))
            told = record.settings
    return lines(
        f"bench elastic, {curve}: servers that are paid for", "minutes", "servers", shown, note=told, apart=200
    )


def _minutes(series: object) -> list[tuple[float, float]]:
    return [(float(minute), float(nodes)) for minute, nodes in enumerate(str(series).split())]
