"""``aware colony``: bring a colony into being, in steps that may be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aware_agent.cli.options import JsonOption
from aware_agent.cli.output import print_json
from aware_agent.colony.errors import InvalidInput

app = typer.Typer(help="Bring a colony into being; all steps may be repeated.", no_args_is_help=True)
MaterialOption = Annotated[Path, typer.Option(metavar="DIR", help="Directory made by: aware colony material.")]
SpecOption = Annotated[Path, typer.Option(metavar="FILE", help="What the colony shall be, YAML or JSON.")]
PasswordOption = Annotated[
    Path, typer.Option(metavar="FILE", help="Password of user admin; a random one is written when it is missing.")
]
TokenTtlOption = Annotated[str, typer.Option(help="How long the first join token is good: 30m, 12h, 7d.")]

EtcdAuthOption = Annotated[
    bool, typer.Option("--etcd-auth", help="Guard etcd: from then on it knows the nodes by name and nobody else.")
]


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
        founder_state=_within(founder_state, directory),
        etcd=tuple(etcd_address(url) for url in etcd),
    )
    made, changed = prepare(request, directory.absolute())
    print_json({"changed": changed, "ca_pin": made.token.ca_pin, "founder_id": made.founder_id})


@app.command("found")
def found(
    *,
    material: MaterialOption,
    etcd: Annotated[str, typer.Option(help="URL of etcd, https://HOST:PORT.")],
    spec_file: SpecOption,
    admin_password_file: PasswordOption,
    token_file: Annotated[Path, typer.Option(metavar="FILE", help="Where the first join token is written.")],
    token_ttl: TokenTtlOption = "1d",  # noqa: S107 - a duration
    etcd_auth: EtcdAuthOption = False,
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
            load(material)[0],
            spec,
            etcd=etcd,
            password_file=admin_password_file,
            token_file=token_file,
            token_ttl_s=seconds(token_ttl),
            etcd_auth=etcd_auth,
        )
    )
    print_json({"changed": founded or written, "founded": founded})


@app.command("etcd-certificates")
def etcd_certificates(
    *,
    material: MaterialOption,
    member: Annotated[list[str], typer.Option(metavar="NAME=ADDRESS", help="A member of etcd; may be repeated.")],
    as_json: JsonOption = True,  # noqa: ARG001 - programs read this; there is no other form
) -> None:
    """Make a certificate etcd-NAME for each member of etcd, signed by the colony's CA. Good ones are kept."""
    import time

    from aware_agent.agent.material import make_member_certificates

    written = make_member_certificates(material, _members(member), now=time.time())
    print_json({"changed": bool(written), "written": sorted(path.name for path in written)})


@app.command("pack")
def pack(
    *,
    material: MaterialOption,
    spec_file: SpecOption,
    admin_password_file: PasswordOption,
    to_file: Annotated[Path, typer.Option(metavar="FILE", help="Where the parcel is written (0600).")],
    token_ttl: TokenTtlOption = "1h",  # noqa: S107 - a duration
    as_json: JsonOption = True,  # noqa: ARG001 - programs read this; there is no other form
) -> None:
    """Pack all that founding needs into one file, for a host that reaches etcd: aware colony deliver."""
    from aware_agent.cli.founding import load
    from aware_agent.cli.parcel import pack as make
    from aware_agent.cli.specfile import read_spec
    from aware_agent.cli.tokens import seconds

    spec = read_spec(spec_file)
    made, request = load(material)
    make(made, request.etcd, spec, admin_password_file, to_file, token_ttl_s=seconds(token_ttl))
    print_json({"changed": True})


@app.command("deliver")
def deliver(
    *,
    etcd_auth: EtcdAuthOption = False,
    as_json: JsonOption = True,  # noqa: ARG001 - programs read this; there is no other form
) -> None:
    """Found the colony from a parcel on standard input, unless it is there. No file is written on this machine."""
    import asyncio
    import sys

    from aware_agent.cli.parcel import deliver as found_from

    founded, guarded = asyncio.run(found_from(sys.stdin.buffer.read(), etcd_auth=etcd_auth))
    print_json({"changed": founded or guarded, "founded": founded})


def _within(path: Path, directory: Path) -> str:
    """``path`` relative to ``directory`` when it lies in it, else absolute."""
    path, directory = path.absolute(), directory.absolute()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


def _members(texts: list[str]) -> dict[str, str]:
    """``NAME=ADDRESS`` as a mapping. Raises :class:`InvalidInput`."""
    import ipaddress

    members: dict[str, str] = {}
    for text in texts:
        name, _, address = text.partition("=")
        try:
            members[name] = str(ipaddress.ip_address(address))
        except ValueError as error:
            raise InvalidInput(
                f"member {text!r} is not NAME=ADDRESS", field="member", hint="node-1=192.0.2.11"
            ) from error
    if len(members) != len(texts):
        raise InvalidInput("two members of etcd have the same name", field="member")
    return members
