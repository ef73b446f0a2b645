"""``aware spec``: what the colony shall be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.options import WHOLE_NUMBER, ContextOption, JsonOption, gateway, integer
from aware_agent.cli.output import print_json, say
from aware_agent.cli.versions import print_changes, print_versions

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

app = typer.Typer(help="What the colony shall be.", no_args_is_help=True)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Spec as YAML or JSON; keys plugin and provider are left out.")
]


@app.command("show")
def show(
    at: Annotated[
        int | None, typer.Option("--at", parser=integer(1), metavar=WHOLE_NUMBER, help="As of this revision.")
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the spec in force, or as it was at a revision, as YAML that plan and apply accept."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/spec", at=at).data
    if as_json:
        print_json(data)
        return
    for line in _lines(data["spec"] or {}):
        say(line)


@app.command("plan")
def plan(file: FileArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show what applying a spec would do; change nothing."""
    from aware_agent.cli.specfile import read_spec

    body = _body(read_spec(file))
    with gateway(context) as client:
        data = client.request("PUT", "/v1/spec", params={"dry_run": "true"}, body=body).data
    if as_json:
        print_json(data)
    else:
        _tell(data, "would")


@app.command("apply")
def apply(file: FileArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Make a spec the one in force. Fails when somebody else changes it at the same moment."""
    from aware_agent.cli.specfile import read_spec

    body = _body(read_spec(file))
    with gateway(context) as client:
        planned = client.request("PUT", "/v1/spec", params={"dry_run": "true"}, body=body).data
        if not planned["changed"]:
            data = planned
        else:
            done = client.request("PUT", "/v1/spec", body=body, if_match=_revision(client)).data
            data = {"steps": planned.get("steps", []), **done}
    if as_json:
        print_json(data)
    else:
        _tell(data, "will")


@app.command("history")
def history(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List the versions of the spec that are kept, the newest first."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/spec/history").data
    if as_json:
        print_json(data)
    else:
        print_versions(data)


@app.command("diff")
def diff(
    before: Annotated[int, typer.Argument(parser=integer(1), metavar="FROM", help="Revision to compare from.")],
    after: Annotated[
        int | None, typer.Argument(parser=integer(1), metavar="[TO]", help="Revision to compare with. Default: now.")
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what changed in the spec between two revisions."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/spec/diff", **{"from": before, "to": after}).data
    if as_json:
        print_json(data)
    else:
        print_changes(data["changes"])


@app.command("rollback")
def rollback(
    revision: Annotated[int, typer.Argument(parser=integer(1), metavar="REVISION", help="See aware spec history.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the spec of an earlier revision the one in force again. Fails when somebody else changes it meanwhile."""
    body, dry = {"revision": revision}, {"dry_run": "true"}
    with gateway(context) as client:
        data = client.request("POST", "/v1/spec/rollback", params=dry, body=body).data
        if data["changed"] and not dry_run:
            at = data["revision"]  # of the spec that the plan was made for
            done = client.request("POST", "/v1/spec/rollback", body=body, if_match=at).data
            data = {**done, "steps": data["steps"]}
    if as_json:
        print_json(data)
        return
    print_changes(data["changes"])
    _tell(data, "would" if dry_run else "will")


def _body(spec: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(spec)


def _revision(client: Gateway) -> int:
    return int(client.get("/v1/spec").data["revision"])


def _tell(data: dict[str, Any], verb: str) -> None:
    if not data["changed"]:
        say("nothing to change")
        return
    say(f"the colony {verb}:")
    for step in data.get("steps") or ["take the new spec"]:
        say(f"  - {step}")


def _lines(value: dict[str, Any], indent: int = 0) -> list[str]:
    """``value`` as YAML; scalars are written as JSON, which YAML contains."""
    import msgspec

    lines: list[str] = []
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            lines += [f"{' ' * indent}{key}:", *_lines(inner, indent + 2)]
        else:
            lines.append(f"{' ' * indent}{key}: {msgspec.json.encode(inner).decode()}")
    return lines
