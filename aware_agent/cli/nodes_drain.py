"""``aware nodes drain``: others take over what a node does, before somebody works on its host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.errors import Unreachable
from aware_agent.cli.node_argument import NodeArgument
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_json, say, warn
from aware_agent.cli.paths import at
from aware_agent.colony.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

LOOK_S = 0.5
USUAL_WAIT = "10m"
WaitOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="How long to wait until nothing is left.", show_default=USUAL_WAIT),
]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Give the order, and do not wait at all.")]


def drain(
    node: NodeArgument,
    wait: WaitOption = None,
    no_wait: NoWaitOption = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a node no new work, and what it does to others: its reign, its seat in the council, its place in a caste.

    What nobody else can take over it keeps until somebody can. aware nodes uncordon gives it work again. For an admin.
    """
    limit_s = wait_s(wait, no_wait)
    with gateway(context) as client:
        done = client.request("PATCH", at("v1", "nodes", node), body={"drained": True}).data
        name = done["node"]["name"]
        stays = f"{name} stays drained; aware nodes uncordon {name} gives it work again"
        left = wait_until_free(client, done["node"], limit_s, None if as_json else say, stays)
    if as_json:
        print_json({"node": name, "left": left})
    elif not left:
        say(f"{name} is drained: its host may be worked on")
    if left and not no_wait:
        raise Conflict(
            f"{name} is drained, and still {' and '.join(left)}",
            hint="aware events says why (node.drain_waits); aware nodes uncordon gives it work again",
        )
    if left and not as_json:
        say(f"{name} gets no new work, and still {' and '.join(left)}")


def wait_s(wait: str | None, no_wait: bool) -> float:
    """How many seconds to wait. Raises :class:`InvalidInput`."""
    from aware_agent.cli.tokens import seconds

    if no_wait and wait is not None:
        raise InvalidInput("--wait and --no-wait exclude each other", field="wait", hint="give one of them, or none")
    return 0.0 if no_wait else float(seconds(wait or USUAL_WAIT))


def wait_until_free(client: Gateway, node: dict[str, Any], limit_s: float, tell: Any, stays: str) -> list[str]:
    """What the node still does after at most ``limit_s`` seconds; ``tell`` hears of each change, and why it waits.

    Whoever interrupts it is told what ``stays``.
    """
    try:
        return _left(client, node, limit_s, tell)
    except KeyboardInterrupt:
        warn(stays)
        raise


def _left(client: Gateway, node: dict[str, Any], limit_s: float, tell: Any) -> list[str]:
    end, told, left = time.monotonic() + limit_s, "", ["was not asked"]
    why = ""
    while True:
        try:
            left = work_of(client.get(at("v1", "nodes", node["id"])).data, client.get("/v1/council/members").data)
            why = _reason(client, node) if left and tell else ""
        except Unreachable:  # for a moment, while she hands over; or for good
            if time.monotonic() >= end:
                raise
        if not left or time.monotonic() >= end:
            return left
        if tell and (said := f"it still {' and '.join(left)}" + (f": {why}" if why else "")) != told:
            told = said
            tell(said)
        time.sleep(LOOK_S)


def _reason(client: Gateway, node: dict[str, Any]) -> str:
    """What the history said last, since the node was drained, of why it keeps something."""
    told = client.get("/v1/events", type="node.drain_waits", since=node["revision"], limit=1000).data["events"]
    return next((str(event["message"]) for event in reversed(told) if event["subject"] == node["id"]), "")


def work_of(node: dict[str, Any], council: dict[str, Any]) -> list[str]:
    """What a node does that others could, as the ends of sentences."""
    from aware_agent.colony.view import SPARE

    work = ["reigns"] if node["role"] == "queen" else []
    if any(seat["node"] == node["id"] for seat in council["members"]):
        work.append("has a seat in the council")
    if node["caste"] != SPARE:
        work.append(f"serves in caste {node['caste']}")
    return work
