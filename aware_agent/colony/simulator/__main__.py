"""``python -m aware_agent.colony.simulator --nodes 100 --seeds 50 --minutes 10``: simulate, print a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aware_agent.colony.simulator.run import Report, Settings, simulate
from aware_agent.colony.simulator.transcript import difference

HEAD = "   seed nodes seconds terms campaigns  rush writes refused  vacancy  hand-over  verdict\n"


def line(report: Report) -> str:
    """One run as one line."""
    return (
        f"{report.seed:7} {report.nodes:5} {report.seconds:7.0f} {report.terms:5} {report.campaigns:9} "
        f"{report.largest_rush:5} {report.writes:6} {report.refused:7} {report.longest_vacancy:6.2f} s "
        f"{report.longest_clean_gap * 1000:7.1f} ms  {report.verdict}\n"
    )


def main(argv: list[str]) -> int:
    """Exit code 1 if a run broke a promise; the last lines say how to replay it."""
    parser = argparse.ArgumentParser(prog="python -m aware_agent.colony.simulator", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10, help="how many runs")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0, help="virtual time of each run, at least 1")
    parser.add_argument("--trace", type=int, default=40, help="lines of history shown of a broken run")
    parser.add_argument("--replay", metavar="FILE", help="replay a recorded state and show what is different now")
    wish = parser.parse_args(argv)
    if wish.replay:
        changed = difference(Path(wish.replay).read_text(encoding="utf-8"))
        sys.stdout.write(changed or "nothing is different\n")
        return 1 if changed else 0
    settings = Settings(nodes=wish.nodes, seconds=wish.minutes * 60)
    sys.stdout.write(HEAD)
    for seed in range(wish.first_seed, wish.first_seed + wish.seeds):
        report = simulate(seed, settings)
        sys.stdout.write(line(report))
        sys.stdout.flush()
        if report.verdict != "ok":
            again = f"--nodes {wish.nodes} --minutes {wish.minutes:g} --first-seed {seed} --seeds 1"
            sys.stdout.write("\n".join(report.trace[-wish.trace :]) + f"\nreplay: {parser.prog} {again}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
