"""The page on the command line says what the program has: every check of the doctor, where it is made."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from pages_support import ROOT

from aware_agent.cli import doctor_colony, doctor_controller, doctor_node
from aware_agent.cli.doctor_run import Check
from aware_agent.cli.errors import Unwell

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def _rows(scope: str) -> list[str]:
    """Names of checks in the table of a scope, in its order."""
    section = PAGE.partition(f"(`{scope}`)")[2].partition("\n### ")[0]
    first = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    return [name for cell in first for name in re.findall(r"`([a-z-]+)`", cell)]


@pytest.mark.parametrize(
    ("scope", "checks"),
    [("controller", doctor_controller.CHECKS), ("node", doctor_node.CHECKS), ("colony", doctor_colony.CHECKS)],
)
def test_every_check_is_on_the_page_in_its_order(scope: str, checks: Sequence[Check[object]]) -> None:
    assert _rows(scope) == [check.name for check in checks]


def test_the_page_names_the_exit_code_and_the_bounds() -> None:
    assert f"exit code is {Unwell.exit_code}" in PAGE
    assert f"{doctor_node.SYNCS} writes of {doctor_node.SYNC_BYTES // 1024} KiB" in PAGE
    assert f"up to {doctor_node.LISTEN_S:.0f} s for beacons" in PAGE
    assert f"more than {doctor_colony.MOST_NODES}" in PAGE
    assert f"at most {doctor_colony.MOST_ORDERS}" in PAGE
