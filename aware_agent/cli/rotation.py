"""``aware rotation``: new CAs and a new colony secret for a colony that goes on working."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.options import ContextOption, JsonOption, gateway
from aware_agent.cli.output import print_fields, print_json, print_table, say
from aware_agent.cli.rotation_follow import followed, waiting

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

app = typer.Typer(help="New CAs and a new colony secret, in two phases.", no_args_is_help=True)
MaterialOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Directory made by: aware colony material. It keeps what is new.")
]


@app.command("start")
def start(
    *,
    material: MaterialOption = None,
    hold: Annotated[
        bool, typer.Option("--hold/--auto", help="Wait for: aware rotation continue, before a step.")
    ] = True,
    patience: Annotated[str, typer.Option(help="How long nodes that are away are waited for in each phase.")] = "5m",
    keep_ca: Annotated[bool, typer.Option("--keep-ca", help="Only the colony secret is new.")] = False,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a new generation of CAs and secret to all nodes. They go on signing with the old one."""
    from aware_agent.cli.tokens import seconds

    body = {"action": "start", "hold": hold, "patience_s": float(seconds(patience)), "keep_ca": keep_ca}
    with gateway(context) as client:
        if material is not None and not keep_ca:
            body |= _bring(client, material)
        _order(client, body, as_json)


@app.command("continue")
def resume(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Allow the next step: it is taken as soon as every node is ready for it."""
    with gateway(context) as client:
        _order(client, {"action": "continue"}, as_json)


@app.command("abort")
def abort(context: ContextOption = None, as_json: JsonOption = False) -> None:
    """Go back to what was before; everything goes on working."""
    with gateway(context) as client:
        _order(client, {"action": "abort"}, as_json)


@app.command("status")
def status(
    *,
    wait: Annotated[
        str | None, typer.Option(metavar="TIME", help="Wait so long until the next step is safe, or all is done.")
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far it is, node by node."""
    with gateway(context) as client:
        data = _awaited(client, wait)
    if as_json:
        print_json(data)
        return
    others = f"{data['generation']} signs, {data['other']} is believed" if data["other"] else str(data["generation"])
    print_fields((("phase", data["phase"]), ("generation", others), ("next", _next(data))))
    for problem in data["etcd"]:
        say(problem)
    rows = [
        (n["name"], n["standing"], ", ".join(map(str, n["holds"])) or "-", n["signed_by"] or "-", n["lacks"] or "-")
        for n in data["nodes"]
    ]
    print_table(("NODE", "STANDING", "HOLDS", "SIGNED BY", "LACKS"), rows)


@app.command("sync")
def sync(
    *,
    material: MaterialOption = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring this machine in line: the CAs the context believes and, with --material, that directory."""
    from aware_agent.cli.rotation_files import sync as sync_files

    with gateway(context) as client:
        before = _believed(client)
        data = client.get("/v1/rotation").data
        bundle = str(data["ca"]).encode()
        _believe(client, bundle)
        written = [str(client.context.ca_file)] if _believed(client) != before else []
        if data["phase"] in ("switched", "returning"):
            client.refresh()  # the access token of before ends with the secret that is given up
        restart = False
        if material is not None:
            settled = not data["other"]
            outcome = sync_files(
                material,
                generation=data["generation"],
                settled=settled,
                bundle=bundle,
                council_bundle=str(data["council_ca"]).encode(),
            )
            written += [str(material / name) for name in outcome.written]
            restart = outcome.believes_others
    if as_json:
        print_json({"changed": bool(written), "written": written, "restart_etcd": restart})
        return
    for path in written:
        say(f"{path} written")
    if restart:
        say("restart etcd, one member after the other, so that it believes the CAs in council-ca.crt")


def _bring(client: Gateway, material: Path) -> dict[str, Any]:
    from aware_agent.cli.rotation_files import prepare_next

    last = int(client.get("/v1/rotation").data["last"])
    return prepare_next(material, last + 1)


def _order(client: Gateway, body: dict[str, Any], as_json: bool) -> None:
    changed = bool(client.request("POST", "/v1/rotation", body=body).data["changed"])
    data = client.get("/v1/rotation").data
    if as_json:
        print_json({"changed": changed, "phase": data["phase"], "generation": data["generation"]})
    else:
        say(f"{data['phase']}: {_next(data)}")


def _awaited(client: Gateway, wait: str | None) -> dict[str, Any]:
    from aware_agent.cli.tokens import seconds

    return followed(client, float(seconds(wait) if wait else 0))


def _believed(client: Gateway) -> bytes | None:
    from aware_agent.security.files import read_public

    return read_public(client.context.ca_file) if client.context.ca_file else None


def _believe(client: Gateway, bundle: bytes) -> None:
    """Write the CAs of now where the context has its own, also where the client did not find that out by itself."""
    from aware_agent.security.files import PUBLIC_MODE, write_atomic

    if client.context.ca_file is not None and _believed(client) != bundle:
        write_atomic(client.context.ca_file, bundle, PUBLIC_MODE)


def _next(data: dict[str, Any]) -> str:
    """What happens next, or what is waited for."""
    slow = waiting(data)
    if data["phase"] == "settled" and not slow:
        return "nothing, no rotation is under way"
    if slow:
        return "waits for " + ", ".join(slow[:5]) + (f" and {len(slow) - 5} more" if len(slow) > 5 else "")
    if data["etcd"]:
        return "waits for etcd"
    if data["hold"] and not data["released"]:
        return "ready to go on: aware rotation continue"
    return "goes on by itself"
