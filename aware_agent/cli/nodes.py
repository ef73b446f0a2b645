"""``aware nodes``: list, show and change nodes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from aware_agent.cli.human import moment
from aware_agent.cli.load import load_line
from aware_agent.cli.node_argument import NodeArgument, node_path
from aware_agent.cli.nodes_away import away, back
from aware_agent.cli.nodes_config import config_app
from aware_agent.cli.nodes_drain import drain
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, print_fields, print_json, print_table, say
from aware_agent.cli.paths import at
from aware_agent.cli.status import print_nodes
from aware_agent.colony.errors import InvalidInput, NotFound

app = typer.Typer(help="List, show and change nodes.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.command("drain")(drain)
app.command("away")(away)
app.command("back")(back)


class LogLevelChoice(StrEnum):
    """How much a node says."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@app.command("list")
def list_nodes(
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only nodes with this status; repeat it for more.")] = None,
    caste: Annotated[str | None, typer.Option(help="Only nodes of this caste; spare: of none.")] = None,
    zone: Annotated[str | None, typer.Option(help="Only nodes of this zone.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only nodes with this label; repeat it for more.")
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", "-w", help="Show how busy they are too.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """List nodes."""
    with gateway(context) as client:
        data = client.get("/v1/nodes", status=status, caste=caste, zone=zone, label=label).data
    if as_json:
        print_json(data)
    else:
        print_nodes(data["nodes"], wide=wide)


@app.command("show")
def show_node(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of one node."""
    with gateway(context) as client:
        data = client.get(node_path(node)).data
        data["channel"] = client.get(node_path(node, "channel")).data
    if as_json:
        print_json(data)
        return
    print_fields((name, _shown(name, value)) for name, value in data.items())


def _shown(name: str, value: Any) -> Any:
    if name == "channel" and isinstance(value, dict) and "state" in value:
        heard = value.get("heard_s")
        return str(value["state"]) + (f", heard {heard:.1f} s ago" if heard is not None else "")
    if name == "load":
        return load_line(value)
    if name in {"joined_at", "status_since", "last_heartbeat"}:
        return f"{moment(value)}, {ago(value)} ago" if isinstance(value, (int, float)) and value > 0 else "-"
    return value


@app.command("cordon")
def cordon(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Stop giving work to a node; what it does, it keeps doing."""
    _change(node, {"cordoned": True}, context, as_json, "cordoned")


@app.command("uncordon")
def uncordon(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Give work to a node again, one that was cordoned or drained."""
    _change(node, {"cordoned": False}, context, as_json, "uncordoned")


@app.command("label")
def label(
    node: NodeArgument,
    labels: Annotated[list[str], typer.Argument(metavar="KEY=VALUE|KEY-", help="Set KEY, or remove it with KEY-.")],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set and remove labels; others stay as they are."""
    _change(node, {"labels": parse_labels(labels)}, context, as_json, "labelled")


@app.command("pin")
def pin(
    node: NodeArgument,
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="ADDRESS", help="All, in place of those before; none: none."),
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a node addresses for its certificate, beside the one it is seen at. For an admin."""
    _change(node, {"pinned": addresses or []}, context, as_json, "pinned")


@app.command("restart")
def restart(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Have a node restart its agent (admin)."""
    _order(node, {"type": "restart"}, context, as_json, f"{node} restarts its agent")


@app.command("log-level")
def log_level(
    node: NodeArgument,
    level: Annotated[LogLevelChoice, typer.Argument(help="Until the agent restarts or its configuration changes.")],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a node log more or less for now."""
    _order(node, {"type": "log-level", "level": level.value}, context, as_json, f"{node} logs at level {level.value}")


@app.command("diagnostics")
def diagnostics(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show what a node tells of its own state; no secrets are in it (admin)."""
    answer = _command(node, {"type": "diagnostics"}, context)
    if as_json:
        print_json(answer)
        return
    facts = answer["answer"]
    recent = facts.pop("recent_log", [])
    print_fields((name, _shown(name, value)) for name, value in facts.items())
    say("")
    for line in recent:
        say(line)


@app.command("check-upgrade")
def check_upgrade(
    node: NodeArgument,
    version: Annotated[str, typer.Argument(help="The version it would change to.")],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a node whether it could change to another version."""
    answer = _command(node, {"type": "check-upgrade", "version": version}, context)
    if as_json:
        print_json(answer)
        return
    facts = answer["answer"]
    say(f"{node} runs {facts['version']} on Python {facts['python']}")
    for problem in facts["problems"]:
        say(f"problem: {problem}")
    if facts.get("change") is False:
        say(f"nothing to change: it runs {version} already")
    else:
        say(f"it can change to {version}" if facts["possible"] else f"it cannot change to {version} like that")


def _order(node: str, order: dict[str, Any], context: Any, as_json: bool, done: str) -> None:
    answer = _command(node, order, context)
    if as_json:
        print_json(answer)
    else:
        say(done)


def _command(node: str, order: dict[str, Any], context: Any) -> dict[str, Any]:
    """The node's own answer to ``order``, with what the gateway says of it."""
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", node_path(node, "commands"), body={"command": order}).data
    return data


@app.command("remove")
def remove(
    node: NodeArgument,
    force: Annotated[bool, typer.Option("--force", help="Even when the node is alive.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a node."""
    with gateway(context) as client:
        answer = client.request("DELETE", node_path(node), params={"force": "true" if force else None})
    if as_json:
        print_json(answer.data if answer.data is not None else {"changed": True})
    else:
        say(f"{node} removed")


@app.command("denied")
def denied(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List keys of removed nodes, with which nobody joins."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/denied-keys").data
    if as_json:
        print_json(data)
        return
    rows = [(key["name"], key["node_id"], f"{ago(key['removed_at'])} ago", key["removed_by"]) for key in data["keys"]]
    print_table(("NAME", "ID", "REMOVED", "BY"), rows)


@app.command("allow")
def allow(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Let the key of a removed node in again, with a join token as everybody."""
    with gateway(context) as client:
        keys = client.get("/v1/denied-keys").data["keys"]
        found = [key for key in keys if node in (key["name"], key["node_id"])]
        if not found:
            raise NotFound(f"no key of {node!r} is denied", hint="list them: aware nodes denied")
        for key in found:
            client.request("DELETE", at("v1", "denied-keys", key["key"]))
    if as_json:
        print_json({"changed": True, "allowed": [key["key"] for key in found]})
    else:
        say(f"{node} may join again")


def parse_labels(texts: list[str]) -> dict[str, str | None]:
    """``["a=1", "b-"]`` is ``{"a": "1", "b": None}``. Raises :class:`InvalidInput`."""
    labels: dict[str, str | None] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if equals and key:
            labels[key] = value
        elif not equals and len(text) > 1 and text.endswith("-"):
            labels[text[:-1]] = None
        else:
            raise InvalidInput(f"label {text!r} is not understood", field="labels", hint="KEY=VALUE sets, KEY- removes")
    return labels


def _change(node: str, change: dict[str, Any], context: Any, as_json: bool, done: str) -> None:
    with gateway(context) as client:
        data = client.request("PATCH", node_path(node), body=change).data
    if as_json:
        print_json(data)
    else:
        say(f"{node} {done}" if data["changed"] else f"{node} was so already; nothing changed")
