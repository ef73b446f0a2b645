"""The entry point of ``aware``: puts the nouns together and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aware_agent.cli import (
    backup,
    colony,
    completion,
    demo,
    etcd,
    events,
    hooks,
    inventory,
    login,
    nodes,
    queen,
    rotation,
    spec,
    status,
    tokens,
    users,
)
from aware_agent.colony.errors import AwareError

EXITS = (
    "Exit codes: 0 done, 2 usage or invalid input, 3 not logged in or not allowed, 4 not found, 5 changed meanwhile, "
    "7 no gateway answered, 8 too many attempts, 10 no usable context; 11 and above as aware-agent."
)


class _Root(TyperGroup):
    """Shows errors raised on purpose as one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an :class:`AwareError` ends it with its exit code."""
        try:
            return super().invoke(ctx)
        except AwareError as error:
            if os.environ.get("AWARE_DEBUG") == "1":
                raise
            sys.stderr.write("error: " + " ".join(str(error).split()) + "\n")
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            # The reader went away (aware events | head): not an error, and nothing may be flushed any more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None


app = typer.Typer(
    name="aware",
    cls=_Root,
    help="Look after a colony: a cluster that organises itself.",
    epilog=EXITS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from aware_agent import __version__

        typer.echo(f"aware {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Look after a colony: a cluster that organises itself."""


app.command("status")(status.status)
app.add_typer(nodes.app, name="nodes")
app.add_typer(queen.app, name="queen")
app.command("events")(events.events)
app.add_typer(spec.app, name="spec")
app.command("inventory")(inventory.inventory)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("whoami")(login.whoami)
app.add_typer(tokens.app, name="tokens")
app.add_typer(rotation.app, name="rotation")
app.add_typer(hooks.app, name="hooks")
app.add_typer(backup.app, name="backup")
app.add_typer(users.app, name="users")
app.add_typer(colony.app, name="colony")
app.add_typer(etcd.app, name="etcd")
app.add_typer(demo.app, name="demo")
app.command("completion")(completion.completion)


def main() -> None:
    """Run ``aware`` with the arguments of the process."""
    app(prog_name="aware")
