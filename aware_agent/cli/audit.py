"""``aware audit``: who did what, and whether the log of it is whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.audit_check import judge
from aware_agent.cli.errors import FileTrouble
from aware_agent.cli.options import WHOLE_NUMBER, ContextOption, JsonOption, gateway, integer
from aware_agent.cli.output import clean, print_json, print_table, say
from aware_agent.colony.audit import head_text
from aware_agent.colony.errors import InvalidInput

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

app = typer.Typer(help="The audit log: who did what; take it away, prove it whole.", no_args_is_help=True)
PAGE = 1000
Who = Annotated[str | None, typer.Option(metavar="NAME", help="Only what this user or node did.")]
What = Annotated[
    str | None, typer.Option(metavar="PREFIX", help="Only what starts so: put-spec, node, PUT /v1/spec, refused.")
]
Outcome = Annotated[str | None, typer.Option("--result", metavar="RESULT", help="Only what was done, or refused.")]
Since = Annotated[str | None, typer.Option("--since", metavar="AGO", help="Only what is newer: 30m, 6h, 2d.")]
Until = Annotated[str | None, typer.Option("--until", metavar="AGO", help="Only what is older: 30m, 6h, 2d.")]


@app.command("list")
def list_lines(
    *,
    who: Who = None,
    what: What = None,
    result: Outcome = None,
    since: Since = None,
    until: Until = None,
    last: Annotated[
        int, typer.Option("--last", "-n", parser=integer(1, PAGE), metavar=WHOLE_NUMBER, help="Show this many at most.")
    ] = 50,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest lines, the oldest of them first."""
    narrow: dict[str, Any] = {
        "who": who,
        "what": what,
        "result": result,
        "since": _moment(since),
        "until": _moment(until),
    }
    with gateway(context) as client:
        if any(narrow.values()):
            found = list(lines(client, **narrow))[-last:]
        else:
            found = client.get("/v1/audit", last=last, limit=PAGE).data["lines"]
    if as_json:
        print_json({"lines": found})
        return
    print_table(("LINE", "TIME", "WHO", "FROM", "WHAT", "ABOUT", "RESULT", ""), map(_row, found))


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; - for standard output.")],
    after: Annotated[
        int,
        typer.Option(parser=integer(0), metavar="LINE", help="Only lines after this one."),
    ] = 0,
    context: ContextOption = None,
) -> None:
    """Write the lines with their chain, one JSON object a line: aware audit verify FILE needs no colony."""
    import msgspec

    with gateway(context) as client:
        text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines(client, after=after))
    if str(file) == "-":
        typer.echo(text.decode(), nl=False)
        return
    from aware_agent.security.files import write_atomic

    try:
        write_atomic(file, text)
    except OSError as error:
        raise FileTrouble(f"cannot write {file}: {error.strerror}", field="file") from error
    say(f"{text.count(bytes([10]))} lines written to {file}")


@app.command("verify")
def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Exports and archives, the oldest first; without: the colony's log."),
    ] = None,
    *,
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="LINE:HASH", help="A head that was noted earlier and has to be there; may be repeated."),
    ] = None,
    backup: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A backup whose head has to be there; may be repeated.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Public key of the log, as noted earlier, for files; may be repeated."),
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the chain: no line changed, left out or moved; with --head or --backup also none cut off at the end.

    Exit code 28 when something is wrong.
    """
    keys, found = list(key or []), None
    if not files:
        with gateway(context) as client:
            found = list(lines(client))
            keys = keys or client.get("/v1/audit", limit=1).data["keys"]
    judgement = judge(files or [], found, heads=head or [], backups=backup or [], keys=keys)
    verdict = judgement.verdict
    if as_json:
        import msgspec

        print_json({**msgspec.to_builtins(verdict), "whole": verdict.whole, "keys": keys})
    else:
        for sentence in judgement.sentences():
            say(sentence)
        if verdict.lines:
            say(f"note this for the next time: --head {head_text(verdict.head)}")
            for known in keys:
                say(f"and the key, for checks without the colony: --key {known}")
    judgement.require_whole()


def lines(client: Gateway, *, after: int = 0, **narrow: Any) -> Iterator[dict[str, Any]]:
    """All lines after ``after`` that the colony gives."""
    place: dict[str, Any] = {"after": after}
    while True:
        data = client.get("/v1/audit", limit=PAGE, **place, **narrow).data
        yield from data["lines"]
        if data["next"] is None or data["next"] == place.get("cursor"):
            return
        place = {"cursor": data["next"]}


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line["time"] / 1000))
    many = f" x{line['count']}" if line["count"] > 1 else ""
    outcome = "done" if line["result"] == "done" else f"refused {line['status']} {line['code']}{many}"
    who = line["actor"] or line["kind"]
    what = line["route"] if line["result"] == "refused" else line["action"]
    return str(line["seq"]), moment, who, line["source"] or "-", what, line["subject"] or "-", outcome, line["change"]


def _moment(ago: str | None) -> int | None:
    if ago is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = ago[:-1], ago[-1:]
    if unit not in units or not (number.isascii() and number.isdecimal()) or len(number) > 6:
        raise InvalidInput(f"{clean(ago)[:20]!r} is no time span", hint="a number and s, m, h or d: 6h")
    return max(0, int(time.time()) - int(number) * units[unit])
