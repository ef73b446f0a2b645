"""The words of the council: what the queen knows of etcd's members and of who may sit, and what she does. Plain values.

A *seat* is a voting member of etcd on a node of the colony. A *learner* gets all data but does not vote; every member
begins as one, so that a node that is far behind never counts for a majority.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from aware_agent.colony.node import Status
from aware_agent.colony.spec import CouncilSpec

SEAT_FREE_MIB = 512  # etcd's data, its log and one snapshot of a large colony; less makes etcd stop for good


class SeatRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``seats/<node id>``: which member of etcd the node is, and who the others were when it was told."""

    member: int
    peers: dict[str, str]  # name and peer URL of every member, this one too
    term: int = 0  # of the queen that wrote this


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """One member as the colony knows it."""

    member: int
    node: str
    name: str
    endpoint: str = ""  # host:port for clients; '' before it started
    learner: bool = False
    healthy: bool = True
    leads: bool = False


class CouncilRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``council``: who the members of etcd are. Nodes that speak to etcd follow it."""

    seats: tuple[Seat, ...]
    message: str = ""  # what is going on
    trouble: str = ""  # what a person has to do something about
    term: int = 0  # of the queen that wrote this

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where etcd is reached: voters only, for a learner answers no client. Empty when it is somebody else's."""
        if not all(seat.node for seat in self.seats):
            return ()
        return tuple(seat.endpoint for seat in self.seats if seat.endpoint and not seat.learner)


class SeatMove(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``council-move``: node ``source`` shall give its seat to node ``target``. ``asked_at``: Unix seconds."""

    source: str
    target: str
    asked_at: float
    term: int = 0  # of the queen that wrote this


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A node that an admin allowed into the council."""

    id: str
    name: str
    zone: str = ""
    status: Status = Status.READY
    status_since: float = 0.0  # Unix seconds
    etcd: bool = True  # it has etcd's program, in a version that may carry a colony
    free_mib: int = 1 << 20  # room for etcd's data
    quota_mib: int = 2048  # how large etcd's file may become
    restarts: bool = False  # its agent or its etcd ends in a moment and comes back
    cordoned: bool = False  # it gets no new work, and a seat is work

    @property
    def obstacle(self) -> str:
        """Why it cannot be given a seat now, as the end of a sentence; empty when it can."""
        if self.status is not Status.READY:
            return f"{self.name} is {self.status}"
        if self.cordoned:
            return f"{self.name} is cordoned"
        if not self.etcd:
            return f"{self.name} has no etcd that can be used"
        if self.free_mib < SEAT_FREE_MIB:
            return f"{self.name} has {self.free_mib} MiB of disk left, a seat needs {SEAT_FREE_MIB}"
        return ""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member of etcd, as etcd lists it and as it answers itself."""

    id: int
    node: str = ""  # id of the node that runs it; "": none of this colony
    name: str = ""  # for people
    learner: bool = False
    healthy: bool = True  # it answers and knows etcd's leader
    leads: bool = False
    index: int = 0  # raft index it has reached


class Phase(StrEnum):
    """Whether a change is on its way."""

    WATCHING = "watching"
    CHANGING = "changing"


class Council(msgspec.Struct, frozen=True, kw_only=True):
    """What the keeper remembers between two looks. A new queen begins with an empty one."""

    phase: Phase = Phase.WATCHING
    step: Step | None = None  # what was begun and is not answered yet
    silent_since: dict[int, float] = {}  # member id: since when it does not answer, Unix seconds
    rest_until: float = 0.0  # before that etcd would refuse a change
    failures: int = 0  # changes refused in a row
    avoid: dict[str, float] = {}  # node id: until when it is offered no seat, because it did not take one
    told: str = ""  # the last sentence, so that nothing is said twice


# Events: what happened -------------------------------------------------------------------------------------------


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be seen at one moment."""

    spec: CouncilSpec
    queen: str  # node id of the one who looks
    members: tuple[Member, ...]
    candidates: tuple[Candidate, ...]
    seats: dict[str, int] = {}  # node id: the member that it was told to be
    names: dict[str, str] = {}  # node id: what those were called who sat until now
    move: SeatMove | None = None  # what an admin wants besides


class Blind(msgspec.Struct, frozen=True):
    """etcd did not say who its members are."""

    reason: str


class Done(msgspec.Struct, frozen=True):
    """The step was made."""

    step: Step


class Failed(msgspec.Struct, frozen=True):
    """The step was not made, or nobody knows: the next look tells."""

    step: Step
    reason: str


Event = Look | Blind | Done | Failed


# Steps: what to do, one at a time ---------------------------------------------------------------------------------


class AddLearner(msgspec.Struct, frozen=True, tag=True):
    """Add the node to etcd as a learner. Its seat is told to it by :class:`GiveSeat` afterwards."""

    node: str


class GiveSeat(msgspec.Struct, frozen=True, tag=True):
    """Tell the node which member it is, so that its agent starts etcd."""

    node: str
    member: int


class TakeSeat(msgspec.Struct, frozen=True, tag=True):
    """Tell the node that it is a member no more, so that its agent stops etcd and moves the data aside."""

    node: str


class Promote(msgspec.Struct, frozen=True, tag=True):
    """Make the learner a voter."""

    member: int


class Remove(msgspec.Struct, frozen=True, tag=True):
    """Remove the member from etcd. ``avoid``: its node, when it shall not be offered a seat again soon."""

    member: int
    avoid: str = ""


class MoveLeader(msgspec.Struct, frozen=True, tag=True):
    """Let another voter lead etcd."""

    member: int


class EndMove(msgspec.Struct, frozen=True, tag=True):
    """Forget that a seat shall move: it has, or it cannot."""


Step = AddLearner | GiveSeat | TakeSeat | Promote | Remove | MoveLeader | EndMove


class Wait(msgspec.Struct, frozen=True, tag=True):
    """Nothing can be done now, and time or a node will change that."""

    reason: str


class Refuse(msgspec.Struct, frozen=True, tag=True):
    """What the spec wants cannot be done until a person changes something."""

    reason: str


class Decision(msgspec.Struct, frozen=True):
    """New state, at most one step, and one sentence (empty when there is nothing new to tell)."""

    state: Council
    effect: Step | Wait | Refuse | None = None
    message: str = ""
