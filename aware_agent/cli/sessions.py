"""``aware sessions``: who is logged in, and ending that."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import ago, print_json, print_table, say
from aware_agent.cli.paths import at

app = typer.Typer(help="Sessions: what each login began.", no_args_is_help=True)


@app.command("list")
def list_sessions(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List your sessions; as admin those of everybody."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/sessions").data
    if as_json:
        print_json(data)
        return
    rows = [
        (
            session["id"],
            session["user"],
            f"{ago(session['begun_at'])} ago",
            f"{ago(session['refreshed_at'])} ago",
            session["source"] or "-",
            session["client"] or "-",
            "this one" if session["current"] else "",
        )
        for session in data["sessions"]
    ]
    print_table(("ID", "USER", "BEGUN", "REFRESHED", "FROM", "CLIENT", ""), rows)


@app.command("end")
def end(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="Id as shown by list.")],
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """End one session: its tokens are refused from then on."""
    _end(at("v1", "sessions", session_id), f"session {session_id} ended", context, as_json)


@app.command("end-all")
def end_all(
    user: Annotated[
        str | None, typer.Option(help="Only the sessions of this user; without, everybody is logged out, you too.")
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """End all sessions."""
    if user is None:
        _end("/v1/sessions", "everybody is logged out", context, as_json)
    else:
        _end(at("v1", "users", user, "sessions"), f"user {user} is logged out", context, as_json)


def _end(path: str, sentence: str, context: Any, as_json: bool) -> None:
    with gateway(context) as client:
        answer = client.request("DELETE", path)
    if as_json:
        print_json(answer.data if answer.data is not None else {"changed": True})
    else:
        say(sentence)
