"""``aware inventory``: the colony as Ansible sees it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_json, say
from aware_agent.cli.suggest import did_you_mean
from aware_agent.colony.errors import NotFound


def inventory(
    as_list: Annotated[bool, typer.Option("--list", help="Print what an Ansible inventory script prints.")] = False,
    host: Annotated[str | None, typer.Option(metavar="NAME", help="Print the variables of one host.")] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the groups and hosts of the colony as a graph.

    With --list and --host NAME it speaks the protocol of Ansible inventory scripts.
    """
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/inventory").data
    if host is not None:
        if host not in data["hosts"]:
            near = did_you_mean(host, data["hosts"])
            raise NotFound(f"there is no host {host!r} in colony {data['colony']}{near}")
        print_json(data["hosts"][host])
    elif as_list:
        print_json(script_form(data))
    elif as_json:
        print_json(data)
    else:
        for line in graph(data):
            say(line)


def script_form(data: dict[str, Any]) -> dict[str, Any]:
    """The document an Ansible inventory script prints for ``--list``."""
    groups = {name: {"hosts": sorted(hosts)} for name, hosts in sorted(data["groups"].items())}
    grouped = {host for hosts in data["groups"].values() for host in hosts}
    ungrouped = sorted(set(data["hosts"]) - grouped)
    return {
        "_meta": {"hostvars": data["hosts"]},
        "all": {"children": [*groups, "ungrouped"]},
        "ungrouped": {"hosts": ungrouped},
        **groups,
    }


def graph(data: dict[str, Any]) -> list[str]:
    """The same as ``ansible-inventory --graph``, with the status of each host."""
    lines = ["@all:"]
    for name, hosts in sorted(data["groups"].items()):
        lines.append(f"  |--@{name}:")
        for host in sorted(hosts):
            status = data["hosts"].get(host, {}).get("aware_status", "?")
            lines.append(f"  |  |--{host}" + ("" if status == "ready" else f" ({status})"))
    return lines
