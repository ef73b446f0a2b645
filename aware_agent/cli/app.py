"""The command ``aware``: puts the nouns together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aware_agent.cli import (
    audit,
    backup,
    castes,
    check,
    colony,
    completion,
    contexts,
    council,
    demo,
    doctor,
    etcd,
    events,
    explain,
    hooks,
    identity_providers,
    inventory,
    jobs,
    login,
    nodes,
    queen,
    rotation,
    service_accounts,
    sessions,
    simulate,
    spec,
    status,
    tokens,
    users,
    webhooks,
)
from aware_agent.colony.decoding import plain_reason
from aware_agent.program import report_error

EXITS = (
    "Exit codes: 0 done, 2 usage or invalid input, 3 not logged in or not allowed, 4 not found, 5 changed meanwhile, "
    "7 no gateway answered, 8 too many attempts, 9 a file or the output cannot be read or written, "
    "10 no usable context; 11 and above as aware-agent."
)


# The base of wrong usage. Its home differs between releases of Typer, its name does not.
_USAGE: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


class _Root(TyperGroup):
    """Ends every command that fails with one line and an exit code, before Typer gets to see the error."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments; help and version are printed here."""
        with _told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _told():
            return super().invoke(ctx)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise  # Typer's own
    except _USAGE as error:
        error.message = plain_reason(str(getattr(error, "message", "")))  # type: ignore[attr-defined]
        raise  # Typer prints it
    except Exception as error:
        raise typer.Exit(report_error(error)) from None


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
app.add_typer(contexts.app, name="context")
app.add_typer(nodes.app, name="nodes")
app.add_typer(castes.app, name="castes")
app.add_typer(queen.app, name="queen")
app.add_typer(council.app, name="council")
app.command("explain")(explain.explain)
app.command("events")(events.events)
app.add_typer(spec.app, name="spec")
app.command("inventory")(inventory.inventory)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("whoami")(login.whoami)
app.add_typer(tokens.app, name="tokens")
app.add_typer(rotation.app, name="rotation")
app.add_typer(hooks.app, name="hooks")
app.add_typer(jobs.app, name="job")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(backup.app, name="backup")
app.add_typer(audit.app, name="audit")
app.add_typer(users.app, name="users")
app.add_typer(identity_providers.app, name="identity-providers")
app.add_typer(service_accounts.app, name="service-accounts")
app.add_typer(sessions.app, name="sessions")
app.add_typer(colony.app, name="colony")
app.add_typer(etcd.app, name="etcd")
app.add_typer(demo.app, name="demo")
app.add_typer(check.app, name="check")
app.command("doctor")(doctor.doctor)
app.command("simulate")(simulate.simulate)
app.command("completion")(completion.completion)
