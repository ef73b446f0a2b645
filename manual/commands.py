"""The commands of ``aware`` as plain values, read from the command itself: no reference can tell another story."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.main import get_command

from aware_agent.cli.commands import assemble


@dataclass(frozen=True)
class Parameter:
    """An option or an argument. ``usage``: as it is typed, ``--json`` or ``--limit NUMBER`` or ``NODE``."""

    usage: str
    help: str
    required: bool
    option: bool


@dataclass(frozen=True)
class Command:
    """``words``: what is typed, as in ``aware nodes list``; ``below``: the commands of a group."""

    words: tuple[str, ...]
    help: str
    epilog: str
    parameters: tuple[Parameter, ...]
    below: tuple[Command, ...]

    @property
    def name(self) -> str:
        """All words, as they are typed."""
        return " ".join(self.words)

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return re.split(r"(?<=[.:;]) ", self.paragraphs[0], maxsplit=1)[0].rstrip(":;.") if self.paragraphs else ""

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """Its help, each paragraph on one line."""
        return tuple(" ".join(part.split()) for part in re.split(r"\n\s*\n", self.help) if part.strip())

    @property
    def options(self) -> tuple[Parameter, ...]:
        """What begins with a dash."""
        return tuple(one for one in self.parameters if one.option)

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        """What has a place instead of a name."""
        return tuple(one for one in self.parameters if not one.option)

    @property
    def synopsis(self) -> str:
        """How it is typed, without its options."""
        if self.below:
            return f"{self.name} COMMAND [ARGUMENTS]"
        words = [one.usage if one.required else f"[{one.usage}]" for one in self.arguments]
        return " ".join([self.name, *(["[OPTIONS]"] if self.options else []), *words])

    def leaves(self) -> Iterator[Command]:
        """Every command that does something: this one, or those below it."""
        if not self.below:
            yield self
        for one in self.below:
            yield from one.leaves()


def whole() -> Command:
    """``aware`` with everything below it."""
    return _command(get_command(assemble()), ("aware",))


def _command(found: Any, words: tuple[str, ...]) -> Command:
    below = getattr(found, "commands", {})
    return Command(
        words=words,
        help=found.help or "",
        epilog=" ".join((found.epilog or "").split()),
        parameters=tuple(_parameter(one) for one in found.params if not one.hidden),
        below=tuple(_command(one, (*words, name)) for name, one in sorted(below.items()) if not one.hidden),
    )


def _parameter(found: Any) -> Parameter:
    option = found.opts[0].startswith("-")
    value = found.metavar or ("" if getattr(found, "is_flag", False) else found.name.upper())
    if option:
        names = ", ".join([*found.opts, *found.secondary_opts])
        usage = f"{names} {value}".strip()
    else:
        usage = f"{value}..." if found.nargs < 0 else value
    return Parameter(usage, _told(found), bool(found.required), option)


def _told(found: Any) -> str:
    """Its help, with what is taken when nothing is said where the command's own help tells that as well."""
    told = " ".join((found.help or "").split())
    shown = found.show_default if isinstance(found.show_default, str) else ""
    if not shown and found.show_default and isinstance(found.default, int | float | str) and found.default != "":
        shown = "" if isinstance(found.default, bool) else str(found.default)
    return f"{told} Default: {shown}." if shown else told
