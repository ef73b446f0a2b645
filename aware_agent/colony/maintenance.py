"""etcd's room: a full etcd is cured, and what its members hold and do not use is given back. A pure state machine.

``decide(state, event, now)`` names at most one step. etcd keeps every older value until its history is compacted, and
keeps the file space of what it forgot until it is defragmented. A member that reaches its quota raises the alarm
NOSPACE, and from then on etcd takes nothing but deletions until somebody disarms it: no lease, so no queen could be
elected either.

The *cure* is a round: compact, defragment one member after the other, disarm, and put on record that it was full. That
record is the first write, and shows whether there is room. Where the living data are larger than the quota there is
none: the round is repeated with growing pauses, cheaply, for a person may have given room meanwhile, and told once.

A learner is let go first. It got the file as it was, raises the alarm again by itself, and as long as it is a learner
etcd lets nobody defragment it; so while one is there etcd would stay full, and it could not be given a vote either. The
council's keeper gives the seat anew afterwards. An alarm of a member that is gone stays until it is disarmed.

Members forget a compacted history each at its own pace, a busy one also after it wrote its file anew, and a full one
does not count what it forgot. So for some seconds after a cure, while nothing else changes, everybody whose file is
still large and mostly unused writes it once more.

Apart from that a member whose file is mostly unused is defragmented while nothing else goes on: at leisure when the
file is large, soon when it takes up half of the quota: etcd counts the whole file, and it is full again as soon as
something keeps it from using what is unused, as the copy for a new member does. A member does not serve meanwhile. So
never two at once, and never the one that leads, while another could lead instead.

``now`` is in seconds of a clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.seats import Blind, MoveLeader, Remove

LARGE = 100 << 20  # bytes: a smaller file copies a snapshot quickly, and is not worth that its member pauses
UNUSED = 0.5  # of a file: from there on defragmentation is routine; etcd reuses what is unused, so less costs nothing
WORTH = 0.1  # of a file: from there on a cure that goes on asks a member again
FIRST_S = 600.0  # a new queen has other things to do than routine, and the one before may just have done it
BETWEEN_S = 600.0  # between two routine defragmentations, whoever's: a member has to catch up
EVERY_S = 6 * 3600.0  # of one member, also when it gave back nothing
TIGHT = 0.5  # of the quota: a mostly unused file as large as that is no routine any more
MOVES = 3  # of etcd's leader in one round: where it does not stay moved, its member goes without
AFTERMATH_S = 10.0  # after a cure
TIGHT_S = 60.0  # then this is how long a new queen, and the member before, are left in peace
SETTLE_S = 3.0  # after a compaction members free pages one by one; after another leader its connections settle
LEADER_SETTLE_S = 12.0  # in routine: the council's keeper may move the leader as well, and rests for ten after it
# From a round that did not help to the next; an alarm that returns so soon after its cure is the same trouble.
ROUND_S, LONGEST_ROUND_S = 60.0, 600.0
_MIB = 1 << 20


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """One member of etcd, as it says itself. Sizes in bytes; ``full``: it raised NOSPACE."""

    id: int
    node: str = ""
    name: str = ""  # for people
    voter: bool = True
    healthy: bool = True  # it answers and knows etcd's leader
    leads: bool = False
    size: int = 0
    in_use: int = 0
    quota: int = 2 << 30  # bytes: a file of that size makes it full
    full: bool = False

    @property
    def tight(self) -> bool:
        """Whether what it does not use takes up room that it will need."""
        return self.size >= self.quota * TIGHT and self.unused > UNUSED

    @property
    def unused(self) -> float:
        """How much of its file it does not use, 0 to 1."""
        return 1.0 - self.in_use / self.size if self.size > 0 else 0.0


class Compact(msgspec.Struct, frozen=True, tag=True):
    """Forget the history before ``revision``."""

    revision: int


class Defragment(msgspec.Struct, frozen=True, tag=True):
    """Let this member write its file anew, without what it does not use."""

    member: int


class Disarm(msgspec.Struct, frozen=True, tag=True):
    """Take the alarms of these members back."""

    members: tuple[int, ...]


class PutOnRecord(msgspec.Struct, frozen=True, tag=True):
    """Write into the history that etcd was full and is not any more: fails when it still is."""

    sentence: str


Step = Compact | Defragment | MoveLeader | Remove | Disarm | PutOnRecord


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be seen at one moment. ``quiet``: the council is full and well, and nobody restarts."""

    members: tuple[Disk, ...]
    revision: int
    queen: str = ""  # node id
    quiet: bool = True
    corrupt: bool = False  # the alarm CORRUPT: nothing is touched then
    gone: tuple[int, ...] = ()  # who raised NOSPACE and is no member any more


class Done(msgspec.Struct, frozen=True):
    """The step was made."""

    step: Step


class Failed(msgspec.Struct, frozen=True):
    """The step was not made, or nobody knows."""

    step: Step
    reason: str


Event = Look | Blind | Done | Failed


class Phase(StrEnum):
    """Whether a step is on its way."""

    WATCHING = "watching"
    WORKING = "working"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """How far one cure is."""

    compacted: bool = False
    tried: frozenset[int] = frozenset()  # members that were defragmented, or asked in vain
    disarmed: bool = False
    moves: int = 0  # of etcd's leader


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered between two looks. A new queen begins with an empty one."""

    phase: Phase = Phase.WATCHING
    step: Step | None = None
    begun: float | None = None
    revision: int = 0  # of the look before
    full_since: float | None = None  # None: it is not
    round: Round | None = None
    emptied: frozenset[int] = frozenset()  # members that were defragmented since it is full
    rounds: int = 0  # since it was calm
    told: bool = False  # that rounds do not help
    cured: float = 0.0
    rest_until: float = 0.0
    aftermath_until: float = 0.0  # the cure is looked after until then
    leisure_from: float = 0.0  # from then on there is time for routine again
    defragmented: dict[int, float] = {}  # member: when


class Decision(msgspec.Struct, frozen=True):
    """New state, at most one step, and a sentence when there is something new to tell. ``grave``: a person should act.

    ``announced``: the step goes into the history before it is made.
    """

    state: State
    effect: Step | None = None
    message: str = ""
    grave: bool = False
    announced: bool = False


def decide(state: State, event: Event, now: float) -> Decision:
    """Decide. Raises :class:`IllegalTransition` for a pair that makes no sense."""
    handler = _TABLE.get((state.phase, type(event)))
    if handler is None:
        raise IllegalTransition(f"maintenance: {type(event).__name__} while {state.phase}")
    return handler(state, event, now)


# Watching -------------------------------------------------------------------------------------------------------------


def _look(state: State, look: Look, now: float) -> Decision:
    ids = {member.id for member in look.members}
    state = replace(
        state,
        begun=now if state.begun is None else state.begun,
        defragmented={member: at for member, at in state.defragmented.items() if member in ids},
    )
    found = _judge(state, look, now)
    return replace(found, state=replace(found.state, revision=look.revision))


def holds(state: State, look: Look, now: float) -> bool:
    """Whether nothing else should change now: etcd takes no writes and is being cured, or was a moment ago."""
    return _can_judge(look) and (state.full_since is not None or now < state.aftermath_until)


def _can_judge(look: Look) -> bool:
    voters = [member for member in look.members if member.voter]
    return not look.corrupt and sum(member.healthy for member in voters) > len(voters) // 2


def _is_full(look: Look) -> bool:
    return bool(look.gone) or any(member.full for member in look.members)


def _judge(state: State, look: Look, now: float) -> Decision:
    if not _can_judge(look):
        return Decision(state)
    if _is_full(look):
        return _begin(state, now) if state.full_since is None else _cure(state, look, now)
    if state.full_since is not None:
        return _prove(state, state.full_since, now)
    return _look_after(state, look, now) if now < state.aftermath_until else _routine(state, look, now)


def _begin(state: State, now: float) -> Decision:
    """The next look compacts up to the revision of this one: a watch that resumes now still finds where it was.

    Where a cure held for a shorter time than the pause that it earned, the rest of that pause is waited for.
    """
    waits = state.cured + _pause(state.rounds - 1) - now if state.rounds else 0.0
    if waits <= 0:
        state = replace(state, rounds=0, told=False)
    when = "" if waits <= 0 else f" in {waits:.0f} s, for it was full {now - state.cured:.0f} s ago as well"
    return Decision(
        replace(state, full_since=now, round=None, emptied=frozenset(), rest_until=now + max(0.0, waits)),
        message=f"etcd is full and takes no writes (alarm NOSPACE): giving back room{when}",
        grave=True,
    )


def _cure(state: State, look: Look, now: float) -> Decision:
    if now < state.rest_until:
        return Decision(state)
    done = state.round or Round()
    if done.disarmed:  # and it is full again, before anything could be put on record
        return _in_vain(state, now)
    if not done.compacted:
        return _step(replace(state, round=done), Compact(state.revision or look.revision))
    learners = [m.id for m in look.members if not m.voter and m.id not in done.tried]
    if learners:
        return _step(replace(state, round=done), Remove(learners[0]))
    # What a compaction has freed a member counts only after further writes, of which a full one takes none: each is
    # defragmented once whatever it says, and again when that is worth it.
    voters = [m for m in look.members if m.voter and m.id not in done.tried]
    step = _next_member(look, [m for m in voters if m.id not in state.emptied or m.unused >= WORTH])
    if isinstance(step, MoveLeader) and done.moves >= MOVES:
        step = None
    full = (*(m.id for m in look.members if m.full), *look.gone)
    return _step(replace(state, round=done), step or Disarm(full))


def _prove(state: State, since: float, now: float) -> Decision:
    """No alarm any more, by our hand or somebody's: a write tells whether that is true, and no pause is due then."""
    if now < state.rest_until:
        return Decision(replace(state, rest_until=min(state.rest_until, now + SETTLE_S)))
    lasted = max(1.0, now - since)
    sentence = f"etcd was full for {lasted:.0f} s and took no writes; it has room again"
    return _step(state, PutOnRecord(f"{sentence}: if that happens more often, raise council.quota_mib of its members"))


def _look_after(state: State, look: Look, now: float) -> Decision:
    """Right after a cure: whoever still has a large file of which little is used."""
    if now < state.rest_until:
        return Decision(state)
    since = {member: at for member, at in state.defragmented.items() if at > state.cured}
    step = _next_member(look, [m for m in look.members if m.voter and m.tight and m.id not in since])
    return _step(state, step) if step else Decision(state)


def _routine(state: State, look: Look, now: float) -> Decision:
    if not look.quiet or now < state.rest_until:
        return Decision(state)
    if not all(member.healthy and member.voter for member in look.members):
        return Decision(state)
    step = _next_member(look, _due(state, look, now))
    if step is None:
        return Decision(state)
    member = next(m for m in look.members if m.id == step.member)
    sentence = (
        f"{member.name} gives back {(member.size - member.in_use) // _MIB} MiB that its etcd does not use"
        if isinstance(step, Defragment)
        else f"{member.name} leads etcd from now on, so that another member can give back room"
    )
    return replace(_step(state, step), message=sentence, announced=True)


def _due(state: State, look: Look, now: float) -> list[Disk]:
    """Whose file is worth writing anew now."""
    reigns = now - (state.begun or 0.0)
    leisure = reigns >= FIRST_S and now >= state.leisure_from
    last = {member.id: state.defragmented.get(member.id, now - EVERY_S) for member in look.members}
    tight = [m for m in look.members if reigns >= TIGHT_S and m.tight and now - last[m.id] >= BETWEEN_S]
    if tight or not leisure:
        return tight
    return [m for m in look.members if m.size >= LARGE and m.unused > UNUSED and now - last[m.id] >= EVERY_S]


def _next_member(look: Look, due: list[Disk]) -> Defragment | MoveLeader | None:
    """Who of ``due`` is next: those who follow first. One that leads lets another lead, and is a follower then.

    The only voter leads always. One that leads while all others are away is left alone.
    """
    due = [member for member in due if member.healthy]
    followers = [member for member in due if not member.leads]
    if followers:
        return Defragment(min(followers, key=lambda member: member.id).id)
    if not due:
        return None
    voters = [member for member in look.members if member.voter]
    if len(voters) == 1:
        return Defragment(due[0].id)
    others = [member for member in voters if member.healthy and member.id != due[0].id]
    # Not to the queen's host while there is another: the council's keeper would move it away again.
    return MoveLeader(min(others, key=lambda m: (m.node == look.queen, m.id)).id) if others else None


def _step(state: State, step: Step) -> Decision:
    return Decision(replace(state, phase=Phase.WORKING, step=step), step)


def _blind(state: State, _event: Blind, _now: float) -> Decision:
    return Decision(state)  # the council's keeper says it


# Working --------------------------------------------------------------------------------------------------------------


def _done(state: State, event: Done, now: float) -> Decision:
    step = _pending(state, event.step)
    state = replace(state, phase=Phase.WATCHING, step=None)
    if isinstance(step, PutOnRecord):
        over = replace(state, full_since=None, round=None, rounds=state.rounds + 1, cured=now)
        return Decision(_looked_after(over, now), message=step.sentence)
    if isinstance(step, Defragment):
        state = replace(state, defragmented={**state.defragmented, step.member: now})
    if state.full_since is not None:
        return Decision(replace(_advanced(state, step), rest_until=now + SETTLE_S))
    if now < state.aftermath_until:
        state = _looked_after(state, now) if isinstance(step, Defragment) else replace(state, rest_until=now + SETTLE_S)
        return Decision(state)
    return Decision(_left_in_peace(state, step, now))


def _failed(state: State, event: Failed, now: float) -> Decision:
    step = _pending(state, event.step)
    state = replace(state, phase=Phase.WATCHING, step=None)
    if isinstance(step, Defragment):
        state = replace(state, defragmented={**state.defragmented, step.member: now})
    if state.full_since is None:
        return Decision(_left_in_peace(state, None, now), message=f"etcd did not do it: {event.reason}")
    if isinstance(step, Defragment | Remove):  # the others may do
        return Decision(replace(_advanced(state, step), rest_until=now + SETTLE_S))
    return _in_vain(state, now)


def _looked_after(state: State, now: float) -> State:
    return replace(state, rest_until=now + SETTLE_S, aftermath_until=now + AFTERMATH_S)


def _left_in_peace(state: State, step: Step | None, now: float) -> State:
    """After a step that no cure asked for. Another leader is the first half of what comes next."""
    if isinstance(step, MoveLeader):
        return replace(state, rest_until=now + LEADER_SETTLE_S)
    return replace(state, rest_until=now + TIGHT_S, leisure_from=now + BETWEEN_S)


def _advanced(state: State, step: Step) -> State:
    before = state.round or Round()
    if isinstance(step, Compact):
        return replace(state, round=replace(before, compacted=True))
    if isinstance(step, Defragment):
        tried = replace(before, tried=before.tried | {step.member})
        return replace(state, round=tried, emptied=state.emptied | {step.member})
    if isinstance(step, Remove):
        return replace(state, round=replace(before, tried=before.tried | {step.member}))
    if isinstance(step, MoveLeader):
        return replace(state, round=replace(before, moves=before.moves + 1))
    return replace(state, round=replace(before, disarmed=True)) if isinstance(step, Disarm) else state


def _in_vain(state: State, now: float) -> Decision:
    """The next round comes later, and is as long as what has become unused since."""
    sentence = (
        "etcd stays full though room was given back: remove data that are not the colony's, or raise council.quota_mib "
        f"of the members; it is tried again every {LONGEST_ROUND_S / 60:g} min at most"
    )
    # Once may be too early: a member that forgets much history is behind when it is asked what it does not use.
    told = state.told or state.rounds > 0
    rest = now + _pause(state.rounds)
    after = replace(state, round=None, rounds=state.rounds + 1, told=told, rest_until=rest)
    return Decision(after, message=sentence if told and not state.told else "", grave=True)


def _pause(rounds: int) -> float:
    return min(LONGEST_ROUND_S, ROUND_S * 2.0 ** min(10, rounds))


def _pending(state: State, step: Step) -> Step:
    if step != state.step:
        raise IllegalTransition(f"maintenance: an answer to {step}, but {state.step} is on its way")
    return step


Handler = Callable[[State, Any, float], Decision]
_TABLE: dict[tuple[Phase, type], Handler] = {
    (Phase.WATCHING, Look): _look,
    (Phase.WATCHING, Blind): _blind,
    (Phase.WORKING, Done): _done,
    (Phase.WORKING, Failed): _failed,
}
