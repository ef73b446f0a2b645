"""``aware queen``: who reigns, and how to change that."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aware_agent.cli.completing import complete_node
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, print_fields, print_json, say

app = typer.Typer(help="Who reigns, and how to change that.", no_args_is_help=True)


@app.command("show")
def show(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show the queen and her heir."""
    with gateway(context) as client:
        data = client.get("/v1/queen").data
    if as_json:
        print_json(data)
        return
    heir = data.get("heir")
    print_fields(
        (
            ("queen", data["name"]),
            ("id", data["id"]),
            ("url", data["url"]),
            ("term", data["term"]),
            ("for", ago(data["since"])),
            ("heir", (heir["name"] if isinstance(heir, dict) else heir) or "none"),
        )
    )


@app.command("step-down")
def step_down(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Let the heir reign."""
    with gateway(context) as client:
        data = client.request("POST", "/v1/queen/step-down").data
    _told(data, as_json)


@app.command("transfer")
def transfer(
    node: Annotated[
        str,
        typer.Argument(metavar="NODE", help="Name or id of the node that shall reign.", autocompletion=complete_node),
    ],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand the reign to a named node."""
    with gateway(context) as client:
        data = client.request("POST", "/v1/queen/transfer", body={"node": node}).data
    _told(data, as_json)


def _told(data: Any, as_json: bool) -> None:
    if as_json:
        print_json(data)
        return
    old, heir = data["from"], data.get("to")
    if heir is None:
        say(f"{old['name']} steps down; nobody is ready to follow yet")
    elif heir["id"] == old["id"]:
        say(f"{old['name']} reigns already; nothing changed")
    else:
        say(f"{old['name']} hands the reign to {heir['name']}")
