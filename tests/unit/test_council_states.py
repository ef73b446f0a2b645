"""Recorded states of the council (tests/states/council/*.txt) are decided today as when they were recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from aware_agent.colony.errors import InvalidInput
from aware_agent.simulator.council_transcript import difference, replay
from tests.recorded import check_recorded

STATES = Path(__file__).parent.parent / "states" / "council"


@pytest.mark.parametrize("path", sorted(STATES.glob("*.txt")), ids=lambda p: p.stem)
def test_recorded_state(path: Path) -> None:
    check_recorded(path, replay, difference)


def test_corpus_is_there() -> None:
    assert len(list(STATES.glob("*.txt"))) >= 20


@pytest.mark.parametrize("line", ["0 dance", "soon look", "spec many", "node", "no-member 7", "0"])
def test_nonsense_names_its_line(line: str) -> None:
    with pytest.raises(InvalidInput, match="line 2 makes no sense"):
        replay(f"queen a\n{line}\n")


def test_difference_shows_what_was_expected_and_what_came() -> None:
    changed = difference("queen a\n0 blind it is gone\n    nothing\n")
    assert "-    nothing" in changed
    assert "+    wait" in changed
