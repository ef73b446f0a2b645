"""Man pages: ``aware(1)`` and one for each of its nouns, in the macros of man(7)."""

from __future__ import annotations

from collections.abc import Iterator

from aware_agent import __version__
from manual.commands import Command, Parameter, whole

SECTION = "1"
_FILES = (
    ("$AWARE_CONTEXT", "A saved context or a context file: which colony is asked, and how."),
    (".aware/context.json", "The context of a checkout, here or above; it is made by the playbooks and the demo."),
    ("~/.config/aware/context.json", "The context that is taken when there is no other."),
)


def man_pages() -> dict[str, str]:
    """File name -> page, for ``aware`` and each of its nouns."""
    aware = whole()
    pages = [aware, *aware.below]
    return {f"{_title(one)}.{SECTION}": _page(one, aware) for one in pages}


def _title(command: Command) -> str:
    return "-".join(command.words)


def _page(command: Command, aware: Command) -> str:
    lines = [
        f'.TH "{_title(command).upper()}" "{SECTION}" "" "AWARE {__version__}" "AWARE"',
        ".SH NAME",
        f"{_text(_title(command))} \\- {_text(command.summary[:1].lower() + command.summary[1:])}",
        ".SH SYNOPSIS",
        *_synopses(command),
        ".SH DESCRIPTION",
        *_paragraphs(command.paragraphs),
    ]
    if command is aware:
        lines += [".SH COMMANDS", *_table((f"{_title(one)}(1)", one.summary + ".") for one in aware.below)]
    for one in command.below if command is not aware else ():
        lines += _verb(one)
    if command.parameters:
        lines += [".SH OPTIONS", *_parameters(command.parameters)]
    lines += [".SH EXIT STATUS", *_paragraphs([aware.epilog.removeprefix("Exit codes: ")])]
    lines += [".SH FILES", *_table(_FILES)]
    others = [f".BR {_text(_title(one))} ({SECTION})" for one in ((aware,) if command is not aware else aware.below)]
    lines += [".SH SEE ALSO", *[f"{line}," for line in others[:-1]], others[-1]]
    return "\n".join(lines) + "\n"


def _synopses(command: Command) -> Iterator[str]:
    for number, one in enumerate(command.leaves()):
        if number:
            yield ".br"
        if command.words == ("aware",):
            yield ".B aware"
            yield "COMMAND [ARGUMENTS]"
            return
        yield f".B {_text(one.name)}"
        if rest := one.synopsis.removeprefix(one.name).strip():
            yield _text(rest)


def _verb(command: Command) -> Iterator[str]:
    """A command of a noun with all that it takes; groups below a noun are told with their commands."""
    for one in command.leaves():
        yield f".SS {_text(one.synopsis)}"
        yield from _paragraphs(one.paragraphs)
        yield from _parameters(one.parameters)


def _parameters(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    return _table((one.usage, one.help) for one in parameters)


def _table(rows: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, told in rows:
        yield ".TP"
        yield f".B {_text(name)}"
        yield _text(told) or "\\&"


def _paragraphs(paragraphs: tuple[str, ...] | list[str]) -> Iterator[str]:
    for number, one in enumerate(paragraphs):
        if number:
            yield ".PP"
        yield _text(one)


def _text(text: str) -> str:
    """``text`` as roff prints it: a backslash is one, a dash can be copied, no line begins with a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return "\\&" + escaped if escaped[:1] in (".", "'") else escaped
