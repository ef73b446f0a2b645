"""``aware check``: whether a colony that runs keeps what it promises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from aware_agent.cli.options import WHOLE_NUMBER, ContextOption, JsonOption, integer
from aware_agent.cli.output import print_fields, print_json, print_table, say
from aware_agent.colony.numbers import decimal
from aware_agent.program import INTERRUPTED

if TYPE_CHECKING:
    from aware_agent.check.report import Latency, QueenChange, Report, Step

app = typer.Typer(help="Check that a colony that runs keeps what it promises.", no_args_is_help=True)

LONGEST_S = 600.0
MOST_CLIENTS = 16
MOST_OPERATIONS = 50_000
MOST_HAND_OVERS = 20
_SHOWN = 40  # operations of a violation
_VERDICTS = {"ok": "no violation found", "violation": "VIOLATION", "undecided": "UNDECIDED"}


def _duration(text: str | float) -> float:
    """``8s``, ``2m`` or ``8`` in seconds."""
    match = re.fullmatch(r"([0-9.]{1,12})(s|m|)", str(text))
    try:
        found = decimal(match[1] if match else "", 0.0, 1e6) * (60 if match and match[2] == "m" else 1)
    except ValueError:
        raise typer.BadParameter(f"{str(text)[:40]!r} is no duration: a number and s or m, as in 30s") from None
    if not 1 <= found <= LONGEST_S:
        raise typer.BadParameter(f"{str(text)[:40]!r} is out of range: 1s to {LONGEST_S / 60:.0f}m")
    return found


@app.command("election")
def election(
    *,
    duration: Annotated[
        float,
        typer.Option(parser=_duration, metavar="DURATION", show_default="30s", help="How long: 8s, 2m; at most 10m."),
    ] = 30.0,
    clients: Annotated[
        int, typer.Option(parser=integer(1, MOST_CLIENTS), metavar=WHOLE_NUMBER, help="How many at once; at most 16.")
    ] = 3,
    operations: Annotated[
        int,
        typer.Option(
            parser=integer(1, MOST_OPERATIONS), metavar=WHOLE_NUMBER, help="End after so many, if that is earlier."
        ),
    ] = 20_000,
    hand_over: Annotated[
        int,
        typer.Option(
            parser=integer(0, MOST_HAND_OVERS),
            metavar=WHOLE_NUMBER,
            help="Ask for so many planned hand-overs meanwhile; needs role admin.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(parser=integer(), metavar=WHOLE_NUMBER, help="Which operations are drawn.")] = 1,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write and read all the time, and judge whether no accepted write was lost and no read was stale.

    Needs role operator, and writes one register of its own, which is removed at the end; nothing of yours is touched.
    Let queens die meanwhile, or not. Exit codes: 24 a violation was found, 25 nothing could be judged, 130 interrupted;
    others say why it could not run.
    """
    from aware_agent.cli.context import load_context

    loaded = load_context(context)  # before the imports: a missing context is told at once
    from aware_agent.check.report import judge
    from aware_agent.cli.check_run import Wanted, run_check

    if not as_json:
        say(f"checking colony {loaded.colony or 'of this context'} for {duration:g} s; Ctrl-C ends it early")
    report = judge(run_check(loaded, Wanted(duration, clients, operations, hand_over, seed)))
    if as_json:
        print_json(report)
    else:
        _show(report)
    _end(report)


def _end(report: Report) -> None:
    """End with the exit code of the verdict. Raises Violated, NotJudged."""
    from aware_agent.cli.errors import NotJudged, Violated

    if report.verdict == "violation":
        raise Violated("the check found a violation", hint="please report it, with --json")
    if report.verdict == "undecided":
        raise NotJudged(f"the check could judge nothing: {report.reason}")
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)


# Telling ---------------------------------------------------------------------------------------------------------


def _show(report: Report) -> None:
    print_fields(
        (
            ("time", f"{report.duration_s:.1f} s, {_many(report.clients, 'client')}{_early(report)}"),
            ("operations", f"{report.operations}: {report.reads} reads, {report.writes} writes, {_silent(report)}"),
            ("writes", _writes(report)),
            ("reads took", _latency(report.read_latency)),
            ("writes took", _latency(report.write_latency)),
            ("longest gap", f"{report.longest_gap_s:.2f} s without an accepted write"),
            ("queens", _queens(report)),
            ("verdict", f"{_VERDICTS[report.verdict]}: {report.reason}"),
        )
    )
    if report.changes:
        say("")
        print_table(("AT", "GAP", "FROM", "TO", "WHY"), [_change(one) for one in report.changes])
    for line in report.hand_overs:
        say(f"hand-over at {line}")
    if report.violation:
        _tell(report.violation)


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _early(report: Report) -> str:
    return ", interrupted" if report.interrupted else ""


def _silent(report: Report) -> str:
    return f"{report.unanswered} not answered and not done"


def _writes(report: Report) -> str:
    said = f"{report.accepted} accepted, {report.refused} refused by their precondition, {report.unknown} unknown"
    return f"{said}; {report.conditional} had a precondition"


def _latency(found: Latency | None) -> str:
    if found is None:
        return "none was answered"
    return f"p50 {_ms(found.p50_s)}, p95 {_ms(found.p95_s)}, max {_ms(found.max_s)}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _queens(report: Report) -> str:
    return "the same all the time" if not report.changes else _many(len(report.changes), "change")


def _change(one: QueenChange) -> tuple[str, ...]:
    why = "asked for by this check" if one.asked else "not asked for"
    before, after = f"{one.from_queen or '?'}, term {one.from_term}", f"{one.to_queen or '?'}, term {one.to_term}"
    return (f"{one.at_s:.2f} s", f"{one.gap_s:.2f} s", before, after, why)


def _tell(steps: list[Step]) -> None:
    say("")
    say("These operations have no order that explains all their answers:")
    rows = [
        (
            str(one.client or "last"),
            f"{one.begin_s:.3f} s",
            "-" if one.end_s is None else f"{one.end_s:.3f} s",
            *_said(one),
        )
        for one in steps[:_SHOWN]
    ]
    print_table(("CLIENT", "ASKED", "ANSWERED", "OPERATION", "ANSWER"), rows)
    if len(steps) > _SHOWN:
        say(f"({len(steps) - _SHOWN} more; --json has them all)")


def _said(one: Step) -> tuple[str, str]:
    if one.kind == "read":
        return "read", f"it holds {one.value}"
    what = f"write {one.value}" if one.expected is None else f"write {one.value} if it holds {one.expected}"
    return what, {"ok": "accepted", "refused": "refused: it holds another"}.get(one.outcome, "none")
