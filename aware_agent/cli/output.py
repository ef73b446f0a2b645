"""How answers are shown: a table for people, JSON for programs. Colours only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STYLES = {
    "healthy": "green",
    "ready": "green",
    "forming": "yellow",
    "degraded": "yellow",
    "suspect": "yellow",
    "warning": "yellow",
    "notice": "cyan",
    "dead": "red",
    "error": "red",
    "left": "dim",
    "queen": "bold magenta",
    "spare": "dim",
}
_WIDE = 4096  # not a terminal: never cut a cell
# The last ones turn the direction of writing, so that a line reads as another than it is.
_CONTROLS = dict.fromkeys(
    (*range(32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
)


def clean(value: Any) -> str:
    """Text that cannot steer the terminal, whatever a node put into it."""
    return str(value).translate(_CONTROLS)


class Form(Enum):
    """How a program wants what it reads."""

    JSON = "json"
    YAML = "yaml"


_form: ContextVar[Form] = ContextVar("form", default=Form.JSON)


def choose_form(form: Form) -> None:
    """What :func:`print_json` and :func:`print_line` print from now on."""
    _form.set(form)


def print_json(data: Any) -> None:
    """Print ``data`` for a program: as indented JSON, or as YAML where that was asked for."""
    if _form.get() is Form.YAML:
        sys.stdout.write(_yaml(data))
    else:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n")


def print_line(data: Any) -> None:
    """Print ``data`` as one line of JSON, or as one document of YAML, and flush it, for streams."""
    if _form.get() is Form.YAML:
        sys.stdout.write("---\n" + _yaml(data))
    else:
        sys.stdout.write(msgspec.json.encode(data).decode() + "\n")
    sys.stdout.flush()


def _yaml(data: Any) -> str:
    import yaml

    text = yaml.safe_dump(msgspec.to_builtins(data), sort_keys=False, allow_unicode=True, width=_WIDE)
    return str(text)


def compact(data: Any) -> str:
    """``data`` as JSON on one line."""
    return msgspec.json.encode(data).decode()


def console() -> Console:
    """A console for standard output as it is now."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() else _WIDE
    return Console(width=wide, highlight=False, markup=False, emoji=False)


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print ``rows`` under ``header``; cells that are a known word get its colour."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in header:
        table.add_column(name, no_wrap=not sys.stdout.isatty())
    for row in rows:
        cells = [clean(cell) for cell in row]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    _print(table)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Print ``name  value`` lines, each value as people read it."""
    from rich.table import Table
    from rich.text import Text

    from aware_agent.cli import human

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=not sys.stdout.isatty())
    for name, value in human.fields(fields):
        text = clean(value)
        table.add_row(clean(name), Text(text, style=STYLES.get(text.partition(" ")[0], "")))
    _print(table)


def _print(table: Table) -> None:
    """Print ``table``; where nobody sees columns line up on a screen, without the blanks at the ends of lines."""
    out = console()
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def say(text: str) -> None:
    """One plain line."""
    sys.stdout.write(clean(text) + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(clean(text) + "\n")
    sys.stderr.flush()


def ago(moment: Any, now: float | None = None) -> str:
    """``moment`` (Unix seconds) as an age: ``12s``, ``5m``, ``3h``, ``2d``; "-" when unknown."""
    if not isinstance(moment, (int, float)) or moment <= 0:
        return "-"
    seconds = max(0.0, (time.time() if now is None else now) - moment)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def pairs(labels: Any) -> str:
    """A dictionary as ``a=1,b=2``; "-" when it is empty."""
    if not isinstance(labels, dict) or not labels:
        return "-"
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
