"""docs/glossary.md and the code use the same words, and nothing uses the words they took the place of."""

from __future__ import annotations

import re

import pytest
from pages_support import ROOT, code, tracked

PAGE = "docs/glossary.md"
# What was said before, and would be a second word for something that has one.
RETIRED = re.compile(r"\b(throne|crown|crowned|ledger|courtier|nudge|portrait)s?\b", re.IGNORECASE)
HERE = "tests/docs/test_docs_glossary.py"


def _rows() -> list[list[str]]:
    lines = (ROOT / PAGE).read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1:]]


def _defined() -> set[str]:
    found: set[str] = set()
    for name in tracked():
        if name.startswith("aware_agent/") and name.endswith(".py"):
            text = (ROOT / name).read_text(encoding="utf-8")
            found |= set(re.findall(r"^(?:class|def|async def) (\w+)", text, re.MULTILINE))
    return found


def test_every_word_is_there_once_and_says_something() -> None:
    rows = _rows()
    assert len(rows) > 20
    assert all(len(row) == 3 and row[0] and len(row[1]) > 10 for row in rows), rows
    words = [row[0] for row in rows]
    assert len(words) == len(set(words))


def test_the_names_in_code_are_names_in_code() -> None:
    defined = _defined()
    named = {piece.text.split(".")[0] for piece in code(PAGE) if re.fullmatch(r"[A-Za-z_]+(\.[a-z_]+)?", piece.text)}
    assert len(named) > 20
    assert named - defined == set()


@pytest.mark.parametrize("text", ["the throne is vacant", "class Crown:", "self._ledger", "Throne"])
def test_a_retired_word_would_be_found(text: str) -> None:
    assert RETIRED.search(text.replace("_", " "))


def test_no_retired_word_is_used() -> None:
    found = []
    for name in sorted(tracked() - {HERE}):
        path = ROOT / name
        if path.is_symlink() or path.suffix in (".png", ".gz", ".svg", ".lock") or path.name in ("LICENSE", "COPYING"):
            continue
        text = path.read_text(encoding="utf-8", errors="replace").replace("_", " ")
        found += [f"{name}: {match[0]}" for match in RETIRED.finditer(text)]
    assert found == []
