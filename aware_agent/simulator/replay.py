"""Replays a file of recorded states: one that a person wrote, or what ``aware explain --to-file`` told of a colony."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from aware_agent.colony import council, founders, founding, seats
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.founders import Founding
from aware_agent.colony.seats import Council
from aware_agent.colony.transcript import council_told, election_told, heading
from aware_agent.simulator import suspicion_transcript, transcript
from aware_agent.simulator.live_player import live_player
from aware_agent.simulator.transcript import Play, compared, replay_lines

MAX_FILE = 64 * 1024 * 1024  # of sixteen members, far more than they tell
_PLAYERS: dict[str, Callable[[], Play]] = {
    "election": transcript.player,
    "suspicion": suspicion_transcript.player,
    "council": lambda: live_player(Council, get_args(seats.Event), council.decide, council_told),
    "founding": lambda: live_player(Founding, get_args(founders.Event), founding.decide, election_told),
}


def replay(text: str) -> str:
    """The file as it is with today's decisions; one without ``recorded`` lines is of one election.

    Raises :class:`InvalidInput` that names the line.
    """
    playing = transcript.player()

    def play(words: list[str]) -> list[str]:
        nonlocal playing
        if words[0] == "recorded":
            playing = _fresh(_PLAYERS[heading(words)]())
            return []
        return playing(words)

    return replay_lines(text, play, "transcript.py")


def _fresh(play: Play) -> Play:
    """What a live member told begins with its state: without one, the lines would be of nobody."""
    known = False

    def begun(words: list[str]) -> list[str]:
        nonlocal known
        known = known or words[0] == "state"
        if not known:
            raise ValueError("no state yet")
        return play(words)

    return begun


def difference(text: str) -> str:
    """How the file differs from today's decisions, as a unified diff; '' if it does not."""
    return compared(text, replay(text))


def verdict(path: Path) -> tuple[bool, str]:
    """Whether today's rules decide what ``path`` says, and what to tell. Raises :class:`InvalidInput`."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise InvalidInput(f"{path} is larger than {MAX_FILE // 2**20} MiB: that is no transcript")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not text in UTF-8") from None
    changed = difference(text)
    if changed:
        return False, changed + "today's rules decide otherwise\n"
    played = sum(not line.startswith((" ", "#", "state ", "recorded ")) and bool(line) for line in text.splitlines())
    return True, f"nothing is different: today's rules decide the same in {played} lines\n"
