"""``aware nodes``: list, show and change nodes."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, pairs, print_fields, print_json, say
from aware_agent.cli.status import print_nodes
from aware_agent.colony.errors import InvalidInput

app = typer.Typer(help="List, show and change nodes.", no_args_is_help=True)
config_app = typer.Typer(help="Configuration of one node: agent settings and free variables.", no_args_is_help=True)
app.add_typer(config_app, name="config")

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Name or id of the node.")]


def node_path(node: str, *rest: str) -> str:
    """``/v1/nodes/<node>[/rest]`` with ``node`` quoted."""
    return "/".join(("/v1/nodes", quote(node, safe=""), *rest))


@app.command("list")
def list_nodes(
    status: Annotated[str | None, typer.Option(help="Only nodes with this status.")] = None,
    caste: Annotated[str | None, typer.Option(help="Only nodes of this caste.")] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """List nodes."""
    with gateway(context) as client:
        data = client.get("/v1/nodes").data
    wanted = [
        node
        for node in data["nodes"]
        if (status is None or node["status"] == status) and (caste is None or node["caste"] == caste)
    ]
    if as_json:
        print_json({**data, "nodes": wanted})
    else:
        print_nodes(wanted)


@app.command("show")
def show_node(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of one node."""
    with gateway(context) as client:
        data = client.get(node_path(node)).data
    if as_json:
        print_json(data)
        return
    print_fields((name, _shown(name, value)) for name, value in data.items())


def _shown(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return pairs(value)
    if name in {"joined_at", "status_since"}:
        return f"{ago(value)} ago"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


@app.command("cordon")
def cordon(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Stop giving work to a node; what it does, it keeps doing."""
    _change(node, {"cordoned": True}, context, as_json, "cordoned")


@app.command("uncordon")
def uncordon(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Give work to a node again."""
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


@config_app.command("get")
def get_config(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show the configuration of a node."""
    with gateway(context) as client:
        data = client.get(node_path(node, "config")).data
    if as_json:
        print_json(data)
        return
    applied = "applied" if data["applied"] else "not applied yet"
    rows = [("version", f"{data['version']} ({applied})")]
    for part in ("agent", "vars"):
        rows += [(f"{part}.{key}", value) for key, value in sorted(data["config"].get(part, {}).items())]
    print_fields(rows)


@config_app.command("set")
def set_config(
    node: NodeArgument,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="agent.KEY=VALUE|vars.KEY=VALUE|vars.KEY-",
            help="VALUE is JSON; what is not JSON is a string. KEY- goes back to the default.",
        ),
    ],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change some keys of the configuration of a node; others stay as they are."""
    with gateway(context) as client:
        now = client.get(node_path(node, "config")).data
        wanted = changed_config(now["config"], values)
        data = client.request("PUT", node_path(node, "config"), body={"config": wanted}, if_match=now["revision"]).data
    if as_json:
        print_json(data)
    else:
        say(f"{node} has configuration {data['version']}" if data["changed"] else f"{node}: nothing changed")


def changed_config(config: dict[str, Any], values: list[str]) -> dict[str, Any]:
    """``config`` with ``values`` applied. Raises :class:`InvalidInput`."""
    import msgspec

    result: dict[str, Any] = {"agent": dict(config.get("agent", {})), "vars": dict(config.get("vars", {}))}
    for text in values:
        name, equals, raw = text.partition("=")
        part, dot, key = (name if equals else name.removesuffix("-")).partition(".")
        if part not in result or not dot or not key or not (equals or name.endswith("-")):
            raise InvalidInput(
                f"{text!r} is not understood", field="values", hint="agent.KEY=VALUE, vars.KEY=VALUE or KEY-"
            )
        if not equals:
            result[part].pop(key, None)
            continue
        try:
            result[part][key] = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            result[part][key] = raw
    return result
