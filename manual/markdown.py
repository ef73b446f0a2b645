"""Pieces of Markdown, as MyST reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def plain(text: str) -> str:
    """``text`` as it is: what would be markup in Markdown is not."""
    return re.sub(r"([\\`*_<>\[\]$~])", r"\\\1", text)


def cell(text: str) -> str:
    """Markdown that fits one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|") or " "


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table and the empty line behind it."""
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cell(one) for one in row) + " |" for row in lines), ""]
