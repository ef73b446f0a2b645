"""``aware job``: run an operation of the colony's table, and see what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.completing import complete_job, complete_node, complete_operation
from aware_agent.cli.job_follow import finish, follow
from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, print_fields, print_json, print_table, say, warn
from aware_agent.cli.paths import at
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.jobs import JobState
from aware_agent.security.regular import read_regular

app = typer.Typer(help="Run operations, and see what became of them.", no_args_is_help=True)
JobArgument = Annotated[str, typer.Argument(metavar="ID", help="Id as shown by list.", autocompletion=complete_job)]
FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Print what it prints until it ends; fail unless it succeeds.")
]
_FIELDS = (
    *("id", "operation", "state", "reason", "message", "parameters", "secrets", "hosts", "actor", "reference", "node"),
    *("term", "attempt", "created_at", "started_at", "ended_at", "cancelled_by", "retry_of", "play", "task"),
    *("log_bytes", "log_cut"),
)


@app.command("operations")
def operations(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List what can be run, the files that were skipped, and members that cannot run playbooks."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/operations").data
    if as_json:
        print_json(data)
        return
    rows = [
        (
            one["name"],
            one["role"],
            ", ".join(one["castes"]) or "all nodes",
            "yes" if one["idempotent"] else "no",
            f"{one['time_limit_s']:g} s",
            one["description"],
        )
        for one in data["operations"]
    ]
    print_table(("NAME", "ROLE", "NODES", "IDEMPOTENT", "LIMIT", "DESCRIPTION"), rows)
    for skipped in data["skipped"]:
        warn(f"skipped: {skipped['file']}: {skipped['message']}")
    for member in data["members"]:
        if member["problem"]:
            warn(f"{member['name']} can run no playbook: {member['problem']}")
        if member["differs"]:
            warn(f"{member['name']} has other files, or none, for: {', '.join(member['differs'])}")


@app.command("run")
def run(
    operation: Annotated[
        str,
        typer.Argument(metavar="OPERATION", help="Its name; see operations.", autocompletion=complete_operation),
    ],
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; VALUE is JSON, or else text."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret-file", metavar="NAME=FILE", help="A parameter that is the content of a file."),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host", metavar="NAME", help="Only on this host; may be repeated.", autocompletion=complete_node
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run, and on what.")] = False,
    follow_it: FollowOption = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run an operation as a job. A secret is given by file: other users see command lines."""
    body = {"operation": operation, "parameters": parameters(parameter or [], secret or []), "hosts": host or []}
    with gateway(context) as client:
        answer = client.request("POST", "/v1/jobs", params={"dry_run": "true" if dry_run else None}, body=body)
        data: dict[str, Any] = answer.data
        if dry_run:
            if as_json:
                print_json(data)
            for line in () if as_json else data["would"]:
                say(line)
            return
        _report(client, data, follow_it=follow_it, as_json=as_json)


@app.command("list")
def list_jobs(
    *,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    operation: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only jobs of this operation.", autocompletion=complete_operation),
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, oldest first."""
    with gateway(context) as client:
        found = client.get("/v1/jobs", state=str(state) if state else None, operation=operation)
        data: dict[str, Any] = found.data
    if as_json:
        print_json(data)
        return
    rows = [
        (job["id"], job["operation"], job["state"], job["actor"], f"{ago(job['created_at'])} ago", job["message"])
        for job in data["jobs"]
    ]
    print_table(("ID", "OPERATION", "STATE", "ACTOR", "ASKED", "MESSAGE"), rows)


@app.command("show")
def show(job_id: JobArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show one job, and how far each host is."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "jobs", job_id)).data
    if as_json:
        print_json(data)
        return
    print_fields(tuple((name.replace("_", " "), data[name]) for name in _FIELDS if data[name] not in ("", 0, [], {})))
    rows = [
        (name, *(one[count] for count in ("ok", "changed", "skipped", "failed", "unreachable")), one["task"])
        for name, one in sorted(data["hosts_done"].items())
    ]
    if rows:
        print_table(("HOST", "OK", "CHANGED", "SKIPPED", "FAILED", "UNREACHABLE", "TASK"), rows)


@app.command("follow")
def follow_job(job_id: JobArgument, context: ContextOption = None) -> None:
    """Print a job's log until it ends, over any change of queen. Fails unless the job succeeds."""
    with gateway(context) as client:
        finish(follow(client, job_id))


@app.command("cancel")
def cancel(job_id: JobArgument, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """End a job that waits or runs, with every process it started."""
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", at("v1", "jobs", job_id, "cancel")).data
    if as_json:
        print_json(data)
    else:
        say(f"job {data['id']} is {data['state']}" + (", and ends" if data["state"] == "running" else ""))


@app.command("retry")
def retry(
    job_id: JobArgument, *, follow_it: FollowOption = False, context: ContextOption = None, as_json: JsonOption = False
) -> None:
    """Run a job that has ended once more, as another job with the same parameters."""
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", at("v1", "jobs", job_id, "retry")).data
        _report(client, data, follow_it=follow_it, as_json=as_json)


def _report(client: Any, data: dict[str, Any], *, follow_it: bool, as_json: bool) -> None:
    if as_json and not follow_it:
        print_json(data)
    elif not as_json:
        say(f"job {data['id']} is {data['state']}")
    if follow_it:
        last = follow(client, str(data["id"]), quiet=as_json)
        if as_json:
            print_json(last)
        finish(last, quiet=as_json)


def parameters(pairs: list[str], secrets: list[str]) -> dict[str, Any]:
    """The parameters of a job as they are typed. Raises :class:`InvalidInput`, OSError."""
    found: dict[str, Any] = {}
    for text in pairs:
        name, raw = _split(text, "--param NAME=VALUE")
        try:
            found[name] = from_json(raw)
        except UNDECODABLE:
            found[name] = raw
    for text in secrets:
        name, path = _split(text, "--secret-file NAME=FILE")
        try:
            found[name] = read_regular(Path(path), pipes=True).decode().rstrip("\n")
        except UnicodeDecodeError:
            raise InvalidInput(f"{path} is no text") from None
    return found


def _split(text: str, usage: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"{name[:60]!r} is not understood", hint=usage)
    return name, value
