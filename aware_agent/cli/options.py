"""Options that many commands share, so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aware_agent.cli.completing import complete_context
from aware_agent.colony.numbers import MOST, decimal, whole

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

ContextOption = Annotated[
    Path | None,
    typer.Option(
        "--context",
        metavar="NAME|FILE",
        help="Saved context or context file. Default: $AWARE_CONTEXT, .aware/context.json here or above, "
        "~/.config/aware/context.json.",
        show_default=False,
        autocompletion=complete_context,
    ),
]
# Filters of events. * in a pattern stands for any text.
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="PATTERN", help="Only of this type: node.*, queen.elected. May be repeated."),
]
SeverityOption = Annotated[
    str | None, typer.Option(metavar="SEVERITY", help="Only this and what is worse: info, notice, warning, error.")
]
SubjectOption = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Only what happened to this. May be repeated.")
]
CasteOption = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Only of nodes of this caste. May be repeated.")
]
ActorOption = Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Only what they did. May be repeated.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]

WHOLE_NUMBER, NUMBER = "INTEGER", "NUMBER"  # their metavars


def integer(least: int = 0, most: int = MOST) -> Callable[[str | int], int]:
    """Parser of an option that is a whole number, in the one spelling there is; click's own takes ``1_000``."""

    def parse(text: str | int) -> int:
        try:
            return whole(str(text), least, most)  # a default comes as what it is
        except ValueError as error:
            raise typer.BadParameter(f"{str(text)[:40]!r} is {error}") from None

    return parse


def number(least: float = 0.0, most: float = 1e15) -> Callable[[str | float], float]:
    """Parser of an option that is a number, such as seconds; click's own takes ``nan``."""

    def parse(text: str | float) -> float:
        try:
            return decimal(str(text), least, most)
        except ValueError as error:
            raise typer.BadParameter(f"{str(text)[:40]!r} is {error}") from None

    return parse


def gateway(context: Path | None) -> Gateway:
    """A client for the colony of ``context``; the HTTP library is loaded only here."""
    from aware_agent.cli.context import load_context

    loaded = load_context(context)  # before the import: a missing context is told at once
    from aware_agent.cli.client import Gateway

    return Gateway(loaded)
