"""``aware hooks``: signed URLs for orders from outside. Each order becomes a job: ``aware job list``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.options import WHOLE_NUMBER, ContextOption, JsonOption, gateway, integer
from aware_agent.cli.output import print_json, say
from aware_agent.cli.tokens import seconds
from aware_agent.colony.hook import HookOperation

app = typer.Typer(help="Orders from outside: signed URLs. What became of them: aware job list.", no_args_is_help=True)


@app.command("sign")
def sign(
    *,
    operation: Annotated[HookOperation, typer.Option(help="What the URL lets its holder do.")],
    ttl: Annotated[str, typer.Option(help="How long it is good: 30m, 12h, 7d.")] = "1h",
    delta: Annotated[
        int,
        typer.Option(
            parser=integer(-(10**6), 10**6),
            metavar=WHOLE_NUMBER,
            help="scale: by how many nodes at most; negative shrinks.",
        ),
    ] = 0,
    max_size: Annotated[
        int, typer.Option(parser=integer(0), metavar=WHOLE_NUMBER, help="scale: the colony never grows beyond this.")
    ] = 0,
    caste: Annotated[str, typer.Option(help="scale: this caste's count changes too.")] = "",
    uses: Annotated[
        int, typer.Option(parser=integer(1, 100), metavar=WHOLE_NUMBER, help="How often it may be used.")
    ] = 1,
    to_file: Annotated[Path | None, typer.Option("--to-file", metavar="FILE", help="Write it here (0600).")] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a URL. It is a secret, and shown this one time only."""
    body: dict[str, Any] = {"operation": str(operation), "ttl_s": seconds(ttl), "uses": uses}
    body |= {"delta": delta, "max_size": max_size, "caste": caste}
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", "/v1/hooks/sign", body=body).data
    if to_file:
        from aware_agent.security.files import write_atomic

        write_atomic(to_file, str(data.pop("url")).encode() + b"\n")
        data.pop("path", None)
    if as_json:
        print_json(data)
    elif to_file:
        say(f"signed URL written to {to_file}")
    else:
        say(str(data["url"]))
