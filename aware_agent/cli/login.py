"""``aware login``, ``logout``, ``whoami``: who a context acts as."""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_fields, print_json, say

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway


def login(
    username: Annotated[str, typer.Option("--username", "-u", help="User to log in as.")] = "admin",
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the password here; otherwise it is asked for.")
    ] = None,
    *,
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="Log in at this identity provider instead.")
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --provider: show the token in this file; no browser.")
    ] = None,
    keystone: Annotated[
        bool, typer.Option("--keystone", help="Show a token of the OpenStack in OS_* or clouds.yaml.")
    ] = False,
    cloud: Annotated[str | None, typer.Option("--os-cloud", help="With --keystone: which one of clouds.yaml.")] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser, or only say where to go.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Even when the present token is good.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Get an access token and keep it beside the context file.

    A token that is accepted, belongs to the user and has more than half its life left is kept.
    """
    from aware_agent.cli.files import read_secret_text

    with gateway(context) as client:
        client.check_keeps_tokens()
        if provider or keystone:
            role = _elsewhere(client, provider, keystone=keystone, cloud=cloud, token_file=token_file, browser=browser)
            name = client.get("/v1/auth/me").data["name"]
            _told(as_json, True, f"logged in as {name} with role {role}")
            return
        if not force and _still_good(client, username):
            _told(as_json, False, f"already logged in as {username}")
            return
        if password_file:
            password = read_secret_text(password_file, "password file")
        else:
            password = typer.prompt(f"Password of {username}", hide_input=True, err=True)
        role = client.login(username, password).get("role", "?")
    _told(as_json, True, f"logged in as {username} with role {role}")


def logout(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """End the session, at every node, and forget its tokens."""
    from aware_agent.cli.errors import NotLoggedIn

    with gateway(context) as client:
        had = bool(client.context.token())
        if had:
            with contextlib.suppress(NotLoggedIn):  # expired or revoked before: the aim is reached
                client.request("DELETE", "/v1/auth/token")
        for path in (client.context.token_file, client.context.refresh_file):
            if path:
                path.unlink(missing_ok=True)
    _told(as_json, had, "logged out" if had else "was not logged in")


def whoami(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show who the present token belongs to."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/auth/me").data
    if as_json:
        print_json(data)
    else:
        left = max(0.0, float(data.get("expires_at", 0.0)) - time.time())
        print_fields((("name", data["name"]), ("role", data["role"]), ("expires in", f"{left / 60:.0f} min")))


def _elsewhere(
    client: Gateway, provider: str, *, keystone: bool, cloud: str | None, token_file: Path | None, browser: bool
) -> str:
    """Log in by what somebody else says; the role that is worth."""
    from aware_agent.cli import login_provider
    from aware_agent.cli.files import read_secret_text

    if keystone:
        data = login_provider.by_keystone(client, provider, cloud)
    elif token_file:
        token = read_secret_text(token_file, "token file")
        data = login_provider.exchange(client, {"provider": provider, "token": token})
    else:
        data = login_provider.by_browser(client, provider, open_browser=browser)
    return str(data.get("role", "?"))


def _still_good(client: Gateway, username: str) -> bool:
    from aware_agent.cli.errors import NotAllowed, NotLoggedIn

    if not more_than_half_left(client.context.token(), time.time()):
        return False
    try:
        me = client.get("/v1/auth/me").data
    except (NotLoggedIn, NotAllowed):
        return False
    return isinstance(me, dict) and username in (me.get("name"), me.get("username"))


def more_than_half_left(token: str, now: float) -> bool:
    """Whether ``now`` is in the first half of the token's life. Only the gateway can tell if it is genuine."""

    from aware_agent.colony.decoding import UNDECODABLE, from_json

    try:
        payload = token.split(".")[1]
        claims = from_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issued, expires = float(claims["iat"]), float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error, *UNDECODABLE):
        return False
    return expires - now > (expires - issued) / 2


def _told(as_json: bool, changed: bool, sentence: str) -> None:
    if as_json:
        print_json({"changed": changed})
    else:
        say(sentence)
