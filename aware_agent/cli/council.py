"""``aware council``: who carries the colony, and what to do when a majority of them is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from aware_agent.cli.completing import complete_node
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_json, print_table, say

app = typer.Typer(help="Who carries the colony: the members of etcd.", no_args_is_help=True)
StateDirOption = Annotated[Path, typer.Option(metavar="DIR", help="State directory of this host's agent.")]
SystemdOption = Annotated[bool, typer.Option("--systemd", help="systemd runs etcd here, as on hosts of the roles.")]
_TOKEN = re.compile(r"[a-z0-9]{8,64}")


@app.command("list")
def list_members(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show the members of the council, how each is, and what the queen is doing about it."""
    with gateway(context) as client:
        data = client.get("/v1/council/members").data
    if as_json:
        print_json(data)
        return
    rows = [
        (one["name"], _part(one), "answers" if one["healthy"] else "silent", one["endpoint"] or "-", one["node"])
        for one in data["members"]
    ]
    if rows:
        print_table(("NAME", "PART", "STATE", "ETCD", "NODE"), rows)
    if moving := data.get("moving"):
        say(f"{moving['from']['name']} gives its seat to {moving['to']['name']}")
    say(
        data["trouble"]
        or data["message"]
        or "the members of etcd are not the colony's business: the spec has no council"
    )


@app.command("move")
def move_seat(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="NODE",
            help="Name or id of the node that gives its seat.",
            autocompletion=complete_node,
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="NODE",
            help="Who takes it; without this the queen chooses.",
            autocompletion=complete_node,
        ),
    ] = "",
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a seat to another node, which copies etcd's data first. See how far it is: aware council list."""
    body = {"from": source, "to": target} if target else {"from": source}
    with gateway(context) as client:
        data = client.request("POST", "/v1/council/move", body=body).data
    if as_json:
        print_json(data)
        return
    say(f"{data['from']['name']} gives its seat to {data['to']['name']}; how far that is: aware council list")


@app.command("survey")
def survey_members(state_dir: StateDirOption, as_json: JsonOption = False) -> None:
    """Ask each member directly, also without a majority: who answers, and who knows most. Run it on a member."""
    import asyncio

    import msgspec

    from aware_agent.agent.member.recover import survey

    said = asyncio.run(survey(state_dir.absolute()))
    if as_json:
        print_json({endpoint: msgspec.to_builtins(status) for endpoint, status in said.items()})
        return
    rows = [
        (endpoint, "silent", "-", "-")
        if status is None
        else (endpoint, "has a leader" if status.leader else "knows no leader", status.term, status.index)
        for endpoint, status in said.items()
    ]
    print_table(("ETCD", "STATE", "TERM", "INDEX"), rows)


@app.command("recover")
def recover_member(
    state_dir: StateDirOption,
    yes: Annotated[bool, typer.Option("--yes", help="You know that a majority is lost for good.")] = False,
    any_etcd: Annotated[bool, typer.Option("--any-etcd", help="Also with an etcd release for tests only.")] = False,
    systemd: SystemdOption = False,
) -> None:
    """Let this host's member go on alone, when a majority is lost for good. Its agent must not run."""
    import asyncio

    from aware_agent.agent.member.recover import recover
    from aware_agent.colony.errors import InvalidInput

    if not yes:
        raise InvalidInput(
            "what only the lost members had would be gone",
            hint="aware council survey shows who knows most; there: aware council recover --yes",
        )
    endpoint = asyncio.run(recover(state_dir.absolute(), production=not any_etcd, systemd=systemd))
    say(f"etcd at {endpoint} goes on alone; start the agent, and the queen fills the council again")


@app.command("restore")
def restore_member(
    state_dir: StateDirOption,
    token: Annotated[str, typer.Option(help="Token of the restore, as aware backup restore says it.")],
    etcd: Annotated[str, typer.Option(metavar="URL", help="Where the first member of etcd is reached.")],
    *,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="This host's member is the first: snapshot.db of the restore.")
    ] = None,
    peer: Annotated[str, typer.Option(metavar="URL", help="Where other members reach it; with --snapshot.")] = "",
    systemd: SystemdOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take this host into a restored colony: data of the lost etcd goes aside; with --snapshot its member begins anew.

    The agent must not run. On the host of the first member, and on every other one that may sit in the council.
    """
    import asyncio

    from aware_agent.agent.member.restore import Beginning, Return, come_back
    from aware_agent.cli.founding import etcd_address
    from aware_agent.colony.errors import InvalidInput

    if not _TOKEN.fullmatch(token):
        raise InvalidInput("this is no token of a restore", field="token", hint="restore.json has it")
    if (snapshot is None) != (not peer):
        raise InvalidInput("--snapshot and --peer belong together", field="peer", hint="--peer https://ADDRESS:2380")
    beginning = None
    if snapshot is not None:
        beginning = Beginning(snapshot=snapshot.absolute(), peer_url=f"https://{etcd_address(peer)}")
    wanted = Return(token=token, client_url=f"https://{etcd_address(etcd)}", beginning=beginning, systemd=systemd)
    changed = asyncio.run(come_back(state_dir.absolute(), wanted))
    if as_json:
        print_json({"changed": changed})
        return
    what = "begins anew out of the snapshot" if snapshot else "has nothing of the lost etcd any more"
    say(f"this host {what}; start its agent" if changed else "was done before")


def _part(member: dict[str, object]) -> str:
    if member["learner"]:
        return "learner"
    return "leads etcd" if member["leads"] else "voter"
