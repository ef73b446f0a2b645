"""A node that people took out for a while: repair, a move, power off. Nobody misses it until its time is over.

It is an order, not an observation: a node that is away may well answer. It stays away until it is told to come back or
its deadline passes, because a host under repair starts more than once before it is well.
"""

from __future__ import annotations

import msgspec

from aware_agent.colony.decoding import Line, Moment, Word
from aware_agent.colony.errors import InvalidInput

MAX_REASON = 200  # characters
MAX_AWAY_S = 366 * 86400.0  # who is gone for longer is removed


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a node away, why, and until when. Times in Unix seconds."""

    by: Word
    since: Moment
    reason: Line = ""
    until: Moment | None = None  # None: until somebody says that it is back
    here: bool = False  # it shows its presence all the same
    caste: Word = ""  # what it served in: a gap there is its own


def check_away(reason: str, until: float | None, now: float) -> None:
    """Raise :class:`InvalidInput` for a reason or a deadline that cannot be."""
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise InvalidInput("reason is no line of text", field="reason", hint=f"at most {MAX_REASON} characters")
    if until is not None and not now < until <= now + MAX_AWAY_S:
        raise InvalidInput(
            "until is not within the next year", field="until", hint="leave it out: away until told to be back"
        )
