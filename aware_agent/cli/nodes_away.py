"""``aware nodes away`` and ``back``: a node that nobody shall miss, as its host is repaired or powered off."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from aware_agent.cli.human import moment
from aware_agent.cli.node_argument import NodeArgument, node_path
from aware_agent.cli.nodes_drain import NoWaitOption, WaitOption, wait_s, wait_until_free
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_json, say
from aware_agent.colony.errors import InvalidInput


def away(
    node: NodeArgument,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history and for who asks.")] = "",
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When it ends by itself: 2h, 3d or 2026-12-01T08:00Z.",
            show_default="when it is told to be back",
        ),
    ] = None,
    wait: WaitOption = None,
    no_wait: NoWaitOption = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a node is away: nobody misses it, and others get its reign, its seat in the council, its caste's work.

    One that still answers is waited for as with drain: do not power it off before. It stays away also when it answers
    again, until aware nodes back or the deadline. For an admin.
    """
    limit_s = wait_s(wait, no_wait)
    deadline = _deadline(until, time.time())
    with gateway(context) as client:
        done: dict[str, Any] = client.request(
            "PUT", node_path(node, "away"), body={"reason": reason, "until": deadline}
        ).data["node"]
        here = bool((done["away"] or {}).get("here"))
        name = done["name"]
        stays = f"{name} is away, and may not be free yet; aware nodes back {name} ends it"
        left = wait_until_free(client, done, limit_s if here else 0.0, None if as_json else say, stays)
    if as_json:
        print_json({"node": name, "away": done["away"], "left": left})
        return
    ends = f"until {moment(deadline)}" if deadline else f"until told: aware nodes back {name}"
    say(f"{name} is away, {ends}")
    if left:
        say(f"it still {' and '.join(left)}, until somebody can take that over")
    elif here:
        say("its host may be powered off")


def back(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Say that a node is not away any more: it gets work again, and is missed while it is silent. For an admin."""
    with gateway(context) as client:
        data: dict[str, Any] = client.request("DELETE", node_path(node, "away")).data
    if as_json:
        print_json(data)
        return
    name, status = data["node"]["name"], data["node"]["status"]
    if not data["changed"]:
        say(f"{name} was not away")
    else:
        say(f"{name} is back" if status == "ready" else f"{name} is expected back; it does not answer yet")


def _deadline(text: str | None, now: float) -> float | None:
    """Unix seconds of ``2h``, or of a time as ISO 8601 writes it, in UTC unless it says otherwise."""
    from aware_agent.cli.tokens import seconds

    if text is None:
        return None
    if re.fullmatch(r"[0-9]+[smhd]", text):
        return now + seconds(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no time", field="until", hint="how long (2h, 3d), or when (2026-12-01T08:00Z)"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
