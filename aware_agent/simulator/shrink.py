"""Fewer faults that still break a promise: what a person reads first of a run that failed."""

from __future__ import annotations

from aware_agent.simulator.run import Report, Settings, simulate

MOST_RUNS = 60


def shrink(seed: int, settings: Settings, report: Report, most: int = MOST_RUNS) -> tuple[tuple[int, ...], Report]:
    """Numbers of faults without which the run would be well, as far as ``most`` runs tell, and the run with only them.

    Leaves out halves, then quarters, and so on; a part without which the run fails all the same is not needed. Another
    promise than before may be the one that is broken: it is a defect as well, and easier to read.
    """
    needed, size, runs = list(range(len(report.faults))), max(1, len(report.faults) // 2), 0
    while needed and runs < most:
        for start in range(0, len(needed), size):
            rest = needed[:start] + needed[start + size :]
            again = simulate(seed, settings, rest)
            runs += 1
            if again.verdict != "ok":
                needed, report = rest, again
                break
            if runs >= most:
                break
        else:
            if size == 1:
                break
            size = max(1, size // 2)
    return tuple(needed), report
