"""Recorded states (tests/states/*.txt) are decided today as they were when they were recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from aware_agent.colony.errors import InvalidInput
from aware_agent.simulator import __main__ as command
from aware_agent.simulator import replay as recorded
from aware_agent.simulator.transcript import difference, replay
from tests.recorded import check_recorded

STATES = Path(__file__).parent.parent / "states"


@pytest.mark.parametrize("path", sorted(STATES.glob("*.txt")), ids=lambda p: p.stem)
def test_recorded_state(path: Path) -> None:
    check_recorded(path, replay, difference)


@pytest.mark.parametrize("path", sorted((STATES / "field").glob("*.txt")), ids=lambda p: p.stem)
def test_state_seen_in_the_field(path: Path) -> None:
    """What ``aware explain --to-file`` wrote: the machines of every member, or of one."""
    check_recorded(path, recorded.replay, recorded.difference)


def test_corpus_is_there() -> None:
    assert len(list(STATES.glob("*.txt"))) >= 25
    assert len(list((STATES / "field").glob("*.txt"))) >= 1


def test_difference_shows_what_was_expected_and_what_came() -> None:
    text = "me b\n0 line a b\n    watching\n1 queen a 5\n    watching: all is well\n"
    changed = difference(text)
    assert "-    watching: all is well" in changed
    assert "+    watching: a is queen of term 5" in changed


@pytest.mark.parametrize(
    "line", ["0 dance", "soon tick", "0 won", "0 won five 3", "timing tempo=3", "timing queen_ttl_s", "0"]
)
def test_nonsense_names_its_line(line: str) -> None:
    with pytest.raises(InvalidInput, match="line 2 makes no sense"):
        replay(f"me b\n{line}\n")


def test_replay_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = STATES / "heir-wins.txt", tmp_path / "bad.txt"
    bad.write_text("0 line a\n    gone\n", encoding="utf-8")
    assert command.main(["--replay", str(good)]) == 0
    assert "nothing is different" in capsys.readouterr().out
    assert command.main(["--replay", str(bad)]) == 1
    assert "-    gone" in capsys.readouterr().out


def test_timing_of_a_transcript() -> None:
    assert "wait 0.50 s" in replay("me b\ntiming rank_step_s=0.5\n0 line a b\n0 vacant\n")
