"""``aware service-accounts``: who programs are, and the tokens they show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, print_json, print_table, say
from aware_agent.cli.paths import at
from aware_agent.cli.tokens import expiry, seconds
from aware_agent.cli.users import RoleName

app = typer.Typer(help="Service accounts: programs that use the gateway, and their tokens.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the service account.")]
ScopeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", metavar="SCOPE", help="All it may do, as nodes:cordon@caste=web; may be repeated. Without: its role."
    ),
]


@app.command("list")
def list_accounts(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List service accounts and their tokens, without the secrets."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/service-accounts").data
    if as_json:
        print_json(data)
        return
    rows = []
    for account in data["accounts"]:
        common = (account["name"], account["role"], account["owner"])
        for token in account["tokens"] or [None]:
            scopes = ", ".join((token or {}).get("scopes") or account["scopes"]) or "all of its role"
            ends = expiry(token["expires_at"]) if token else "-"
            used = _used(token.get("last_used_at")) if token else "-"
            rows.append((*common, scopes, token["id"] if token else "no token", ends, used))
    print_table(("NAME", "ROLE", "OWNER", "SCOPES", "TOKEN", "EXPIRES", "LAST USED"), rows)


@app.command("create")
def create(
    name: NameArgument,
    *,
    role: Annotated[RoleName, typer.Option(help="The most it may do; not more than you.")] = RoleName.VIEWER,
    scope: ScopeOption = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a service account of your own."""
    body = {"name": name, "role": role.value, "scopes": scope or []}
    with gateway(context) as client:
        answer = client.request("POST", "/v1/service-accounts", body=body)
    if as_json:
        print_json(answer.data)
    else:
        say(f"service account {name} has role {role.value}")


@app.command("delete")
def delete(name: NameArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Delete a service account; its tokens are refused at once."""
    _end(at("v1", "service-accounts", name), f"service account {name} deleted", context, as_json)


@app.command("token")
def token(
    name: NameArgument,
    token_file: Annotated[
        Path, typer.Option("--token-file", metavar="FILE", help="Write the token here (0600); it is shown nowhere.")
    ],
    *,
    ttl: Annotated[str, typer.Option(help="How long it is good: 30m, 12h, 30d.")] = "30d",
    scope: ScopeOption = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token of a service account. AWARE_TOKEN_FILE, or token_file of a context, lets programs use the file."""
    from aware_agent.security.files import write_atomic

    body = {"ttl_s": seconds(ttl), "scopes": scope or []}
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", at("v1", "service-accounts", name, "tokens"), body=body).data
    write_atomic(token_file, str(data.pop("token")).encode() + b"\n")
    if as_json:
        print_json(data)
    else:
        say(f"token {data['id']} of service account {name} written to {token_file}")


@app.command("revoke")
def revoke(
    name: NameArgument,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the token, as shown by list.")],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke one token; the others of the account stay good."""
    _end(at("v1", "service-accounts", name, "tokens", token_id), f"token {token_id} revoked", context, as_json)


def _used(at: float | None) -> str:
    """When a token was used last, to the hour."""
    return f"{ago(at)} ago" if at else "never"


def _end(path: str, sentence: str, context: Path | None, as_json: bool) -> None:
    with gateway(context) as client:
        answer = client.request("DELETE", path)
    if as_json:
        print_json(answer.data if answer.data is not None else {"changed": True})
    else:
        say(sentence)
