"""When a council member suspects the queen, and when enough of them do: one member's view as a pure state machine.

A member hears the queen over its channel, every :attr:`Timing.heartbeat_s`. It suspects her when that channel broke
without a word, or when she was silent for :attr:`Timing.suspect_after_s`; it says so in etcd and takes it back when
she answers again. Whoever follows her deposes her once a majority of the council suspects her: etcd counts it.

A wrong suspicion costs a change of queens and never a write: what an old queen writes carries a dead term. So the
rules may be quick, but they doubt this member first (:func:`_judge_myself`): who is late itself waits longer.

``decide(state, event, now)``; ``now`` is a monotonic clock in seconds. Every event may come at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.node import Record, Status
from aware_agent.colony.seats import CouncilRecord
from aware_agent.colony.timing import Timing

MOST_ELECTORS = 7  # as many as the largest council: each of them sends heartbeats
MOST_STRAIN = 4  # a member that waits five times as long waits as long as the lease does
CALM_S = 5.0  # on time for so long, a member trusts itself one step more
MAX_WAITING = 32  # events of its own that a member has not got round to: more, and it is behind
FRESH_BEATS = 2.0  # a channel that was silent for longer tells nothing new when it breaks


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """What one member knows of the queen of ``term``, of itself, and of what the others say."""

    me: str
    timing: Timing
    term: int = 0  # 0: nobody reigns, or I do
    queen: str = ""
    name: str = ""
    met: bool = False  # her channel was open under this term: before, nothing can be missed
    open: bool = False
    broken: bool = False
    heard_at: float = 0.0
    suspects: bool = False
    suspected_at: float = 0.0
    looked_at: float | None = None
    excused_until: float = 0.0  # I was away until a moment ago, and cannot have heard anything
    strain: int = 0  # how far I am behind myself
    strained_at: float = 0.0  # when that changed
    council: tuple[str, ...] = ()
    place: int | None = None  # mine among those who would follow her
    seen: tuple[str, ...] = ()  # members that suspect her, as etcd shows
    depose_at: float | None = None
    named: tuple[str, ...] = ()  # whose suspicion the last attempt counted on

    @property
    def patience_s(self) -> float:
        """How long the queen may be silent."""
        return self.timing.suspect_after_s * (1 + self.strain)


# Events ----------------------------------------------------------------------------------------------------------


class Reigns(msgspec.Struct, frozen=True):
    """Who reigns as etcd shows it; ``term`` 0 for nobody."""

    term: int
    queen: str = ""
    name: str = ""


class Looked(msgspec.Struct, frozen=True):
    """How the channel to the queen is. ``waiting``: my own work left to do.

    ``broken``: it ended without a word. ``absent``: when it was opened again, her host said that nobody listens there.
    """

    open: bool
    broken: bool = False
    heard_at: float = 0.0
    waiting: int = 0
    absent: bool = False


class Council(msgspec.Struct, frozen=True):
    """Who is asked, and my place among those who would follow the queen (None: I would not)."""

    members: tuple[str, ...]
    place: int | None


class Told(msgspec.Struct, frozen=True):
    """Who suspects the queen of ``term``, as etcd shows it."""

    term: int
    members: tuple[str, ...]


Event = Reigns | Looked | Council | Told

# Effects ---------------------------------------------------------------------------------------------------------


class Suspect(msgspec.Struct, frozen=True):
    """Say in etcd that the queen of ``term`` is suspected, as long as she reigns."""

    term: int
    reason: str


class Retract(msgspec.Struct, frozen=True):
    """Take back what was said of the queen of ``term``."""

    term: int


class Depose(msgspec.Struct, frozen=True):
    """End ``term`` in one transaction, if she still reigns under it and all of ``members`` still suspect her."""

    term: int
    members: tuple[str, ...]


Effect = Suspect | Retract | Depose


class Decision(msgspec.Struct, frozen=True):
    """New state, what to do, and one sentence why (empty when there is nothing to tell)."""

    state: Suspicion
    effects: tuple[Effect, ...] = ()
    message: str = ""


def electorate(council: CouncilRecord | None, records: Mapping[str, Record]) -> tuple[str, ...]:
    """Whose suspicion counts: the members of etcd where nodes of the colony are these, else the eligible nodes.

    Of the latter those that are not gone, the longest in the colony first, and no more than a council has. All nodes
    work it out from the same records.
    """
    seats = council.seats if council else ()
    if seats and all(seat.node for seat in seats):
        return tuple(sorted(seat.node for seat in seats if not seat.learner))
    gone = (Status.DEAD, Status.LEFT, Status.AWAY)
    here = [record for record in records.values() if record.eligible and record.status not in gone]
    first = sorted(here, key=lambda record: (record.joined_at, record.id))[:MOST_ELECTORS]
    return tuple(sorted(record.id for record in first))


def majority(council: Sequence[str]) -> int:
    """How many have to agree. The queen is a member and never agrees, so that two members never depose anybody."""
    return len(council) // 2 + 1


def look_interval(timing: Timing) -> float:
    """Seconds between two looks at the channel."""
    return timing.heartbeat_s / 2


def decide(state: Suspicion, event: Event, now: float) -> Decision:
    """Decide. Raises :class:`IllegalTransition` for something that is no event."""
    handler = _TABLE.get(type(event))
    if handler is None:
        raise IllegalTransition(f"suspicion: {type(event).__name__} is no event")
    return handler(state, event, now)


# Who reigns ------------------------------------------------------------------------------------------------------


def _reigns(state: Suspicion, event: Reigns, now: float) -> Decision:
    if event.term == state.term:
        return Decision(state)
    # What I said of the last one must not outlive her: the lease that it hangs on lives on.
    effects = (Retract(state.term),) if state.suspects else ()
    said = f"term {state.term} is over, and with it what I said of {state.name}" if effects else ""
    fresh = replace(
        state,
        term=event.term,
        queen=event.queen,
        name=event.name or event.queen,
        met=False,
        open=False,
        broken=False,
        heard_at=0.0,
        suspects=False,
        seen=(),
        depose_at=None,
        named=(),
    )
    return Decision(fresh, effects, said)


# How she is ------------------------------------------------------------------------------------------------------


def _looks(state: Suspicion, event: Looked, now: float) -> Decision:
    state, said = _judge_myself(state, event, now)
    if not state.term or state.queen == state.me:
        return Decision(state, (), said)
    broke = event.broken and not state.broken and state.met
    fresh = now - state.heard_at <= FRESH_BEATS * state.timing.heartbeat_s
    # The clock starts when we meet: until then she was not asked every heartbeat.
    heard_at = max(state.heard_at, event.heard_at) if state.met else now
    state = replace(state, met=state.met or event.open, open=event.open, broken=event.broken, heard_at=heard_at)
    if state.suspects:
        opinion = _believes_again(state, event)
    else:
        opinion = _doubts(state, now, broke=broke and fresh, absent=event.broken and event.absent)
    return _then(Decision(opinion.state, opinion.effects, opinion.message or said), _deposition(opinion.state, now))


def _judge_myself(state: Suspicion, event: Looked, now: float) -> tuple[Suspicion, str]:
    """What makes me miss answers that came: looks that come late, work that piles up, answers that come in heaps."""
    late = 0.0 if state.looked_at is None else now - state.looked_at - look_interval(state.timing)
    gap = event.heard_at - state.heard_at if state.open and event.open else 0.0
    behind = late > look_interval(state.timing) or event.waiting > MAX_WAITING or gap > 2 * state.timing.heartbeat_s
    before = state.strain
    state = replace(state, looked_at=now, strain=min(before + behind, MOST_STRAIN))
    if behind:
        state = replace(state, strained_at=now)
    elif before and now - state.strained_at >= CALM_S:
        state = replace(state, strain=before - 1, strained_at=now)
    if late > state.timing.heartbeat_s:
        # Away for longer than a heartbeat: what came meanwhile lies unread, and others may have given me up.
        state = replace(state, excused_until=now + state.patience_s)
    if state.strain > before and state.term:
        return state, f"I am behind myself: the queen may be silent for {state.patience_s:.2f} s"
    return state, "I am on time again" if before and not state.strain and state.term else ""


def _doubts(state: Suspicion, now: float, *, broke: bool, absent: bool) -> Decision:
    """Whether to suspect her now."""
    asked = state.me in state.council and state.met and state.timing.suspect_after_s
    # However slow I am: that nobody listens there was not missed by me, it was said by her host.
    if not asked or (now < state.excused_until and not absent):
        return Decision(state)
    silent = now - state.heard_at
    if absent:
        reason = f"the channel to {state.name} broke, and nobody listens there any more"
    elif broke:
        reason = f"the channel to {state.name} broke"
    elif silent > state.patience_s:
        reason = f"{state.name} has not answered for {silent:.2f} s"
    else:
        return Decision(state)
    state = replace(state, suspects=True, suspected_at=now)
    return Decision(state, (Suspect(state.term, reason),), f"{reason}: I suspect the queen of term {state.term}")


def _believes_again(state: Suspicion, event: Looked) -> Decision:
    """She was heard since."""
    if not event.open or event.heard_at <= state.suspected_at:
        return Decision(state)
    state = replace(state, suspects=False)
    return Decision(state, (Retract(state.term),), f"{state.name} answers: I suspect her no more")


# What the others say ---------------------------------------------------------------------------------------------


def _council(state: Suspicion, event: Council, now: float) -> Decision:
    if (event.members, event.place) == (state.council, state.place):
        return Decision(state)
    if state.me in event.members and state.me not in state.council:
        state = replace(state, heard_at=now)  # until now she was not asked every heartbeat
    return _deposition(replace(state, council=event.members, place=event.place, depose_at=None), now)


def _told(state: Suspicion, event: Told, now: float) -> Decision:
    if event.term != state.term or event.members == state.seen:
        return Decision(state)
    # An attempt under way is not repeated because more agree; it is when one that it counted on took it back.
    under_way = state.named and set(state.named) <= set(event.members)
    depose_at = state.depose_at if under_way else None
    return _deposition(replace(state, seen=event.members, depose_at=depose_at), now)


def _deposition(state: Suspicion, now: float) -> Decision:
    """Depose her when enough suspect her, and when nobody before me in line has done it in its time."""
    votes = tuple(one for one in state.council if one in state.seen and one != state.queen)
    enough = majority(state.council)
    if not state.term or state.queen == state.me or state.place is None or len(votes) < enough:
        return Decision(replace(state, depose_at=None, named=()))
    at = now + state.place * state.timing.rank_step_s if state.depose_at is None else state.depose_at
    if now < at:
        return Decision(replace(state, depose_at=at))
    # Once more a heartbeat later, if etcd did not answer.
    state = replace(state, depose_at=now + state.timing.heartbeat_s, named=votes[:enough])
    who = f"{len(votes)} of {len(state.council)} members suspect {state.name}"
    return Decision(state, (Depose(state.term, votes[:enough]),), f"{who}: I depose her of term {state.term}")


def _then(first: Decision, second: Decision) -> Decision:
    return Decision(second.state, first.effects + second.effects, second.message or first.message)


Handler = Callable[[Suspicion, "Event", float], Decision]
_TABLE: Mapping[type, Handler] = {Reigns: _reigns, Looked: _looks, Council: _council, Told: _told}  # type: ignore[dict-item]
