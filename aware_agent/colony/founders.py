"""The words of a founding without a controller: what founders say to each other, know and do. Plain values."""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

Founders = tuple[str, ...]  # node ids in order; as many as the council shall have seats


class Level(IntEnum):
    """How firmly a node stands behind a set of founders. The numbers are on the wire."""

    PROPOSES = 0  # it would found with these; that may change with every node it hears
    READY = 1  # it heard all of them propose the same set, and keeps to it for a while
    CONFIRMS = 2  # for good: it is on its disk
    FOUNDED = 3  # these founders have a colony; whoever hears it joins


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What one node said last."""

    sender: str
    name: str  # for people
    level: Level
    founders: Founders  # may be empty while it proposes nobody
    sent: float  # the sender's clock: an older word never replaces a newer one


class Phase(StrEnum):
    """Where this node stands."""

    GATHERING = "gathering"
    READY = "ready"
    CONFIRMING = "confirming"  # being written to disk; not said yet
    CONFIRMED = "confirmed"
    FOUNDING = "founding"
    FOUNDED = "founded"  # by this node; a majority of the founders has not joined yet
    SERVING = "serving"
    JOINING = "joining"
    JOINED = "joined"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    fresh_s: float = 3.0  # a node that was not heard for so long does not count
    settle_s: float = 1.5  # nobody new for so long before a set is proposed
    hold_s: float = 8.0  # for how long a ready node waits for the others
    try_s: float = 15.0  # without a founder's call for so long a node looks for the colony by itself


class Founding(msgspec.Struct, frozen=True, kw_only=True):
    """One node's state."""

    me: str
    name: str
    size: int
    rules: Rules = Rules()
    phase: Phase = Phase.GATHERING
    founders: Founders = ()  # proposed, held or confirmed
    confirmed: Founders = ()  # on this node's disk; never another one afterwards
    heard: dict[str, Word] = {}
    heard_at: dict[str, float] = {}
    names: dict[str, str] = {}  # of all that were ever heard, for people
    joined: frozenset[str] = frozenset()  # those that have joined what this node founded
    changed_at: float = 0.0  # when somebody new was heard, or fell silent
    hold_until: float = 0.0
    try_at: float = 0.0  # when to look for the colony without having been called; 0: not planned
    told: str = ""


# Events: what happened -------------------------------------------------------------------------------------------


class Heard(msgspec.Struct, frozen=True):
    """An authentic word of another node."""

    word: Word


class Tick(msgspec.Struct, frozen=True):
    """Time has passed. Asked for several times a second."""


class Persisted(msgspec.Struct, frozen=True):
    """The confirmation of ``founders`` is on this node's disk."""

    founders: Founders


class Made(msgspec.Struct, frozen=True):
    """This node has founded the colony: etcd runs, the first transaction is done."""


class Joined(msgspec.Struct, frozen=True):
    """A node has joined what this node founded."""

    node: str


class Admitted(msgspec.Struct, frozen=True):
    """This node has joined."""


class Missed(msgspec.Struct, frozen=True):
    """Founding or joining failed for now."""

    reason: str


Event = Heard | Tick | Persisted | Made | Joined | Admitted | Missed


# Effects: what to do ----------------------------------------------------------------------------------------------


class Say(msgspec.Struct, frozen=True):
    """Send this to everybody, now."""

    level: Level
    founders: Founders


class Persist(msgspec.Struct, frozen=True):
    """Write to disk that this node confirms ``founders``, then tell :class:`Persisted`. Never another set after it."""

    founders: Founders


class Found(msgspec.Struct, frozen=True):
    """Found the colony, or go on with what an earlier life began; then tell :class:`Made` or :class:`Missed`."""

    founders: Founders


class Join(msgspec.Struct, frozen=True):
    """Join the colony that was founded; then tell :class:`Admitted` or :class:`Missed`."""


class Serve(msgspec.Struct, frozen=True):
    """A majority of the founders is there: serve from now on, and delete the founding key."""


Effect = Say | Persist | Found | Join | Serve


class Decision(msgspec.Struct, frozen=True):
    """New state, what to do, and one sentence (empty when there is nothing new to tell)."""

    state: Founding
    effects: tuple[Effect, ...] = ()
    message: str = ""
