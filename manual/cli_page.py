"""The reference of the command line, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from manual.commands import Command, Parameter, whole
from manual.markdown import plain, table


def cli_page() -> str:
    """Every command, with all that it takes."""
    aware = whole()
    lines = ["# Commands", "", f"{plain(aware.paragraphs[0])}", "", plain(aware.epilog), ""]
    lines += ["Each noun has a man page as well: `man aware-nodes`.", ""]
    for noun in aware.below:
        lines += [f"## {noun.name}", ""]
        lines += [*_paragraphs(noun), *(line for verb in noun.below for leaf in verb.leaves() for line in _verb(leaf))]
        lines += [*_parameters(noun.parameters)]
    return "\n".join(lines) + "\n"


def _verb(command: Command) -> Iterator[str]:
    yield from (f"### {command.name}", "")
    yield from ("```text", command.synopsis, "```", "")
    yield from _paragraphs(command)
    yield from _parameters(command.parameters)


def _paragraphs(command: Command) -> Iterator[str]:
    for one in command.paragraphs:
        yield from (plain(one), "")


def _parameters(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    if parameters:
        yield from table(("takes", ""), [(f"`{one.usage}`", plain(one.help)) for one in parameters])
