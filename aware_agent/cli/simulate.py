"""``aware simulate``: what a colony of this size would do under these faults, in virtual time. It asks no colony."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aware_agent.cli.options import NUMBER, WHOLE_NUMBER, JsonOption, integer, number
from aware_agent.cli.output import print_json, print_table, say
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.timing import Timing

if TYPE_CHECKING:
    from aware_agent.simulator.faults import Fault
    from aware_agent.simulator.run import Report, Settings

MOST_NODES = 200
MOST_MINUTES = 600.0
COUNCILS = (0, 1, 3, 5, 7)
BROKEN = 70  # as the error of a broken promise
_SHOWN = 60
_FAULT_HINT = "as in --fault '20 crash queen 5': second, kind, queen or any, and for how long; see docs/election.md"

FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="'AT KIND [queen|any] [SECONDS]'",
        help="One fault, instead of those a seed draws; repeat it.",
    ),
]


def simulate(
    *,
    nodes: Annotated[
        int, typer.Option(parser=integer(1, MOST_NODES), metavar=WHOLE_NUMBER, help="Nodes, all of them eligible.")
    ] = 5,
    council: Annotated[
        int,
        typer.Option(
            parser=integer(0, COUNCILS[-1]),
            metavar=WHOLE_NUMBER,
            help="Seats; 0: etcd is somebody else's and loses no member.",
        ),
    ] = 3,
    minutes: Annotated[
        float,
        typer.Option(
            parser=number(0.01, MOST_MINUTES), metavar=NUMBER, help="How long faults happen; a while of calm follows."
        ),
    ] = 1.0,
    every: Annotated[
        float,
        typer.Option(parser=number(0.1, 3600.0), metavar=NUMBER, help="Seconds between two faults, on average."),
    ] = 6.0,
    seed: Annotated[
        int, typer.Option(parser=integer(), metavar=WHOLE_NUMBER, help="The same seed is the same run.")
    ] = 1,
    fault: FaultOption = None,
    timeline: Annotated[
        int,
        typer.Option(
            parser=integer(), metavar=WHOLE_NUMBER, help="Lines of the timeline shown, the last ones; 0: all."
        ),
    ] = _SHOWN,
    as_json: JsonOption = False,
) -> None:
    """Play a colony in virtual time: the agents' own election, council and records, under faults. No colony is asked.

    Shows what happened, how long no write was accepted, and whether a promise was broken (exit code 70).
    """
    from aware_agent.simulator.run import simulate as play

    report = play(seed, _settings(nodes, council, minutes, every, fault or []))
    if as_json:
        print_json(_document(report))
    else:
        _show(report, timeline)
    if report.verdict != "ok":
        raise typer.Exit(BROKEN)


def _settings(nodes: int, council: int, minutes: float, every: float, faults: list[str]) -> Settings:
    """Raises InvalidInput for what cannot be simulated."""
    from aware_agent.simulator.run import Settings, settle_bound

    if council not in COUNCILS or council > nodes:
        raise InvalidInput(f"--council {council} does not fit {nodes} nodes", hint="1, 3, 5 or 7 seats, or 0")
    end = minutes * 60
    wanted = tuple(sorted((_fault(text, end) for text in faults), key=lambda one: one.at))
    seconds = end + 2 * settle_bound(Timing())
    return Settings(nodes=nodes, council=council, mean_gap_s=every, faults=wanted, seconds=seconds)


def _fault(text: str, end: float) -> Fault:
    from aware_agent.simulator.faults import WEIGHTS, Fault

    kinds = {kind.replace(" ", "-"): kind for kind in WEIGHTS}
    words = text.split()
    if not 2 <= len(words) <= 4:
        raise _no_fault(text, "two to four words are needed", _FAULT_HINT)
    at, kind, whom, duration = [*words, "any", "5"][:4] if len(words) == 2 else [*words, "5"][:4]
    if kind not in kinds:
        raise _no_fault(text, f"there is no kind {kind[:40]!r}", ", ".join(kinds))
    if whom not in ("queen", "any"):
        raise _no_fault(text, f"{whom[:40]!r} is not queen or any", _FAULT_HINT)
    return Fault(_seconds(text, at, 0.0, end), kinds[kind], whom == "queen", _seconds(text, duration, 0.001, end))


def _seconds(text: str, word: str, least: float, most: float) -> float:
    try:
        found = float(word)
    except ValueError:
        raise _no_fault(text, f"{word[:40]!r} is no number of seconds", _FAULT_HINT) from None
    if not least <= found <= most:
        hint = f"{least:g} to {most:g} s; --minutes says how long faults happen"
        raise _no_fault(text, f"{word[:40]} s is out of range", hint)
    return found


def _no_fault(text: str, why: str, hint: str) -> InvalidInput:
    return InvalidInput(f"--fault {text[:80]!r}: {why}", hint=hint)


def _availability(report: Report) -> float:
    """Share of the time since the first write in which writes were accepted."""
    since = report.seconds - (report.first_write or 0.0)
    return 1.0 - report.outage / since if report.first_write is not None and since > 0 else 0.0


def _document(report: Report) -> dict[str, object]:
    return {
        "seed": report.seed,
        "verdict": report.verdict,
        "seconds": round(report.seconds, 3),
        "terms": report.terms,
        "writes": report.writes,
        "writes_refused": report.refused,
        "availability": round(_availability(report), 6),
        "outage_s": round(report.outage, 3),
        "longest_outage_s": round(report.longest_outage, 3),
        "faults": [
            {"at_s": round(one.at, 3), "kind": one.kind, "queen": one.queen, "for_s": round(one.duration, 3)}
            for one in report.faults
        ],
        "timeline": list(report.trace),
    }


def _show(report: Report, timeline: int) -> None:
    lines = report.trace[-timeline:] if timeline > 0 else report.trace
    if len(lines) < len(report.trace):
        say(f"({len(report.trace) - len(lines)} lines before; --timeline 0 shows all)")
    for line in lines:
        say(line)
    rows = [
        ("faults", len(report.faults)),
        ("queens", report.terms),
        ("writes accepted", report.writes),
        ("writes of deposed queens refused", report.refused),
        ("time without accepted writes", f"{report.outage:.2f} s of {report.seconds:.0f} s"),
        ("longest of it", f"{report.longest_outage:.2f} s"),
        ("availability", f"{_availability(report) * 100:.3f} %"),
        ("promises", "all kept" if report.verdict == "ok" else f"BROKEN: {report.verdict}"),
    ]
    print_table(("WHAT", "VALUE"), rows)
