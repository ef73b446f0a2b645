"""``aware context``: contexts of several colonies under names of one's own, and which of them is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aware_agent.cli import context_store
from aware_agent.cli.completing import complete_saved
from aware_agent.cli.context import LOCAL, Context, load_context
from aware_agent.cli.context_store import Saved
from aware_agent.cli.errors import ContextError
from aware_agent.cli.options import JsonOption
from aware_agent.cli.output import print_fields, print_json, print_table, say, warn
from aware_agent.colony.errors import AwareError, InvalidInput

app = typer.Typer(help="Contexts of several colonies, and which of them is in use.", no_args_is_help=True)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a saved context.", autocompletion=complete_saved)
]
_ANSWER_S = 5.0  # longest wait for one endpoint


@app.command("list")
def list_contexts(as_json: JsonOption = False) -> None:
    """List saved contexts, and the one that is used here."""
    used = context_store.used_here()
    rows = list(context_store.saved())
    if used is not None and used not in [one.path for one in rows]:
        rows.insert(0, context_store.load("", used))
    if as_json:
        print_json({"contexts": [_document(one, used) for one in rows]})
        return
    if not rows:
        say("no context is saved, and none is used here; aware context add saves one")
        return
    print_table(
        ("USED", "NAME", "COLONY", "LOGGED IN", "ENDPOINTS"),
        [
            (
                "*" if one.path == used else "",
                one.name or one.path,
                one.context.colony if one.context else one.trouble,
                "-" if one.context is None else "yes" if _logged_in(one.context) else "no",
                " ".join(one.context.endpoints) if one.context else "-",
            )
            for one in rows
        ],
    )


@app.command("show")
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A saved context. Default: the one that is used here.", autocompletion=complete_saved
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show one context: endpoints, CA and its pin, where the token lies. The token itself is not shown."""
    used = context_store.used_here()
    if name is not None:
        one = context_store.find(name)
    elif used is None:
        raise ContextError("no context is used here", hint="aware context list, then aware context use NAME")
    else:
        named = {kept.path: kept.name for kept in context_store.saved()}
        one = context_store.load(named.get(used, ""), used)
    context = load_context(one.path, {})  # a damaged one is told as every command tells it
    document = _document(one, used) | {
        "ca_file": str(context.ca_file or ""),
        "ca_pins": _pins(context.ca_file),
        "token_file": str(context.token_file or ""),
    }
    if as_json:
        print_json(document)
    else:
        print_fields((key, value) for key, value in document.items() if value not in ("", None))


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it shall be called.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A context file to take all from. Default, without --endpoint: the one that is used here.",
            show_default=False,
        ),
    ] = None,
    *,
    endpoint: Annotated[
        list[str] | None,
        typer.Option("--endpoint", metavar="URL", help="Gateway of a member, https://host:port. May be repeated."),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", metavar="FILE", help="With --endpoint: the CA of the colony; copied.")
    ] = None,
    ca_pin: Annotated[
        str | None,
        typer.Option("--ca-pin", metavar="PIN", help="With --endpoint: fetch the CA whose key has this pin."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Save a context under a name: from a file, whose token and CA stay where they are, or from endpoints.

    Then: aware login --context NAME. Without a CA the authorities of this system count.
    """
    if not endpoint and (ca_file or ca_pin):
        raise InvalidInput("--ca-file and --ca-pin go with --endpoint", hint="name a member: --endpoint URL")
    if endpoint and file:
        raise InvalidInput("a FILE says its own endpoints", hint="leave out FILE, or --endpoint")
    if ca_file and ca_pin:
        raise InvalidInput("--ca-file and --ca-pin exclude each other", hint="leave out one")
    context_store.place(name)  # before anybody is asked
    if endpoint:
        path = context_store.make(name, endpoint, _authority(endpoint, ca_file, ca_pin))
    else:
        path = context_store.save(name, load_context(file, {}) if file else load_context())
    logged_in = _logged_in(load_context(path, {}))
    then = f"use it: aware context use {name}" if logged_in else f"log in: aware login --context {name}"
    _told(as_json, {"name": name, "file": str(path), "logged_in": logged_in}, f"saved as {name}; {then}")


@app.command("use")
def use(name: NameArgument, as_json: JsonOption = False) -> None:
    """Use a context from now on, where no other one is named: for aware, the inventory plugin and the modules."""
    found = context_store.find(name)
    load_context(found.path, {})  # one that cannot be used is not used
    kept = context_store.keep_own()
    context_store.use(found)
    if kept and not as_json:
        say(f"the context that was in use is kept as {kept}")
    _told(as_json, {"name": name, "kept": kept}, f"{name} is used from now on")
    if (used := context_store.used_here()) != found.path:
        warn(f"but not here: {used or 'AWARE_ENDPOINTS'} comes first ({LOCAL} here or above, or the environment)")


@app.command("remove")
def remove(name: NameArgument, as_json: JsonOption = False) -> None:
    """Forget a saved context, and the token and CA that are kept beside it. A session it has goes on: log out first."""
    was_used = context_store.remove(context_store.find(name))
    more = "; none is in use now: aware context use NAME" if was_used else ""
    _told(as_json, {"name": name, "was_used": was_used}, f"{name} is removed{more}")


def _authority(endpoints: list[str], ca_file: Path | None, pin: str | None) -> bytes | None:
    """The CA that was named, PEM; None when none was."""
    from aware_agent.cli.files import read_text

    if ca_file is not None:
        return read_text(ca_file, "CA file").encode() + b"\n"
    if pin is None:
        return None
    from aware_agent.cli.verified import fetch_pinned

    return fetch_pinned(endpoints, pin, _ANSWER_S)


# Telling ---------------------------------------------------------------------------------------------------------


def _logged_in(context: Context) -> bool:
    try:
        return bool(context.token())
    except AwareError:
        return False


def _pins(ca_file: Path | None) -> list[str]:
    from aware_agent.security.pki import pins_of
    from aware_agent.security.regular import read_regular

    try:
        return pins_of(read_regular(ca_file)) if ca_file else []
    except (OSError, ValueError):
        return []


def _document(one: Saved, used: Path | None) -> dict[str, Any]:
    found = one.context
    return {
        "name": one.name or None,
        "file": str(one.path),
        "used": one.path == used,
        "colony": found.colony if found else "",
        "endpoints": list(found.endpoints) if found else [],
        "logged_in": bool(found and _logged_in(found)),
        "trouble": one.trouble,
    }


def _told(as_json: bool, document: dict[str, Any], sentence: str) -> None:
    if as_json:
        print_json({"changed": True, **document})
    else:
        say(sentence)
