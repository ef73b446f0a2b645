"""``aware backup``: ask for backups, look at them, make a colony of one again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.errors import FileTrouble
from aware_agent.cli.options import NUMBER, ContextOption, JsonOption, gateway, integer, number
from aware_agent.cli.output import ago, print_fields, print_json, print_table, say
from aware_agent.colony.errors import AwareError, InvalidInput

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway
    from aware_agent.store.snapshot_tools import PeerMember

app = typer.Typer(help="Backups: ask for one, check one, bring a colony back.", no_args_is_help=True)
KeyOption = Annotated[
    Path, typer.Option("--key-file", metavar="FILE", help="Backup key, as made by: aware backup key FILE.")
]
_POLL_S = 0.25


class BackupFailed(AwareError):
    """The queen could not make a backup."""

    code = "backup-failed"
    exit_code = 1


@app.command("now")
def now(
    *,
    wait: Annotated[
        float, typer.Option(parser=number(0), metavar=NUMBER, help="Seconds to wait until it is made; 0: do not wait.")
    ] = 120.0,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a backup made now, where the spec says."""
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", "/v1/backups").data
        if wait:
            data = _wait(client, float(data["requested_at"]), wait)
    if as_json:
        print_json(data)
    elif wait:
        say(f"{data['backups'][0]['name']} is in {data['backups'][0]['target']}")
    else:
        say("asked for a backup: aware backup list")


@app.command("list")
def list_backups(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List backups on record, newest first."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/backups").data
    if as_json:
        print_json(data)
        return
    rows = [
        (one["name"], f"{ago(one['created_at'])} ago", one["bytes"], one["target"], one["node"] or "-", one["actor"])
        for one in data["backups"]
    ]
    print_table(("NAME", "BEGUN", "BYTES", "TARGET", "BY NODE", "FOR"), rows)
    if data["policy"] is None:
        say("the spec says nothing of backups: set policies.backup")
    if data["failure"]:
        say(f"the last attempt failed {ago(data['failed_at'])} ago: {data['failure']}")


@app.command("key")
def key(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the key is written (0600); nothing may be there.")
    ],
) -> None:
    """Make a backup key. Keep a copy apart from the colony: without it no backup can be opened."""
    from aware_agent.queen.backup.passphrase import make_key_file

    make_key_file(file)
    say(f"backup key written to {file}: keep a copy apart from the colony")


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="Open it too; without: header and checksum only.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a backup. Without the key it is known to be whole, with it to be genuine and to hold a sound snapshot."""
    from aware_agent.queen.backup.contents import verify as verify_all
    from aware_agent.queen.backup.format import check_sum, read_header, readable
    from aware_agent.queen.backup.passphrase import read_passphrase
    from aware_agent.security.regular import open_regular

    try:
        with open_regular(file) as stream:
            header = read_header(stream)
            check_sum(stream, header)
        if key_file:
            verify_all(file, read_passphrase(str(key_file)))
    except OSError as error:
        raise FileTrouble(f"cannot read backup {file}: {error.strerror}", field="file") from error
    document = {**readable(header), "opened": key_file is not None}
    if as_json:
        print_json(document)
        return
    shown = {**document, "created_at": f"{ago(header.created_at)} ago"}
    print_fields((name.replace("_", " "), value) for name, value in shown.items())


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    *,
    into: Annotated[Path, typer.Option(metavar="DIR", help="Where all of it is written; empty or not there.")],
    key_file: KeyOption,
    colony: Annotated[str, typer.Option(help="Which colony it has to be. Default: whichever it is.")] = "",
    member: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PEER_URL", help="A member of etcd to be; may be repeated.")
    ] = None,
    etcd: Annotated[
        list[str] | None, typer.Option(help="URL of etcd for the nodes, if it changed; may be repeated.")
    ] = None,
    node: Annotated[
        list[str] | None, typer.Option(metavar="NAME=ADDRESS", help="A node that lost its state; may be repeated.")
    ] = None,
    admin_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="New password of user admin; a random one is written when missing."),
    ] = None,
    above: Annotated[
        int,
        typer.Option(parser=integer(0), metavar="REVISION", help="A revision the lost etcd is known to have reached."),
    ] = 0,
    older: Annotated[bool, typer.Option("--older", help="Take one older than what was restored to DIR.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make of a backup what a colony needs to come back: etcd's data, CA, secrets, state of nodes. Touches no etcd."""
    import msgspec

    from aware_agent.cli.backup_restore import Wish
    from aware_agent.cli.backup_restore import restore as run
    from aware_agent.cli.files import read_secret_text
    from aware_agent.cli.founding import etcd_address
    from aware_agent.queen.backup.passphrase import read_passphrase
    from aware_agent.security.password import ensure_password

    if admin_password_file:
        ensure_password(admin_password_file)
    wish = Wish(
        file=file,
        into=into.absolute(),
        passphrase=read_passphrase(str(key_file)),
        colony=colony,
        members=_members(member or []),
        etcd=tuple(etcd_address(url) for url in etcd or []),
        nodes=_nodes(node or []),
        admin_password=read_secret_text(admin_password_file, "password file") if admin_password_file else "",
        above=above,
        older=older,
    )
    done = run(wish)
    if as_json:
        print_json(msgspec.to_builtins(done))
        return
    verb = "restored" if done.changed else "was restored before"
    say(
        f"colony {done.colony} of {ago(done.created_at)} ago {verb} to {into}, revisions go on after {done.to_revision}"
    )
    say(f"on hosts: aware council restore --token {done.token}; the first member may be {', '.join(done.eligible)}")
    say(
        f"as they were in the backup: users {', '.join(done.users) or 'none'}; join tokens {len(done.tokens)}, "
        f"revoke what should not be: aware tokens list; {done.sessions} sessions ended"
    )
    if done.unreadable:
        say(f"what cannot be read was kept as it is: {', '.join(done.unreadable)}")


def _wait(client: Gateway, since: float, limit_s: float) -> dict[str, Any]:
    """Until a backup begun at ``since`` or later is on record. Raises :class:`BackupFailed`."""
    import time

    end = time.monotonic() + limit_s
    while True:
        data: dict[str, Any] = client.get("/v1/backups").data
        if data["backups"] and data["backups"][0]["created_at"] >= since:
            return data
        if data["failed_at"] > since:
            raise BackupFailed(f"no backup was made: {data['failure']}", hint="the queen tries again by herself")
        if time.monotonic() > end:
            raise BackupFailed(f"no backup was made within {limit_s:g} s", hint="aware backup list")
        time.sleep(_POLL_S)


def _members(texts: list[str]) -> tuple[PeerMember, ...]:
    """``NAME=https://HOST:PORT``. Raises :class:`InvalidInput`."""
    from aware_agent.cli.founding import etcd_address
    from aware_agent.store.snapshot_tools import PeerMember

    parts = [text.partition("=") for text in texts]
    if any(not name or "/" in name for name, _, _ in parts) or len({name for name, _, _ in parts}) != len(parts):
        raise InvalidInput("a member of etcd has no name of its own", field="member", hint="NAME=https://HOST:PORT")
    return tuple(PeerMember(name, f"https://{etcd_address(url)}") for name, _, url in parts)


def _nodes(texts: list[str]) -> dict[str, str]:
    """``NAME=ADDRESS``. Raises :class:`InvalidInput`."""
    import ipaddress

    nodes: dict[str, str] = {}
    for text in texts:
        name, _, address = text.partition("=")
        try:
            nodes[name] = str(ipaddress.ip_address(address))
        except ValueError as error:
            raise InvalidInput(f"{text!r} is not NAME=ADDRESS", field="node", hint="node-1=192.0.2.11") from error
    return nodes
