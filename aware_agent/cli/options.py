"""Options that many commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

ContextOption = Annotated[
    Path | None,
    typer.Option(
        "--context",
        metavar="FILE",
        help="Context file. Default: $AWARE_CONTEXT, .aware/context.json here or above, ~/.config/aware/context.json.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]


def gateway(context: Path | None) -> Gateway:
    """A client for the colony of ``context``; the HTTP library is loaded only here."""
    from aware_agent.cli.context import load_context

    loaded = load_context(context)  # before the import: a missing context is told at once
    from aware_agent.cli.client import Gateway

    return Gateway(loaded)
