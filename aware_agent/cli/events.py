"""``aware events``: the history of the colony, and what happens now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.options import (
    WHOLE_NUMBER,
    ActorOption,
    CasteOption,
    ContextOption,
    JsonOption,
    SeverityOption,
    SubjectOption,
    TypeOption,
    gateway,
    integer,
)
from aware_agent.cli.output import STYLES, clean, console, print_json, print_line, warn

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

PAGE = 1000
Wanted = Mapping[str, Any]  # query parameters of a filter; None and empty ones are left out
FOLLOW_DEADLINE_S = 60.0
TYPE_WIDTH = 24  # no type of ours is longer: the messages stand in one column
_AGAIN_S = 0.1  # between the end of one stream and the next


def events(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    since: Annotated[
        int | None, typer.Option(parser=integer(0), metavar="REVISION", help="Only events after this one.")
    ] = None,
    event_type: TypeOption = None,
    severity: SeverityOption = None,
    subject: SubjectOption = None,
    caste: CasteOption = None,
    actor: ActorOption = None,
    last: Annotated[
        int,
        typer.Option("--last", "-n", parser=integer(0), metavar=WHOLE_NUMBER, help="Without --since: show this many."),
    ] = 20,
    count: Annotated[
        int | None, typer.Option(parser=integer(1), metavar=WHOLE_NUMBER, help="With --follow: stop after this many.")
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """List events; with --follow, stay and show new ones over any change of queen."""
    wanted = {"type": event_type, "severity": severity, "subject": subject, "caste": caste, "actor": actor}
    with gateway(context) as client:
        revision, found = history(client, since or 0, wanted)
        if since is None:
            found = found[len(found) - last :] if last else []
        if not follow:
            _show(found, as_json, revision)
            return
        client.deadline_s = FOLLOW_DEADLINE_S
        try:
            _stream(client=client, found=found, revision=revision, wanted=wanted, count=count, as_json=as_json)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def history(client: Gateway, since: int, wanted: Wanted) -> tuple[int, list[dict[str, Any]]]:
    """Events after ``since`` (0: all that are kept), and the revision up to which they are complete."""
    found: list[dict[str, Any]] = []
    while True:
        data = client.get("/v1/events", since=since, limit=PAGE, **wanted).data
        found += data["events"]
        reached = int(data["revision"])
        if not data["more"] or reached <= since:
            return max(reached, since), found
        since = reached


def follow_events(
    client: Gateway, since: int, wanted: Wanted, tell: Callable[[str], None] = warn
) -> Iterator[dict[str, Any]]:
    """Events after ``since`` as they happen; resumes by revision wherever the queen is. Never ends by itself.

    ``tell`` is told when the connection is lost.
    """
    import httpx

    after = since  # what to ask for; one less than ``since`` once an event was seen there
    seen: set[str] = set()  # ids of the events given at revision ``since``

    def reached(revision: int) -> None:
        """All that is wanted up to there was sent, and nothing was: it need not be read again."""
        nonlocal since, after, seen
        if revision >= since:
            since, after, seen = revision, revision, set()

    while True:
        try:
            params = {"since": after, **wanted}
            with client.stream("/v1/events/stream", params, {"Accept": "text/event-stream"}) as response:
                for event in server_sent(response.iter_lines(), reached):
                    revision, name = int(event["revision"]), str(event.get("id", ""))
                    if name in seen:
                        continue
                    seen = {name} if revision > since else seen | {name}
                    since = max(since, revision)
                    # One write may hold several events: after a break its revision is read again.
                    after = since - 1
                    yield event
        except httpx.TransportError:
            tell("connection lost, looking for the queen")
        time.sleep(_AGAIN_S)


def server_sent(lines: Iterable[str], reached: Callable[[int], None] = lambda _: None) -> Iterator[dict[str, Any]]:
    """Decode the data of a stream of server-sent events; an event that was cut off is not given.

    ``reached`` is told of ids that come without data: signs of life.
    """
    from aware_agent.colony.decoding import json_to_show

    data: list[str] = []
    revision = ""
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name == "id":
                revision = value
            continue
        if data:
            event = json_to_show("\n".join(data))
            if isinstance(event, dict) and "type" in event:
                event.setdefault("revision", int(revision or 0))
                yield event
        elif revision.isdecimal():
            reached(int(revision))
        data, revision = [], ""


def _stream(
    *,
    client: Gateway,
    found: list[dict[str, Any]],
    revision: int,
    wanted: Wanted,
    count: int | None,
    as_json: bool,
) -> None:
    shown = 0
    for source in (iter(found), follow_events(client, revision, wanted)):
        for event in source:
            if as_json:
                print_line(event)
            else:
                _print(event)
            shown += 1
            if count is not None and shown >= count:
                return


def _show(found: list[dict[str, Any]], as_json: bool, revision: int) -> None:
    if as_json:
        print_json({"revision": revision, "events": found})
        return
    for event in found:
        _print(event)


def _print(event: dict[str, Any]) -> None:
    from rich.text import Text

    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(event["time"])))
    severity = clean(event.get("severity", "info"))
    line = Text(f"{moment}  {event['revision']:>7}  ")
    line.append(f"{clean(event['type']):<{TYPE_WIDTH}}  ", style=STYLES.get(severity, ""))
    line.append(clean(event["message"]))
    out = console()
    out.print(line, soft_wrap=True)
    out.file.flush()
