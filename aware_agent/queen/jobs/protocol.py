"""What the agent and the process of a job say to each other, over the process's standard input and output.

The agent writes one line, :class:`RunOrder`, and then a byte each second as long as it reigns: :data:`ALIVE`, or
:data:`CANCEL`. The process writes one line of JSON for each :class:`Told`, the last one a :class:`Ended`. It ends when
its input ends (its agent died) and when nothing comes for :data:`SILENCE_S` (its agent hangs, and may reign no more).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from aware_agent.colony.jobs import JobState, Progress
from aware_agent.colony.trace import MAX_SPANS, Parent, Span
from aware_agent.security.colony_secret import NamedSecret

ALIVE, CANCEL = b".", b"c"
HEARTBEAT_S = 1.0
SILENCE_S = 6.0
END_S = 5.0  # a process that was told to end gets so long before it is killed
INHERIT_S = SILENCE_S + END_S + 1.0  # what ran under an earlier queen has ended by then, hers being dead or hanging
MAX_LINE = 4 << 20  # of either side
PREFIX = "job-"  # of the name of a job's directory, which its process holds a lock on


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to run, and with what."""

    job: str
    term: int
    attempt: int
    playbook: str
    parameters: dict[str, Any]  # secrets among them
    secrets: tuple[str, ...]  # texts that must not be shown, beside those of ``used``
    used: tuple[NamedSecret, ...] = ()  # of the colony's secrets, those that the operation names
    hosts: tuple[str, ...]
    castes: tuple[str, ...]
    time_limit_s: float
    log_bytes: int
    memory_bytes: int
    colony: str
    url: str  # of the gateway beside the agent
    ca: str  # PEM
    token: str  # opens the inventory, for a few minutes
    directory: str  # the job's own, 0700 and empty; the agent removes it
    user: str  # whom to become; empty: nobody else
    hidden: tuple[str, ...]  # paths that nothing of it may see
    trace: Parent = ""  # the span it works for, if that is recorded

    def __repr__(self) -> str:
        """Without secrets."""
        return f"RunOrder({self.job!r})"


class Said(msgspec.Struct, frozen=True, kw_only=True, tag="said"):
    """How far it is, and what it printed since."""

    progress: Progress
    text: str = ""
    printed: int = 0  # bytes since the beginning
    cut: int = 0  # of them left out


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """How it went."""

    state: JobState
    reason: str
    message: str
    spans: Annotated[tuple[Span, ...], msgspec.Meta(max_length=MAX_SPANS)] = ()


Told = Said | Ended
