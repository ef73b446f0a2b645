"""One long run on a colony of hosts: its report is written and its files kept, however it ends."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.chaos_report import Report, Tally, summarize_run
from bench.harness import Run, Unavailable
from bench.lab import LabError
from bench.net_lab import NetLab


async def played(
    run: Run, report: Report, lab: NetLab, options: argparse.Namespace, play: Callable[[Tally], Awaitable[None]]
) -> bool:
    """``play`` in the lab; completes and tells the report. False: this machine cannot carry it, which is a skip.

    ``options``: ``report`` and ``keep``, paths or None.
    """
    tally = Tally(report)
    try:
        async with lab:
            try:
                await play(tally)
            except Exception as error:
                report.trouble = f"{type(error).__name__}: {error}"
                raise
            finally:
                tally.finish()
                if options.report:
                    report.write(options.report)
                if options.keep:
                    _keep_files(lab, options.keep)
    except Unavailable as why:
        run.skip(report.bench, str(why))
        return False
    summarize_run(run, report)
    return True


def raise_for_violations(report: Report) -> None:
    """:raises LabError: a violation, or a write that was lost."""
    if report.violations or report.lost_writes:
        raise LabError("; ".join([*report.violations, *report.lost_writes]))


def _keep_files(lab: NetLab, where: Path) -> None:
    """Settings, state and journals of all agents."""
    left_out = shutil.ignore_patterns("data*", "*.sock")
    shutil.copytree(lab.directory, where, dirs_exist_ok=True, ignore=left_out)
