"""What a council member tells of its part in the election, and a queen of the council: in sentences, and to replay."""

from __future__ import annotations

import msgspec


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of a member: how long ago, of which machine, what had happened, and what it decided."""

    age_s: float
    machine: str  # election, suspicion or, at a queen who keeps it, council
    happened: str
    decided: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one member's decisions at ``at`` (Unix seconds); seconds count from then."""

    node: str
    name: str
    version: str
    at: float
    phase: str  # watching, campaigning, reigning, gone
    term: int  # of the queen it knows, or its own; 0 for none
    queen: str  # her name; "" for none
    line: list[str]  # the candidates in order of succession, by name
    place: int | None  # its own among those who would follow, 0 for the heir
    lease_left_s: float | None  # of its reign
    campaign_in_s: float | None  # while it waits to campaign
    council: list[str]  # whose suspicion counts, by name
    suspects: bool
    suspects_because: str
    suspected_by: list[str]
    silent_s: float | None  # since it heard the queen
    patience_s: float  # how long she may be silent
    sentences: list[str]
    decisions: list[Happening]  # the last ones, oldest first
    transcript: str  # for python -m aware_agent.simulator --replay
