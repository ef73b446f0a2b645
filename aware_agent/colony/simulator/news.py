"""What the watch tells an agent."""

from __future__ import annotations

import msgspec

from aware_agent.colony.election import Crown, Handover

QUEEN = "queen"
HANDOVER = "queen-handover"
PRESENCE = "presence/"


class News(msgspec.Struct, frozen=True):
    """One revision that touched the throne or somebody's presence."""

    revision: int
    throne: bool  # the queen key was put or deleted
    crown: Crown | None  # if put
    term: int  # if put
    handover: Handover | None  # if deleted, and the queen left word of that very term
    line: tuple[str, ...] | None  # if presence changed
