"""``aware users``: who may do what."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_json, print_table, say
from aware_agent.cli.paths import at

app = typer.Typer(help="Users of the gateway and their roles.", no_args_is_help=True)


class RoleName(StrEnum):
    """Roles a person can have, from least to most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SECURITY_ADMIN = "security-admin"


UserArgument = Annotated[str, typer.Argument(metavar="USER", help="Name of the user.")]


@app.command("list")
def list_users(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List users."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/users").data
    if as_json:
        print_json(data)
    else:
        print_table(("USER", "ROLE"), [(user["name"], user["role"]) for user in data["users"]])


@app.command("set")
def set_user(
    user: UserArgument,
    *,
    role: Annotated[RoleName, typer.Option(help="What the user may do.")] = RoleName.VIEWER,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the password here; otherwise it is asked for.")
    ] = None,
    keep_password: Annotated[bool, typer.Option("--keep-password", help="Change only the role.")] = False,
    keep_sessions: Annotated[
        bool, typer.Option("--keep-sessions", help="Leave the user logged in; without, a change ends its sessions.")
    ] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a user, or change role and password."""
    from aware_agent.cli.files import read_secret_text

    body: dict[str, Any] = {"role": role.value}
    if password_file:
        body["password"] = read_secret_text(password_file, "password file")
    elif not keep_password:
        body["password"] = typer.prompt(f"New password of {user}", hide_input=True, confirmation_prompt=True, err=True)
    if keep_sessions:
        body["keep_sessions"] = True
    with gateway(context) as client:
        answer = client.request("PUT", at("v1", "users", user), body=body)
    if as_json:
        print_json(answer.data)
    else:
        say(f"user {user} has role {role.value}")


@app.command("delete")
def delete_user(user: UserArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Delete a user."""
    with gateway(context) as client:
        answer = client.request("DELETE", at("v1", "users", user))
    if as_json:
        print_json(answer.data if answer.data is not None else {"changed": True})
    else:
        say(f"user {user} deleted")
