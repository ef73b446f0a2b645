"""What a founder tells of itself on its own host, in a file: there is no colony yet that anybody could ask or believe.

The file is of no use to the founder; nothing depends on it, and what cannot be written is left out.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from aware_agent import __version__
from aware_agent.agent.explanation import Happening
from aware_agent.agent.member.happenings import happened
from aware_agent.colony.decision_log import DecisionLog
from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.founders import Founding, Level
from aware_agent.colony.transcript import recorded
from aware_agent.security.files import write_atomic

log = logging.getLogger(__name__)

FILE = "founding-told.json"
AGAIN_S = 5.0  # without any news
SHOWN = 20
MAX_TRANSCRIPT = 64 * 1024
_STANDS = {
    Level.PROPOSES: "would found",
    Level.READY: "is ready to found",
    Level.CONFIRMS: "has confirmed for good to found",
    Level.FOUNDED: "has founded",
}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Another founder: when it was heard (Unix seconds), and where it stands."""

    node: str
    name: str
    heard_at: float
    counts: bool  # it was heard a moment ago
    stands: str
    founders: list[str]


class FoundingTold(msgspec.Struct, frozen=True, kw_only=True):
    """One founder's state at ``at`` (Unix seconds). Nodes are named."""

    node: str
    name: str
    version: str
    process: int  # pid
    at: float
    phase: str
    size: int
    founders: list[str]  # proposed, held or confirmed
    confirmed: list[str]  # for good, on disk
    waits: str  # the last sentence it had to say
    seen: list[Seen]
    decisions: list[Happening]  # the last ones, oldest first
    transcript: str


def told(state: Founding, kept: DecisionLog, now: float, at: float) -> FoundingTold:
    """What ``state`` and what was ``kept`` say at monotonic time ``now``, which is ``at`` in Unix seconds."""

    def name_of(node: str) -> str:
        return one_line({**state.names, state.me: state.name}.get(node, node))

    seen = [
        Seen(
            node=one_line(said.sender),
            name=name_of(said.sender),
            heard_at=round(at - (now - state.heard_at[said.sender]), 3),
            counts=now - state.heard_at[said.sender] <= state.rules.fresh_s,
            stands=_STANDS[said.level],
            founders=[name_of(node) for node in said.founders],
        )
        for said in sorted(state.heard.values(), key=lambda said: said.sender)
    ]
    decisions = [
        Happening(
            age_s=round(now - entry.at, 3),
            machine="founding",
            happened=happened(entry.event, name_of),
            decided=one_line(entry.decision.message),
        )
        for entry in kept.entries()
        if entry.decision.message
    ]
    return FoundingTold(
        node=state.me,
        name=state.name,
        version=__version__,
        process=os.getpid(),
        at=at,
        phase=state.phase.value,
        size=state.size,
        founders=[name_of(node) for node in state.founders],
        confirmed=[name_of(node) for node in state.confirmed],
        waits=one_line(state.told),
        seen=seen,
        decisions=decisions[-SHOWN:],
        transcript=recorded("founding", state.name, state, kept.entries(), MAX_TRANSCRIPT),
    )


class FoundingNote:
    """Keeps the file up to date, for as long as this node founds."""

    def __init__(self, state_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = state_dir / FILE, clock
        self._shown: object = None
        self._at = 0.0

    def keep(self, state: Founding, kept: DecisionLog, now: float) -> None:
        """Write when there is news, and now and then without."""
        news = state.phase, state.told, {node: (said.level, said.founders) for node, said in state.heard.items()}
        if news == self._shown and now < self._at + AGAIN_S:
            return
        self._shown, self._at = news, now
        try:
            write_atomic(self._path, msgspec.json.encode(told(state, kept, now, self._clock())))
        except (AwareError, OSError) as error:
            log.debug("nobody is told of this founding: %s", error)

    def end(self) -> None:
        """It is over, one way or the other."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.debug("%s stays: %s", self._path, error)
