"""``aware colony``: bring a colony into being, in steps that may be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aware_agent.cli.options import JsonOption
from aware_agent.cli.output import print_json, say, warn
from aware_agent.colony.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from aware_agent.cli.first_login import Opened

app = typer.Typer(help="Bring a colony into being; all steps may be repeated.", no_args_is_help=True)
MaterialOption = Annotated[Path, typer.Option(metavar="DIR", help="Directory made by: aware colony material.")]
SpecOption = Annotated[Path, typer.Option(metavar="FILE", help="What the colony shall be, YAML or JSON.")]
PasswordOption = Annotated[
    Path, typer.Option(metavar="FILE", help="Password of user admin; a random one is written when it is missing.")
]
TokenTtlOption = Annotated[str, typer.Option(help="How long the first join token is good: 30m, 12h, 7d.")]

_PHASES = {
    "distributing": "new CAs and a new secret go to all nodes, so that the founding key is worthless",
    "switched": "they are in use; the old ones are believed until all nodes have changed over",
    "finishing": "the old ones are forgotten",
}
EtcdAuthOption = Annotated[
    bool, typer.Option("--etcd-auth", help="Guard etcd: from then on it knows the nodes by name and nobody else.")
]


@app.command("key")
def key(
    *,
    colony: Annotated[str, typer.Option(help="Name of the colony.")],
    to_file: Annotated[Path, typer.Option(metavar="FILE", help="Where it is written, readable by you alone.")],
    as_json: JsonOption = False,
) -> None:
    """Make a founding key: nodes that hold it found the colony by themselves. A file that exists is left alone."""
    import os

    from aware_agent.cli.files import write_new_secret
    from aware_agent.security.founding_key import KEY_BYTES, make_founding_key

    made = make_founding_key(colony, os.urandom(KEY_BYTES))
    write_new_secret(to_file, f"{made.text()}\n".encode())
    if as_json:
        print_json({"colony": colony, "id": made.id, "file": str(to_file)})
        return
    say(f"founding key {made.id} of colony {colony} is in {to_file}")
    say("it is worth as much as the colony's CAs: give it to the founders only, and to each by a safe way")


@app.command("open")
def open_colony(
    *,
    key_file: Annotated[Path, typer.Option(metavar="FILE", help="Founding key of the colony.")],
    endpoint: Annotated[list[str], typer.Option(help="URL of a node, https://HOST:8443; may be repeated.")],
    context: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Context to write. Default: ~/.config/aware/context.json.")
    ] = None,
    admin_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Password for admin; a random one is written when it is missing."),
    ] = None,
    rotate: Annotated[
        bool, typer.Option("--rotate/--no-rotate", help="New CAs and a new secret, which make the key worthless.")
    ] = True,
    wait: Annotated[str, typer.Option(metavar="TIME", help="How long all of that may take.")] = "10m",
    as_json: JsonOption = False,
) -> None:
    """First login to a colony that founded itself: set the password of admin, write a context, log in; then make the
    founding key worthless. It may be repeated until that is done.
    """
    import time

    from aware_agent.cli.first_login import default_context
    from aware_agent.cli.first_login import open_colony as first_login
    from aware_agent.cli.tokens import seconds
    from aware_agent.colony.urls import origin

    urls = [origin(url) or "" for url in endpoint]
    if "" in urls:
        wrong = endpoint[urls.index("")]
        raise InvalidInput(f"{wrong[:100]!r} is no URL of a node", field="endpoint", hint="https://HOST:8443")
    end = time.monotonic() + seconds(wait)
    opened = first_login(key_file, urls, context or default_context(), admin_password_file, end)
    if not as_json:
        say(f"logged in to colony {opened.colony} as admin; the context is {opened.context}")
        say(f"the password of admin is in {opened.password_file}")
    phases, trouble = _made_worthless(opened, end, rotate=rotate, quiet=as_json)
    if as_json:
        found = {"colony": opened.colony, "context": str(opened.context), "password_file": str(opened.password_file)}
        print_json({**found, "key_worthless": not trouble, "trouble": trouble})
    elif not trouble:
        say(f"the founding key is worthless {'now' if phases else 'already'}: delete {key_file}")
    if not trouble:
        return
    sentence = f"the founding key is still worth as much as the colony's CAs: {trouble}"
    if rotate:
        raise Conflict(sentence, hint="run this again until it says that the key is worthless")
    warn(f"{sentence}; run this again without --no-rotate")


def _made_worthless(opened: Opened, end: float, *, rotate: bool, quiet: bool) -> tuple[list[str], str]:
    """Rotate until ``end`` and say on the way how far it is, or only look. The phases, and why it is not done."""
    import functools
    import time

    from aware_agent.cli.context import load_context
    from aware_agent.cli.errors import Unreachable
    from aware_agent.cli.first_login import gateway_until, login
    from aware_agent.cli.rotation_follow import make_key_worthless, worthless

    phases: list[str] = []

    def tell(phase: str) -> None:
        if phase in _PHASES:
            phases.append(phase)
            if not quiet:
                say(_PHASES[phase])

    with gateway_until(load_context(opened.context, {}), end) as client:
        try:
            if not rotate:
                return [], "" if worthless(client.get("/v1/rotation").data, opened.ca_pin) else "it was left out"
            again = functools.partial(login, client, opened.password_file)
            return phases, make_key_worthless(client, opened.ca_pin, end - time.monotonic(), tell, again)
        except Unreachable as error:
            return phases, error.message


@app.command("material")
def material(
    *,
    colony: Annotated[str, typer.Option(help="Name of the colony.")],
    directory: Annotated[Path, typer.Option(metavar="DIR", help="Where CAs, secrets and etcd certificates go.")],
    address: Annotated[str, typer.Option(help="Address of the first node.")],
    founder_name: Annotated[str, typer.Option(help="Name of the first node.")],
    founder_state: Annotated[Path, typer.Option(metavar="DIR", help="State directory of the first node.")],
    etcd: Annotated[list[str], typer.Option(help="URL of etcd, https://HOST:PORT; may be repeated.")],
    as_json: JsonOption = True,  # noqa: ARG001 - programs read this; there is no other form
) -> None:
    """Make CAs, secrets, etcd certificates and the first node's state, offline. What exists is kept."""
    from aware_agent.cli.founding import Request, etcd_address, prepare
    from aware_agent.colony.names import Kind, check_name

    check_name(Kind.COLONY, colony, "colony")
    check_name(Kind.NODE, founder_name, "founder_name")
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
    """Write the colony into etcd, unless it is there: spec, CAs, user admin, first join token."""
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


def _within(path: Path, directory: Path) -> str:
    """``path`` relative to ``directory`` when it lies in it, else absolute."""
    path, directory = path.absolute(), directory.absolute()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)
