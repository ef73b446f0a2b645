"""The table people read at the end of a run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.harness import Record, Run, number

_PAGE = 160  # columns in a file or pipe
_COLOURS = {"aware": "bold green", "peer": "cyan", "floor": "yellow"}


def show(run: Run, console: Console | None = None) -> None:
    """Print all records of ``run``, then what was skipped and why."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(width=_PAGE)
    table = Table(title=f"bench {run.bench}" + (" --quick" if run.quick else ""), title_justify="left")
    for name in ("what", "settings", "unit", "n", "median", "min - max", "p95", "beside", "load"):
        table.add_column(name, justify="right" if name in ("n", "median", "p95", "load") else "left", overflow="fold")
    for record in run.records:
        table.add_row(*_cells(record), style=_COLOURS[record.kind])
    if run.records:
        console.print(table)
    for skip in run.skips:
        console.print(f"skipped: {skip.what}: {skip.skipped}", highlight=False, markup=False)


def _cells(record: Record) -> list[str]:
    stats = record.stats
    extra = ", ".join(f"{k} {number(v) if isinstance(v, float) else v}" for k, v in record.extra.items())
    settings = f"{record.settings} ({extra})" if record.settings and extra else record.settings or extra
    beside = record.kind if record.kind != "aware" else "\n".join(_ratios(record)) or "-"
    return [
        record.what,
        settings,
        record.unit,
        str(stats.n),
        number(stats.median),
        f"{number(stats.min)} - {number(stats.max)}" if stats.n > 1 else "",
        number(stats.p95) if stats.n > 1 else "",
        beside,
        f"{record.load:.2f}",
    ]


def _ratios(record: Record) -> list[str]:
    """Names before a colon are enough: ``bare ASGI: /v1/nodes ...`` is the row above."""
    return [f"{number(ratio)} x {name.partition(': ')[0]}" for name, ratio in record.ratios.items()]
