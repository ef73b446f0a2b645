"""A number from outside has one spelling, wherever it comes in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.numbers import decimal, whole

PACKAGE = Path(__file__).parents[2] / "aware_agent"
LOOSE = ["", " 5", "5 ", "+5", "1_000", "05", "-0", "5.0", "1e3", "0x10", "٣", "abc", "nan", "inf", "--5", "5\n"]


@pytest.mark.parametrize("text", [*LOOSE, "-1", str(2**63), "9" * 5000])
def test_loose_spellings_are_no_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="not a whole number from 0 on"):
        whole(text)


@pytest.mark.parametrize(
    "text", [text for text in LOOSE if text not in ("5.0", "-0")] + ["1e999", ".5", "5.", "1." + "0" * 20]
)
def test_loose_spellings_are_no_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="not a number from"):
        decimal(text)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_all_others_are(number: int) -> None:
    assert whole(str(number)) == number
    assert decimal(f"{number % 10**9}.25") == number % 10**9 + 0.25


def test_bounds_are_said() -> None:
    assert whole("-7", -7, 7) == -7
    with pytest.raises(ValueError, match="from -7 to 7"):
        whole("8", -7, 7)
    with pytest.raises(ValueError, match="from 1 to 600"):
        decimal("600.5", 1, 600)


def _parameters(folder: Path, mark: str) -> list[tuple[str, bool]]:
    """Annotated numbers of the programs in ``folder``, and whether ``mark`` stands beside them."""
    found = []
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated":
                words = ast.unparse(node.slice).lstrip("(")
                if words.startswith(("int", "float")):
                    found.append((f"{path.name}:{node.lineno}", mark in words))
    return found


@pytest.mark.parametrize(("folder", "mark"), [("gateway/routes", "STRICT"), ("cli", "parser=")])
def test_no_query_and_no_option_reads_numbers_its_own_way(folder: str, mark: str) -> None:
    found = _parameters(PACKAGE / folder, mark)
    assert len(found) >= 3
    assert [place for place, strict in found if not strict] == [], f"numbers need {mark} beside them"
