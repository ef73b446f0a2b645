"""The command ``aware``: its nouns, what they all share, and how it is put together.

Only the noun that is asked for is loaded; help and mistyped words need them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aware_agent.cli.output import Form, choose_form
from aware_agent.colony.decoding import plain_reason
from aware_agent.colony.errors import InvalidInput
from aware_agent.program import report_error

EXITS = (
    "Exit codes: 0 done, 2 usage or invalid input, 3 not logged in or not allowed, 4 not found, 5 changed meanwhile, "
    "7 no gateway answered, 8 too many attempts, 9 a file or the output cannot be read or written, "
    "10 no usable context; 11 and above as aware-agent."
)
# Each noun or verb: its module here, and what of that it is, a group of commands or one command.
NOUNS: dict[str, tuple[str, str]] = {
    "status": ("status", "status"),
    "context": ("contexts", "app"),
    "nodes": ("nodes", "app"),
    "castes": ("castes", "app"),
    "queen": ("queen", "app"),
    "council": ("council", "app"),
    "explain": ("explain", "explain"),
    "events": ("events", "events"),
    "top": ("top", "top"),
    "spec": ("spec", "app"),
    "inventory": ("inventory", "inventory"),
    "login": ("login", "login"),
    "logout": ("login", "logout"),
    "whoami": ("login", "whoami"),
    "tokens": ("tokens", "app"),
    "rotation": ("rotation", "app"),
    "hooks": ("hooks", "app"),
    "job": ("jobs", "app"),
    "secret": ("secrets", "app"),
    "webhooks": ("webhooks", "app"),
    "backup": ("backup", "app"),
    "audit": ("audit", "app"),
    "users": ("users", "app"),
    "identity-providers": ("identity_providers", "app"),
    "service-accounts": ("service_accounts", "app"),
    "sessions": ("sessions", "app"),
    "colony": ("colony", "app"),
    "etcd": ("etcd", "app"),
    "demo": ("demo", "app"),
    "check": ("check", "app"),
    "doctor": ("doctor", "doctor"),
    "simulate": ("simulate", "simulate"),
    "completion": ("completion", "completion"),
}
# The base of wrong usage. Its home differs between releases of Typer, its name does not.
_USAGE: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def assemble(only: str = "") -> typer.Typer:
    """The whole command; with ``only`` nothing but that noun, when it is one."""
    app = typer.Typer(
        name="aware",
        cls=_Root,
        help="Look after a colony: a cluster that organises itself.",
        epilog=EXITS,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name, (module, attribute) in NOUNS.items():
        if only in NOUNS and name != only:
            continue
        found = getattr(import_module(f"aware_agent.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def asked_noun(arguments: Sequence[str]) -> str:
    """The word that may be the noun of these arguments; "" when it takes more than that to answer them."""
    if "_AWARE_COMPLETE" in os.environ:
        typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")  # bash; zsh and fish
        words = typed.split()[1:]
        return words[0] if len(words) > 1 else ""
    return arguments[0] if arguments else ""


class _Root(TyperGroup):
    """Ends every command that fails with one line and an exit code, before Typer gets to see the error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_yaml(self)

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
        raise  # Typer prints it, with what it takes a mistyped command or option for
    except Exception as error:
        raise typer.Exit(report_error(error)) from None


def _offer_yaml(command: Any) -> None:
    """Give every command below that has ``--json`` also ``--yaml``."""
    for below in getattr(command, "commands", {}).values():
        _offer_yaml(below)
    known = next((one for one in command.params if one.name == "as_json"), None)
    if known is None or any(one.name == "as_yaml" for one in command.params):
        return
    option = copy(known)
    option.name, option.opts, option.help = "as_yaml", ["--yaml"], known.help.replace("JSON", "YAML")
    option.default = False
    command.params.insert(command.params.index(known) + 1, option)
    command.callback = _in_form(command.callback, always=bool(known.default))


def _in_form(run: Callable[..., Any], *, always: bool) -> Callable[..., Any]:
    """``always``: it prints JSON unasked, which nobody has to take back to get YAML."""

    def chosen(*args: Any, as_json: bool, as_yaml: bool, **options: Any) -> Any:
        if as_json and as_yaml and not always:
            raise InvalidInput("--json and --yaml exclude each other", hint="leave out one")
        choose_form(Form.YAML if as_yaml else Form.JSON)
        return run(*args, as_json=as_json or as_yaml, **options)

    return chosen


def _version(wanted: bool) -> None:
    if wanted:
        from aware_agent import __version__

        typer.echo(f"aware {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Look after a colony: a cluster that organises itself."""
