"""``aware nodes config``: the configuration of one node, and its versions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aware_agent.cli.node_argument import NodeArgument, node_path
from aware_agent.cli.options import WHOLE_NUMBER, ContextOption, JsonOption, gateway, integer
from aware_agent.cli.output import compact, print_fields, print_json, say
from aware_agent.cli.versions import print_changes, print_versions
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import InvalidInput

config_app = typer.Typer(help="Configuration of one node: agent settings and free variables.", no_args_is_help=True)


@config_app.command("get")
def get_config(
    node: NodeArgument,
    at: Annotated[
        int | None, typer.Option("--at", parser=integer(1), metavar=WHOLE_NUMBER, help="As of this revision.")
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the configuration of a node, now or as it was at a revision."""
    with gateway(context) as client:
        data = client.get(node_path(node, "config"), at=at).data
    if as_json:
        print_json(data)
        return
    applied = "applied" if data["applied"] else "not applied yet"
    rows = [("version", f"{data['version']} ({applied})")]
    for part in ("agent", "vars"):  # each value as "config set" takes it
        given = sorted(data["config"].get(part, {}).items())
        rows += [(f"{part}.{key}", value if isinstance(value, str) else compact(value)) for key, value in given]
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
        which = data["version"] or "as of revision " + str(data["revision"])
        say(f"{node} has configuration {which}" if data["changed"] else f"{node}: nothing changed")


@config_app.command("history")
def history(node: NodeArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List the versions of a node's configuration that are kept, the newest first."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(node_path(node, "config", "history")).data
    if as_json:
        print_json(data)
    else:
        print_versions(data)


@config_app.command("diff")
def diff(
    node: NodeArgument,
    before: Annotated[int, typer.Argument(parser=integer(1), metavar="FROM", help="Revision to compare from.")],
    after: Annotated[
        int | None, typer.Argument(parser=integer(1), metavar="[TO]", help="Revision to compare with. Default: now.")
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what changed in a node's configuration between two revisions."""
    with gateway(context) as client:
        found = client.get(node_path(node, "config", "diff"), **{"from": before, "to": after})
        data: dict[str, Any] = found.data
    if as_json:
        print_json(data)
    else:
        print_changes(data["changes"])


@config_app.command("rollback")
def rollback(
    node: NodeArgument,
    revision: Annotated[
        int, typer.Argument(parser=integer(1), metavar="REVISION", help="See aware nodes config history.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a node its configuration of an earlier revision again. Fails when somebody else changes it meanwhile."""
    body, path = {"revision": revision}, node_path(node, "config", "rollback")
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", path, params={"dry_run": "true"}, body=body).data
        if data["changed"] and not dry_run:
            data = client.request("POST", path, body=body, if_match=data["revision"]).data
    if as_json:
        print_json(data)
    else:
        print_changes(data["changes"])


def changed_config(config: dict[str, Any], values: list[str]) -> dict[str, Any]:
    """``config`` with ``values`` applied. Raises :class:`InvalidInput`."""

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
            result[part][key] = from_json(raw)
        except UNDECODABLE:
            result[part][key] = raw
    return result
