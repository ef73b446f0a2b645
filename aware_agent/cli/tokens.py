"""``aware tokens``: join tokens, with which new nodes come in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.options import WHOLE_NUMBER, ContextOption, JsonOption, gateway, integer
from aware_agent.cli.output import ago, print_json, print_table, say
from aware_agent.cli.paths import at
from aware_agent.colony.errors import InvalidInput

app = typer.Typer(help="Join tokens, with which new nodes come in.", no_args_is_help=True)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.command("create")
def create(
    *,
    ttl: Annotated[str, typer.Option(help="How long it is good: 30m, 12h, 7d; never: until it is revoked.")] = "1h",
    uses: Annotated[
        int, typer.Option(parser=integer(0), metavar=WHOLE_NUMBER, help="How many nodes it lets in; 0: any number.")
    ] = 1,
    node: Annotated[str | None, typer.Option(help="The only node name it lets in.")] = None,
    eligible: Annotated[
        bool,
        typer.Option("--eligible", help="Nodes it lets in may reign; without, they are workers and get no secret."),
    ] = False,
    address: Annotated[
        list[str] | None, typer.Option(help="An address for the certificate of the node it lets in; may be repeated.")
    ] = None,
    to_file: Annotated[Path | None, typer.Option("--to-file", metavar="FILE", help="Write it here (0600).")] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a join token. It is shown this one time only."""
    body = {
        "ttl_s": None if ttl == "never" else seconds(ttl),
        "uses": uses or None,
        "node_name": node,
        "eligible": eligible,
        "addresses": address or [],
    }
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", "/v1/tokens", body=body).data
    if to_file:
        from aware_agent.security.files import write_atomic

        write_atomic(to_file, str(data.pop("token")).encode() + b"\n")
    if as_json:
        print_json(data)
    elif to_file:
        say(f"join token written to {to_file}")
    else:
        say(str(data["token"]))


@app.command("list")
def list_tokens(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List join tokens, without their secrets."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/tokens").data
    if as_json:
        print_json(data)
        return
    rows = [
        (
            token["id"],
            expiry(token.get("expires_at")),
            "any" if token.get("uses_left") is None else token["uses_left"],
            token.get("node_name") or "any",
            "yes" if token.get("eligible") else "no",
            token.get("created_by") or "-",
            f"{ago(token.get('created_at'))} ago",
        )
        for token in data["tokens"]
    ]
    print_table(("ID", "EXPIRES", "USES LEFT", "NODE", "ELIGIBLE", "CREATED BY", "CREATED"), rows)


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Id as shown by list.")],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a join token. Nodes that joined with it stay."""
    with gateway(context) as client:
        answer = client.request("DELETE", at("v1", "tokens", token_id))
    if as_json:
        print_json(answer.data if answer.data is not None else {"changed": True})
    else:
        say(f"token {token_id} revoked")


def seconds(text: str) -> int:
    """``30m`` as seconds. Raises :class:`InvalidInput`."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if not match:
        raise InvalidInput(f"{text!r} is not a duration", field="ttl", hint="a number and s, m, h or d: 30m")
    return int(match[1]) * _UNITS[match[2]]


def expiry(moment: Any) -> str:
    """When ``moment`` (Unix seconds, none for never) is, from now."""
    import time

    if not moment:
        return "never"
    left = float(moment) - time.time()
    return "expired" if left <= 0 else f"in {ago(time.time() - left)}"
