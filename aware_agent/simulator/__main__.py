"""``python -m aware_agent.simulator --nodes 7 --seeds 50 --minutes 10``: simulate, print a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aware_agent.program import run_program
from aware_agent.simulator.replay import verdict
from aware_agent.simulator.run import Report, Settings, simulate
from aware_agent.simulator.shrink import shrink

HEAD = "   seed nodes seconds terms campaigns  rush writes refused  vacancy  hand-over  verdict\n"


def line(report: Report) -> str:
    """One run as one line."""
    return (
        f"{report.seed:7} {report.nodes:5} {report.seconds:7.0f} {report.terms:5} {report.campaigns:9} "
        f"{report.largest_rush:5} {report.writes:6} {report.refused:7} {report.longest_vacancy:6.2f} s "
        f"{report.longest_clean_gap * 1000:7.1f} ms  {report.verdict}\n"
    )


def told(seed: int, settings: Settings, report: Report, wish: argparse.Namespace, program: str) -> str:
    """A broken run with as few faults as still break it, and how to replay it."""
    numbers, small = (wish.only or (), report) if wish.only is not None else shrink(seed, settings, report)
    which = ",".join(str(number) for number in numbers) or "none"
    again = f"--nodes {wish.nodes} --council {wish.council} --minutes {wish.minutes:g} --every {wish.every:g}"
    again += f" --first-seed {seed} --seeds 1"
    return "\n".join(
        [
            *small.trace[-wish.trace :],
            f"{small.verdict}",
            f"with {len(numbers)} of {len(report.faults)} faults:",
            *(f"  {report.faults[number]}" for number in numbers if number < len(report.faults)),
            f"replay: {program} {again} --only {which}",
            "",
        ]
    )


def numbers(word: str) -> tuple[int, ...]:
    """``0,3,17``, or ``none``."""
    return tuple(int(one) for one in word.split(",")) if word != "none" else ()


def main(argv: list[str]) -> int:
    """Exit code 1 if a run broke a promise; the last lines say how to replay it."""
    parser = argparse.ArgumentParser(prog="python -m aware_agent.simulator", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10, help="how many runs")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0, help="virtual time of each run, at least 1")
    parser.add_argument("--every", type=float, default=6.0, help="seconds between two faults, on average")
    parser.add_argument("--council", type=int, default=3, help="seats; 0: etcd is somebody else's and loses nobody")
    parser.add_argument("--only", type=numbers, help="which of the seed's faults happen, by number: 0,3,17 or none")
    parser.add_argument("--trace", type=int, default=40, help="lines of history shown of a broken run")
    parser.add_argument("--replay", metavar="FILE", help="replay a recorded state and show what is different now")
    wish = parser.parse_args(argv)
    if wish.replay:
        same, said = verdict(Path(wish.replay))
        sys.stdout.write(said)
        return 0 if same else 1
    settings = Settings(nodes=wish.nodes, council=wish.council, seconds=wish.minutes * 60, mean_gap_s=wish.every)
    sys.stdout.write(HEAD)
    for seed in range(wish.first_seed, wish.first_seed + wish.seeds):
        report = simulate(seed, settings, wish.only)
        sys.stdout.write(line(report))
        sys.stdout.flush()
        if report.verdict != "ok":
            sys.stdout.write(told(seed, settings, report, wish, parser.prog))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_program(lambda: main(sys.argv[1:]), name="simulator"))
