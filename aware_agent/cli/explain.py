"""``aware explain``: what every member of the council is doing about the reign, and why. No queen is needed for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import typer

from aware_agent.agent.explanation import Explanation, Happening
from aware_agent.cli.completing import complete_node
from aware_agent.cli.errors import Refused, Unreachable
from aware_agent.cli.human import moment
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_json, print_table, say
from aware_agent.colony.decoding import UNDECODABLE, from_plain
from aware_agent.colony.errors import AwareError, InvalidInput, NotFound, one_line
from aware_agent.colony.transcript import in_name_of
from aware_agent.colony.urls import origin

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

MOST = 16  # members asked; the largest council has seven seats
MOST_BYTES = 1 << 20  # of one; two transcripts of transcript.MAX_BYTES, and what is in words
_LEFT = "left"


class Told(NamedTuple):
    """What one member told; ``trouble`` is why it told nothing. ``ready``: the reason of its ``/readyz``."""

    name: str
    node: str
    url: str
    ready: str
    trouble: str
    explanation: Explanation | None


def explain(
    *,
    node: Annotated[
        str,
        typer.Option("--node", metavar="NODE", help="Only this member, by name or id.", autocompletion=complete_node),
    ] = "",
    to_file: Annotated[
        Path | None,
        typer.Option("--to-file", metavar="FILE", help="Also write what can be replayed; FILE must not exist."),
    ] = None,
    founder: Annotated[
        Path | None,
        typer.Option(
            "--founder", metavar="DIR", help="The founding of a node on this host instead: DIR is its state directory."
        ),
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain the election: what each member is doing, whom it suspects, what it decided last and why.

    Each member is asked by itself, so that it works while nobody reigns. Members that do not answer are named. Before
    there is a colony, --founder tells on a founder's own host whom it sees and what it waits for.
    """
    if founder is not None:
        if node:
            raise InvalidInput("--founder and --node exclude each other", field="founder", hint="give one of them")
        from aware_agent.cli.explain_founding import explain_founder

        explain_founder(founder, to_file, as_json=as_json)
        return
    with gateway(context) as client:
        members, more = _members(client, node)
        told = [_ask(client, one) for one in members]
        colony = client.context.colony
    if not any(one.explanation for one in told):
        raise Unreachable(
            "no member told of its election: " + "; ".join(f"{one.name}: {one.trouble}" for one in told),
            hint="their journals tell it as well: journalctl -u aware-agent on each host",
        )
    if to_file is not None:
        _write(to_file, colony, told)
    if as_json:
        print_json({"members": [_document(one) for one in told], "not_asked": more})
        return
    _show(told, more)
    if to_file is not None:
        say("")
        say(f"written to {to_file}; to replay it: python -m aware_agent.simulator --replay {to_file}")


# Asking ----------------------------------------------------------------------------------------------------------


def _members(client: Gateway, wanted: str) -> tuple[list[dict[str, Any]], int]:
    """Nodes that may reign and did not leave, the first in line first, and how many more there are."""
    data = client.get("/v1/nodes").data
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(one, dict) and "id" in one for one in nodes):
        raise Refused("/v1/nodes did not answer with nodes", hint="is this an AWARE gateway?")
    if wanted:
        found = [one for one in nodes if wanted in (one["id"], one.get("name"))]
        if not found:
            raise NotFound(f"there is no node {wanted[:80]!r}", hint="aware nodes list shows them")
        return found[:MOST], 0
    eligible = [one for one in nodes if one.get("eligible") and one.get("status") != _LEFT]
    if not eligible:
        raise NotFound("no node of this colony may reign", hint="aware nodes list shows them")
    eligible.sort(key=_order)
    return eligible[:MOST], max(0, len(eligible) - MOST)


def _order(node: dict[str, Any]) -> tuple[bool, float, str]:
    """The queen, then the line of succession, then who is in none."""
    rank = node.get("rank")
    return node.get("role") != "queen", rank if isinstance(rank, int) else float("inf"), str(node.get("name"))


def _ask(client: Gateway, node: dict[str, Any]) -> Told:
    name, url = str(node.get("name") or node["id"]), origin(str(node.get("url") or ""))
    told = Told(name, str(node["id"]), url or "", "", "", None)
    if not url:
        return told._replace(trouble="it tells no address of its gateway")
    if not node.get("eligible"):
        return told._replace(trouble="it is a worker, which takes no part in elections")
    try:
        page = client.ask(url, "/readyz", anyhow=True)
        told = told._replace(ready=str(page.get("reason", "")) if isinstance(page, dict) else "")
        said = from_plain(client.ask(url, "/v1/election"), Explanation)
        wrong = _unfit(told, said)
        return told._replace(trouble=wrong) if wrong else told._replace(explanation=said)
    except AwareError as error:
        return told._replace(trouble=error.message)
    except (*UNDECODABLE, ValueError):
        return told._replace(trouble="its answer is not that of this version of AWARE")


def _unfit(told: Told, said: Explanation) -> str:
    """Why what it said is not used. Who answers at a member's address is that member, whatever it says of itself."""
    if len(msgspec.json.encode(said)) > MOST_BYTES:
        return "it tells more than any member has to tell"
    return "" if said.node == told.node else f"it speaks in the name of another node, {one_line(said.name)}"


# Telling ---------------------------------------------------------------------------------------------------------


def _write(path: Path, colony: str, told: list[Told]) -> None:
    from aware_agent.cli.files import write_new

    head = f"# Colony {colony or '?'} as aware explain told it at {moment(time.time())}."
    silent = [f"# {one.name} told nothing: {one.trouble}" for one in told if one.explanation is None]
    parts = [in_name_of(one.name, one.explanation.transcript) for one in told if one.explanation is not None]
    write_new(path, ("\n".join([head, *silent]) + "\n" + "".join(parts)).encode())


def _document(told: Told) -> dict[str, Any]:
    return {
        "name": told.name,
        "node": told.node,
        "url": told.url,
        "ready": told.ready,
        "trouble": told.trouble,
        "election": told.explanation,
    }


def _show(told: list[Told], more: int) -> None:
    print_table(
        ("MEMBER", "PHASE", "QUEEN", "TERM", "PLACE", "LEASE LEFT", "SUSPECTS", "READY"), [_row(one) for one in told]
    )
    for one in told:
        say("")
        if one.explanation is None:
            say(f"{one.name} tells nothing: {one.trouble}")
        else:
            _tell(one, one.explanation)
    if more:
        say("")
        say(f"{more} more nodes may reign and were not asked; ask one: aware explain --node NODE")


def _row(one: Told) -> tuple[str, ...]:
    found = one.explanation
    if found is None:
        return (one.name, "no answer", "-", "-", "-", "-", "-", one.ready or "-")
    place = "-" if found.place is None else str(found.place + 1)
    lease = "-" if found.lease_left_s is None else f"{found.lease_left_s:.2f} s"
    term, suspects = str(found.term or "-"), "yes" if found.suspects else "no"
    return (one.name, found.phase, found.queen or "none", term, place, lease, suspects, one.ready)


def _tell(one: Told, found: Explanation) -> None:
    say(one.name)
    for sentence in found.sentences:
        say(f"  {sentence}")
    rows = list(_decisions(found.decisions))
    if rows:
        print_table(("  AGO", "WHAT HAPPENED", "WHAT IT DECIDED"), rows)


def _decisions(decisions: list[Happening]) -> Iterator[tuple[str, str, str]]:
    for one in decisions:
        yield f"  {_age(one.age_s)}", one.happened, one.decided


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
