"""``aware secret``: what people give the colony for its jobs. Values go in and never come out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, print_json, print_table, say
from aware_agent.cli.paths import at
from aware_agent.colony.errors import InvalidInput

app = typer.Typer(help="Secrets for jobs: texts, and credentials of clouds.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Its name, as the files of operations use it.")]


@app.command("list")
def list_secrets(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List secrets, without their values."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "secrets")).data
    if as_json:
        print_json(data)
        return
    rows = [
        (one["name"], one["kind"], one["about"] or "-", one["changed_by"], f"{ago(one['changed_at'])} ago")
        for one in data["secrets"]
    ]
    print_table(("NAME", "KIND", "ABOUT", "CHANGED BY", "CHANGED"), rows)


@app.command("set")
def set_secret(
    name: NameArgument,
    *,
    text_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text: the content of this file, or pipe.")
    ] = None,
    clouds_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Credentials of OpenStack: a clouds.yaml.")
    ] = None,
    cloud: Annotated[
        str | None, typer.Option(metavar="CLOUD", help="Which cloud of it; default: the only one.")
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="The cloud may be spoken to without TLS; others can read along.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the colony a secret, or another value of it. It is shown to nobody again."""
    if (text_file is None) == (clouds_file is None):
        raise InvalidInput("a secret is one of two things", hint="--text-file FILE or --clouds-file FILE")
    if clouds_file is None and (cloud is not None or plain_http):
        raise InvalidInput("--cloud and --plain-http go with --clouds-file")
    body = _cloud(clouds_file, cloud, plain_http) if clouds_file else _text(text_file)
    data = _write("PUT", name, body, dry_run=dry_run, context=context)
    _tell(data, f"secret {name} {'is set' if data['changed'] else 'is as it was'}", as_json=as_json)


@app.command("remove")
def remove(
    name: NameArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a secret. Operations that use it are refused from now on."""
    data = _write("DELETE", name, None, dry_run=dry_run, context=context)
    _tell(data, f"secret {name} removed", as_json=as_json)


def _write(
    method: str, name: str, body: dict[str, Any] | None, *, dry_run: bool, context: Path | None
) -> dict[str, Any]:
    params = {"dry_run": "true" if dry_run else None}
    with gateway(context) as client:
        data: dict[str, Any] = client.request(method, at("v1", "secrets", name), params=params, body=body).data
    return data


def _tell(data: dict[str, Any], done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(data)
        return
    for line in (data["would"] or ["nothing would change"]) if data.get("dry_run") else [done]:
        say(line)


def _text(path: Path | None) -> dict[str, Any]:
    from aware_agent.cli.files import read_secret_text

    assert path is not None
    return {"kind": "text", "text": read_secret_text(path, "secret file")}


def _cloud(path: Path, wanted: str | None, plain_http: bool) -> dict[str, Any]:
    """One entry of a ``clouds.yaml``; the CA it names is read here, for the colony's hosts do not have that file."""
    from aware_agent.cli.files import read_text
    from aware_agent.cli.specfile import read_document

    clouds = read_document(path, "clouds file").get("clouds")
    if not isinstance(clouds, dict) or not clouds:
        raise InvalidInput(f"{path} has no clouds", hint="a mapping clouds: with an entry for each")
    name = wanted or (next(iter(clouds)) if len(clouds) == 1 else "")
    entry = clouds.get(name)
    if not isinstance(entry, dict):
        problem = f"{path} has no cloud {name!r}" if name else f"{path} has {len(clouds)} clouds"
        raise InvalidInput(problem, field="cloud", hint=f"--cloud, one of {', '.join(map(str, clouds))[:200]}")
    entry = dict(entry)
    if entry.get("verify") is True:
        del entry["verify"]
    body: dict[str, Any] = {"kind": "openstack", "cloud": entry}
    if plain_http:
        body["plain_http"] = True
    if (ca := entry.pop("cacert", None)) is not None:
        body["ca"] = read_text(path.parent / str(ca), "CA of the cloud") + "\n"
    return body
