"""``aware completion``: the script that lets a shell complete ``aware``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """Shells with completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Shell to print the script for.")] = Shell.BASH) -> None:
    """Print the completion script of a shell. For bash: eval "$(aware completion bash)"."""
    # Read through the module: typer has it there in every release, but does not list it as exported.
    import typer.completion as scripts

    make = vars(scripts)["get_completion_script"]
    typer.echo(make(prog_name="aware", complete_var="_AWARE_COMPLETE", shell=shell.value))
