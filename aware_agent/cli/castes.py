"""``aware castes``: who serves where, who could, and why some are short."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aware_agent.cli.completing import complete_caste
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_fields, print_json, print_table
from aware_agent.cli.paths import at

app = typer.Typer(help="Named shares of the work: who serves, who could, what is missing.", no_args_is_help=True)


@app.command("list")
def list_castes(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List the castes of the spec."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/castes").data
    if as_json:
        print_json(data)
        return
    rows = [
        (one["name"], one["wanted"], one["missing"], _names(one["members"]), _names(one["could"]), one["reason"] or "-")
        for one in data["castes"]
    ]
    print_table(("CASTE", "WANTED", "MISSING", "NODES", "COULD SERVE", "WHY"), rows)


@app.command("show")
def show_caste(
    name: Annotated[str, typer.Argument(metavar="CASTE", help="Name of the caste.", autocompletion=complete_caste)],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one caste: what it requires, who serves, who could, and why it is short."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "castes", name)).data
    if as_json:
        print_json(data)
        return
    told = {**data, "members": _names(data["members"]), "could": _names(data["could"])}
    print_fields((key, value) for key, value in told.items() if key != "reason" or value)


def _names(nodes: list[dict[str, Any]]) -> str:
    return " ".join(node["name"] for node in nodes) or "-"
