"""The words of an election: what a node knows, what can happen to it, what it then does. Plain values."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from aware_agent.colony.timing import Timing


class QueenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of the queen key."""

    id: str
    name: str
    url: str
    incarnation: str
    since: float  # Unix seconds
    channel: str = ""  # where she takes channels, host:port


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """Left behind by a queen that resigns: who should follow her."""

    term: int  # the term that ended
    to: str  # node id, or "" for whoever is first in line
    reason: str = ""


class Phase(StrEnum):
    """What a node is doing about the reign."""

    WATCHING = "watching"
    CAMPAIGNING = "campaigning"
    REIGNING = "reigning"
    GONE = "gone"


class Election(msgspec.Struct, frozen=True, kw_only=True):
    """One node's state. ``queen_record`` is the queen key as last seen."""

    me: str
    incarnation: str
    timing: Timing
    phase: Phase = Phase.WATCHING
    queen_record: QueenRecord | None = None
    queen_term: int = 0
    known: bool = False  # the queen key has been read at least once
    term: int = 0  # my own, while reigning
    deadline: float = 0.0  # while reigning: my lease may be over on the server from then on
    line: tuple[str, ...] = ()  # live candidates in order of succession
    unserved: tuple[str, ...] = ()  # those of them whose gateway does not answer
    gateway_lost: str = ""  # why my own gateway, which answered, does not any more
    last_queen: str = ""
    campaign_at: float | None = None
    abstain_until: float = 0.0
    hold_for: str = ""  # named successor the reign is left to
    hold_until: float = 0.0


# Events: what happened -------------------------------------------------------------------------------------------


class QueenSeen(msgspec.Struct, frozen=True):
    """The queen key exists; ``term`` is its create revision."""

    queen_record: QueenRecord
    term: int


class Vacant(msgspec.Struct, frozen=True):
    """The queen key does not exist. ``handover`` only if it speaks of the term that just ended."""

    handover: Handover | None = None


class Succession(msgspec.Struct, frozen=True):
    """The live candidates in order of succession changed; ``unserved``: those whose gateway does not answer."""

    ids: tuple[str, ...]
    unserved: tuple[str, ...] = ()


class Won(msgspec.Struct, frozen=True):
    """My campaign created the key at revision ``term``; my lease is good until ``deadline``."""

    term: int
    deadline: float


class Lost(msgspec.Struct, frozen=True):
    """Somebody else's key was there first."""

    queen_record: QueenRecord
    term: int


class Failed(msgspec.Struct, frozen=True):
    """The campaign came to no result: etcd did not answer, or my lease was gone."""

    reason: str


class Renewed(msgspec.Struct, frozen=True):
    """A keepalive was acknowledged; the lease is good until ``deadline``."""

    deadline: float


class LeaseLost(msgspec.Struct, frozen=True):
    """The server says my lease is over, or the local deadline passed."""


class Tick(msgspec.Struct, frozen=True):
    """The time asked for by :class:`WakeAt` has come (or any other time)."""


class Resign(msgspec.Struct, frozen=True):
    """An operator wants another queen; ``to`` is a node id or empty."""

    to: str = ""
    reason: str = "asked to step down"


class GatewayLost(msgspec.Struct, frozen=True):
    """My own gateway answered requests, and does not any more."""

    reason: str


class GatewayServes(msgspec.Struct, frozen=True):
    """My own gateway answers requests."""


class Quit(msgspec.Struct, frozen=True):
    """The agent is shutting down."""


Event = (
    QueenSeen
    | Vacant
    | Succession
    | Won
    | Lost
    | Failed
    | Renewed
    | LeaseLost
    | Tick
    | Resign
    | GatewayLost
    | GatewayServes
    | Quit
)


# Effects: what to do ----------------------------------------------------------------------------------------------


class Campaign(msgspec.Struct, frozen=True):
    """Grant a lease and create the queen key if it is absent; answer with Won, Lost or Failed.

    Always answer, even while leaving. After Lost and Failed revoke the lease: the transaction may still be on its way.
    """


class Reign(msgspec.Struct, frozen=True):
    """Start the queen's duties under ``term``."""

    term: int


class Abdicate(msgspec.Struct, frozen=True):
    """Stop the queen's duties and renew her lease no more. Nothing is written: the term may be over already."""

    term: int
    reason: str


class HandOver(msgspec.Struct, frozen=True):
    """In one transaction delete the queen key of ``term`` and name the successor; then revoke the lease."""

    term: int
    to: str
    reason: str


class Evict(msgspec.Struct, frozen=True):
    """Delete the queen key of ``term``: it belongs to an earlier life of this very node, which is surely dead."""

    term: int


class WakeAt(msgspec.Struct, frozen=True):
    """Send a Tick at this monotonic time, or after it. A newer one replaces an older one."""

    when: float


Effect = Campaign | Reign | Abdicate | HandOver | Evict | WakeAt


class Decision(msgspec.Struct, frozen=True):
    """New state, what to do, and one sentence why (empty when nothing worth telling happened)."""

    state: Election
    effects: tuple[Effect, ...] = ()
    message: str = ""
