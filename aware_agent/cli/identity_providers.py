"""``aware identity-providers``: who else may say who somebody is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_fields, print_json, print_table, say
from aware_agent.cli.paths import at

app = typer.Typer(help="Identity providers: OpenID Connect and Keystone.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the provider; its users are NAME:...")]


@app.command("list")
def list_providers(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List identity providers."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "identity-providers")).data
    if as_json:
        print_json(data)
        return
    rows = [
        (each["name"], each["kind"], each["issuer"] or each["url"], str(len(each["rules"])), each["changed_by"])
        for each in data["providers"]
    ]
    print_table(("NAME", "KIND", "ADDRESS", "RULES", "CHANGED BY"), rows)


@app.command("show")
def show(name: NameArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show one, without its secret."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "identity-providers", name)).data
    if as_json:
        print_json(data)
        return
    rules = data.pop("rules")
    shown = {key.replace("_", " "): value for key, value in data.items() if value not in ("", [], None)}
    print_fields(tuple((key, ", ".join(value) if isinstance(value, list) else value) for key, value in shown.items()))
    print_table(("ROLE", "CLAIM", "VALUES"), [(r["role"], r["claim"], ", ".join(r["values"])) for r in rules])


@app.command("set")
def set_provider(
    name: NameArgument,
    *,
    file: Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="YAML: kind, issuer, rules ...")],
    client_secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read the client secret here; without, the one that is kept stays."),
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a provider, or change one; a change logs its users out."""
    from aware_agent.cli.files import read_secret_text
    from aware_agent.cli.specfile import read_document
    from aware_agent.colony.errors import InvalidInput

    body = read_document(file, "identity provider")
    if "client_secret" in body:
        raise InvalidInput(f"{file} has a client_secret", hint="keep it in a file of its own: --client-secret-file")
    if client_secret_file:
        body["client_secret"] = read_secret_text(client_secret_file, "client secret file")
    with gateway(context) as client:
        answer = client.request("PUT", at("v1", "identity-providers", name), body=body)
    if as_json:
        print_json(answer.data)
    else:
        say(f"identity provider {name} " + ("is set" if answer.data["changed"] else "is as it was"))


@app.command("delete")
def delete(name: NameArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Remove a provider; its users are logged out."""
    with gateway(context) as client:
        answer = client.request("DELETE", at("v1", "identity-providers", name))
    if as_json:
        print_json(answer.data)
    else:
        say(f"identity provider {name} removed")
