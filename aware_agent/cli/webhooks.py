"""``aware webhooks``: whom the colony tells of its events, how that goes, and what could not be delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli.files import read_secret_text, read_text
from aware_agent.cli.options import (
    ActorOption,
    CasteOption,
    ContextOption,
    JsonOption,
    SeverityOption,
    SubjectOption,
    TypeOption,
    gateway,
)
from aware_agent.cli.output import ago, print_fields, print_json, print_table, say
from aware_agent.cli.paths import at
from aware_agent.cli.tokens import seconds

app = typer.Typer(help="Receivers that are told of events, signed.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id as shown by list.")]
EventId = Annotated[str | None, typer.Argument(metavar="EVENT", help="Id as shown by dead; left out: all of them.")]
SecretFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A secret of your own (whsec_...); left out, one is made.")
]
ToFile = Annotated[Path | None, typer.Option("--to-file", metavar="FILE", help="Write the secret here (0600).")]


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://host/path that is called.")],
    *,
    event_type: TypeOption = None,
    severity: SeverityOption = None,
    subject: SubjectOption = None,
    caste: CasteOption = None,
    actor: ActorOption = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    ca_file: Annotated[Path | None, typer.Option(metavar="FILE", help="CA of the receiver, PEM.")] = None,
    retry: Annotated[str, typer.Option(help="How long one event is tried: 30m, 12h.")] = "1h",
    pause_after: Annotated[str, typer.Option(help="Pause it when nothing was delivered for so long.")] = "1d",
    secret_file: SecretFile = None,
    to_file: ToFile = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell a receiver of events from now on. Its secret is shown this one time only."""
    wanted = {"type": event_type, "severity": severity, "subject": subject, "caste": caste, "actor": actor}
    body: dict[str, Any] = {
        "url": url,
        "filter": {name: value for name, value in wanted.items() if value},
        "description": description,
        "retry_s": seconds(retry),
        "pause_after_s": seconds(pause_after),
    }
    if ca_file is not None:
        body["ca"] = read_text(ca_file, "CA")
    if secret_file is not None:
        body["secret"] = read_secret_text(secret_file, "secret")
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", "/v1/webhooks", body=body).data
    _show_secret(data, to_file, as_json)


@app.command("list")
def list_webhooks(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List webhooks and how they are."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get("/v1/webhooks").data
    if as_json:
        print_json(data)
        return
    rows = [
        (hook["id"], hook["url"], _how(hook), hook["delivered"], hook["dead"], hook["description"])
        for hook in data["webhooks"]
    ]
    print_table(("ID", "URL", "STATE", "DELIVERED", "DEAD", "DESCRIPTION"), rows)


@app.command("show")
def show(webhook: Id, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Show one webhook."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "webhooks", webhook)).data
    if as_json:
        print_json(data)
        return
    shown = {**data, "state": _how(data), "filter": _filter(data["filter"]), "ca": "its own" if data["ca"] else ""}
    names = (
        "id", "url", "description", "filter", "state", "reason", "breaker", "delivered", "failed_attempts", "dead",
        "dropped", "missed", "position", "signatures", "retry_s", "pause_after_s", "ca", "created_by",
    )  # fmt: skip
    print_fields(tuple((name.replace("_", " "), shown[name]) for name in names if shown[name] != ""))


@app.command("test")
def call_once(webhook: Id, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Call it once and show the answer. Exit code 1 when the receiver did not take it."""
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", at("v1", "webhooks", webhook, "test")).data
    if as_json:
        print_json(data)
    elif data["reason"]:
        say(f"not delivered: {data['reason']}")
    else:
        say(f"status {data['status']} after {data['duration_s']:.2f} s: {data['answer']}")
    if not data["delivered"]:
        raise typer.Exit(1)


@app.command("pause")
def pause(webhook: Id, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Deliver nothing until it is resumed; events wait in the history."""
    _patch(webhook, {"paused": True}, "paused", context, as_json)


@app.command("resume")
def resume(webhook: Id, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Go on where it was paused."""
    _patch(webhook, {"paused": False}, "resumed", context, as_json)


@app.command("rotate-secret")
def rotate_secret(
    webhook: Id,
    *,
    keep_old: Annotated[str, typer.Option(help="How long deliveries carry the old signature as well: 0s, 1d.")] = "1d",
    secret_file: SecretFile = None,
    to_file: ToFile = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give it a new secret, shown this one time only; the old one signs beside it for a while."""
    body: dict[str, Any] = {"keep_old_s": 0.0 if keep_old in ("0", "0s") else seconds(keep_old)}
    if secret_file is not None:
        body["secret"] = read_secret_text(secret_file, "secret")
    with gateway(context) as client:
        data: dict[str, Any] = client.request("POST", at("v1", "webhooks", webhook, "secret"), body=body).data
    _show_secret(data, to_file, as_json)


@app.command("deliveries")
def deliveries(webhook: Id, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """How the last deliveries ended, the newest last."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "webhooks", webhook, "deliveries")).data
    if as_json:
        print_json(data)
        return
    rows = [
        (
            one["event"],
            one["type"],
            f"{ago(one['at'])} ago",
            "delivered" if one["delivered"] else "given up",
            one["attempts"],
            one["status"] or "-",
            one["reason"],
        )
        for one in data["deliveries"]
    ]
    print_table(("EVENT", "TYPE", "ENDED", "HOW", "ATTEMPTS", "STATUS", "REASON"), rows)


@app.command("dead")
def dead(webhook: Id, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """List what could not be delivered, oldest first."""
    with gateway(context) as client:
        data: dict[str, Any] = client.get(at("v1", "webhooks", webhook, "dead")).data
    if as_json:
        print_json(data)
        return
    rows = [
        (
            letter["event"]["id"],
            letter["event"]["type"],
            letter["event"]["subject"],
            f"{ago(letter['at'])} ago",
            letter["attempts"],
            "tried again" if letter["replay"] else letter["reason"],
        )
        for letter in data["dead"]
    ]
    print_table(("EVENT", "TYPE", "SUBJECT", "GIVEN UP", "ATTEMPTS", "REASON"), rows)


@app.command("replay")
def replay(webhook: Id, event: EventId = None, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Try a dead letter again, or all of them."""
    with gateway(context) as client:
        if event:
            answer = client.request("POST", at("v1", "webhooks", webhook, "dead", event, "replay"))
        else:
            answer = client.request("POST", at("v1", "webhooks", webhook, "dead", "replay"))
    data: dict[str, Any] = answer.data
    _changed(data, "tried again", as_json)


@app.command("drop")
def drop(webhook: Id, event: EventId = None, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Forget a dead letter, or all of them."""
    with gateway(context) as client:
        if event:
            answer = client.request("DELETE", at("v1", "webhooks", webhook, "dead", event))
        else:
            answer = client.request("DELETE", at("v1", "webhooks", webhook, "dead"))
    data: dict[str, Any] = answer.data
    _changed(data, "dropped", as_json)


@app.command("remove")
def remove(webhook: Id, context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Forget a webhook and its dead letters."""
    with gateway(context) as client:
        data: dict[str, Any] = client.request("DELETE", at("v1", "webhooks", webhook)).data
    _changed(data, "removed", as_json)


def _patch(webhook: str, body: dict[str, Any], done: str, context: Path | None, as_json: bool) -> None:
    with gateway(context) as client:
        data: dict[str, Any] = client.request("PATCH", at("v1", "webhooks", webhook), body=body).data
    _changed(data, done, as_json)


def _changed(data: dict[str, Any], done: str, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        say(done if data["changed"] else "unchanged")


def _show_secret(data: dict[str, Any], to_file: Path | None, as_json: bool) -> None:
    if to_file:
        from aware_agent.security.files import write_atomic

        write_atomic(to_file, str(data.pop("secret")).encode() + b"\n")
    if as_json:
        print_json(data)
        return
    say(f"webhook {data['id']}")
    say(f"secret written to {to_file}" if to_file else f"secret {data['secret']}")


def _how(hook: dict[str, Any]) -> str:
    if hook["paused"]:
        return f"paused: {hook['paused']}"
    return f"failing since {ago(hook['failing_since'])}" if hook["failing_since"] else "ok"


def _filter(wanted: dict[str, Any]) -> str:
    parts = [
        f"{name} {', '.join(value) if isinstance(value, list) else value}" for name, value in sorted(wanted.items())
    ]
    return "; ".join(parts) or "everything"
