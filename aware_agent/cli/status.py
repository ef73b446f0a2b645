"""``aware status``: the colony at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aware_agent.cli.load import HEADER, load_cells, metrics_line
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, pairs, print_fields, print_json, print_table, say


def status(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show the colony: its health, queen, castes and nodes."""
    show_status(context, as_json=as_json)


def show_status(context: Path | None, *, as_json: bool = False) -> None:
    """Read the cluster and its nodes from the queen and print them."""
    with gateway(context) as client:
        cluster: dict[str, Any] = client.get("/v1/cluster").data
        nodes: dict[str, Any] = client.get("/v1/nodes").data
    if as_json:
        print_json({**cluster, "nodes": nodes["nodes"]})
        return
    print_fields(_summary(cluster))
    if cluster["castes"]:
        say("")
        print_table(
            ("CASTE", "WANTED", "MISSING", "NODES"),
            [(c["name"], c["wanted"], c["missing"], " ".join(c["assigned"]) or "-") for c in cluster["castes"]],
        )
    say("")
    print_nodes(nodes["nodes"])


def _summary(cluster: dict[str, Any]) -> list[tuple[str, str]]:
    size, queen, heir = cluster["size"], cluster["queen"], cluster["heir"]
    health = cluster["status"] + (f" ({cluster['reason']})" if cluster.get("reason") else "")
    counts = [
        f"{size[word]} {word}" for word in ("ready", "suspect", "dead", "left", "away", "cordoned") if size.get(word)
    ]
    reign = f"{queen['name']}  {queen['url']}  term {queen['term']}  for {ago(queen['since'])}" if queen else "none"
    return [
        ("colony", cluster["colony"]),
        ("status", health),
        ("size", f"{', '.join(counts) or 'no nodes'} of {size['wanted']} wanted"),
        ("queen", reign),
        ("heir", heir["name"] if heir else "none"),
        *([("in use", metrics_line(cluster["metrics"]))] if cluster.get("metrics") else []),
        ("revision", str(cluster["revision"])),
        *(
            ("left alone", f"{one['name']} for {ago(one['since'])}: {one['reason']}")
            for one in cluster.get("breakers", ())
        ),
    ]


def print_nodes(nodes: list[dict[str, Any]], *, wide: bool = False) -> None:
    """A table of nodes; ``wide``: and how busy they are."""
    rows = [
        (
            node["name"],
            node["role"],
            node["status"] + _apart(node),
            node["caste"],
            node["url"] or node["address"],
            "-" if node["rank"] is None else node["rank"],
            ago(node["status_since"]),
            *(load_cells(node) if wide else ()),
            pairs(node["labels"]),
        )
        for node in nodes
    ]
    busy = HEADER if wide else ()
    print_table(("NODE", "ROLE", "STATUS", "CASTE", "URL", "RANK", "SINCE", *busy, "LABELS"), rows)


def _apart(node: dict[str, Any]) -> str:
    """Why a node gets no new work, behind its status."""
    if node["drained"]:
        return ",drained"
    return ",cordoned" if node["cordoned"] else ",full" if node.get("over") else ""
