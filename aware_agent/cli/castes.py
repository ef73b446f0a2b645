"""``aware castes``: who serves where, who could, why some are short, and how those do that scale."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aware_agent.cli.completing import complete_caste
from aware_agent.cli.human import text
from aware_agent.cli.options import NUMBER, ContextOption, JsonOption, gateway, number
from aware_agent.cli.output import print_fields, print_json, print_table, say
from aware_agent.cli.paths import at
from aware_agent.colony.scale import MAX_DEMAND

app = typer.Typer(help="Named shares of the work: who serves, who could, what is missing.", no_args_is_help=True)
CasteArgument = Annotated[
    str, typer.Argument(metavar="CASTE", help="Name of the caste.", autocompletion=complete_caste)
]


@app.command("list")
def list_castes(
    wide: Annotated[bool, typer.Option("--wide", "-w", help="Also how they scale, and why they did last.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the castes of the spec."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/castes").data
    if as_json:
        print_json(data)
        return
    header = ("CASTE", "WANTED", "MISSING", "NODES", "COULD SERVE", "WHY")
    print_table((*header, *(_WIDE if wide else ())), (_row(one, wide=wide) for one in data["castes"]))
    if data["missing_servers"]:
        say(f"{data['missing_servers']} of {data['wanted_size']} servers are missing")


@app.command("show")
def show_caste(name: CasteArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show one caste: what it requires, who serves, who could, why it is short, and how it scales."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "castes", name)).data
    if as_json:
        print_json(data)
        return
    told = {**data, "members": _names(data["members"]), "could": _names(data["could"])}
    scale = told.pop("scale")
    if scale is not None:
        told["scale"] = {key: value for key, value in scale.items() if key != "leaving"}
        told["leaving"] = _names(scale["leaving"])
    print_fields((key, value) for key, value in told.items() if key != "reason" or value)


@app.command("demand")
def post_demand(
    name: CasteArgument,
    value: Annotated[
        float,
        typer.Argument(
            parser=number(0.0, MAX_DEMAND), metavar=NUMBER, help="How much there is to do, such as a queue's length."
        ),
    ],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how much there is to do for a caste that is scaled by it. Say it again before it is too old: every 15 s, say.

    What one node carries is in the spec: castes.CASTE.scale.demand.per_node.
    """
    with gateway(context) as client:
        done = client.request("PUT", at("v1", "castes", name, "demand"), body={"value": value}).data
    if as_json:
        print_json(done)
    else:
        say(f"the demand of {name} is {value:.12g}")


_WIDE = ("MIN", "MAX", "DEMAND", "LEAVING", "LAST CHANGE", "BECAUSE")


def _row(one: dict[str, Any], *, wide: bool) -> tuple[Any, ...]:
    members, could = _names(one["members"]), _names(one["could"])
    row = (one["name"], one["wanted"], one["missing"], members, could, one["reason"] or "-")
    return (*row, *_scale(one["scale"])) if wide else row


def _scale(scale: dict[str, Any] | None) -> tuple[Any, ...]:
    if scale is None:
        return ("-",) * len(_WIDE)
    demand = scale["demand"]
    posted = "-" if demand is None or demand["value"] is None else text("value", demand["value"])
    if demand is not None and demand["value"] is not None and not demand["known"]:
        posted += ",old"
    changed = text("changed_at", scale["changed_at"])
    return scale["min"], scale["max"], posted, _names(scale["leaving"]), changed, scale["why"] or "-"


def _names(nodes: list[dict[str, Any]]) -> str:
    return " ".join(node["name"] for node in nodes) or "-"
