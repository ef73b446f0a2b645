"""``aware colony``: bring a colony into being, in two steps that may be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aware_agent.cli.options import JsonOption
from aware_agent.cli.output import print_json
from aware_agent.colony.errors import InvalidInput

app = typer.Typer(help="Bring a colony into being; both steps may be repeated.", no_args_is_help=True)


@app.command("material")
def material(
    *,
    colony: Annotated[str, typer.Option(help="Name of the colony.")],
    directory: Annotated[Path, typer.Option(metavar="DIR", help="Where CA, secrets and etcd certificates go.")],
    address: Annotated[str, typer.Option(help="Address of the first node.")],
    founder_name: Annotated[str, typer.Option(help="Name of the first node.")],
    founder_state: Annotated[Path, typer.Option(metavar="DIR", help="State directory of the first node.")],
    etcd: Annotated[list[str], typer.Option(help="URL of etcd, https://HOST:PORT; may be repeated.")],
    as_json: JsonOption = True,  # noqa: ARG001 - programs read this; there is no other form
) -> None:
    """Make CA, secrets, etcd certificates and the first node's state, offline. What exists is kept."""
    from aware_agent.cli.founding import Request, etcd_address, prepare
    from aware_agent.colony.spec import NAME

    if not NAME.match(colony):
        raise InvalidInput(
            f"colony {colony!r} is not a name",
            field="colony",
            hint="lower-case letters, digits and -, starting with a letter",
        )
    request = Request(
        colony=colony,
        address=address,
        founder_name=founder_name,
        founder_state=str(founder_state.absolute()),
        etcd=tuple(etcd_address(url) for url in etcd),
    )
    made, changed = prepare(request, directory)
    print_json({"changed": changed, "ca_pin": made.token.ca_pin, "founder_id": made.founder_id})


@app.command("found")
def found(
    *,
    material: Annotated[Path, typer.Option(metavar="DIR", help="Directory made by: aware colony material.")],
    etcd: Annotated[str, typer.Option(help="URL of etcd, https://HOST:PORT.")],
    spec_file: Annotated[Path, typer.Option(metavar="FILE", help="What the colony shall be, YAML or JSON.")],
    admin_password_file: Annotated[
        Path, typer.Option(metavar="FILE", help="Password of user admin; a random one is written when it is missing.")
    ],
    token_file: Annotated[Path, typer.Option(metavar="FILE", help="Where the first join token is written.")],
    token_ttl: Annotated[str, typer.Option(help="How long the first join token is good: 30m, 12h, 7d.")] = "1d",  # noqa: S107 - a duration
    as_json: JsonOption = True,  # noqa: ARG001 - programs read this; there is no other form
) -> None:
    """Write the colony into etcd, unless it is there: spec, CA, user admin, first join token."""
    import asyncio

    from aware_agent.cli.founding import found_colony, load
    from aware_agent.cli.specfile import read_spec
    from aware_agent.cli.tokens import seconds

    spec = read_spec(spec_file)
    founded, written = asyncio.run(
        found_colony(
            load(material),
            spec,
            etcd=etcd,
            password_file=admin_password_file,
            token_file=token_file,
            token_ttl_s=seconds(token_ttl),
        )
    )
    print_json({"changed": founded or written, "founded": founded})
