"""Who sits in the council: the queen's keeper of etcd's members as a pure state machine.

``decide(state, event, now)`` names at most one step, and none while another is on its way. What it promises: no step
leaves fewer voters alive than a majority needs; every member begins as a learner; the queen keeps her own seat; what
etcd would refuse is waited for, not tried over and over. It does *not* promise a full council: nodes that cannot sit
are said by name, and the seats stay empty.

Why one change at a time, and with a rest: etcd refuses the change after a promotion until all voters have been
connected for five seconds, and refuses to add anybody while a voter is away. So a lost voter is removed *before* its
successor is added; a majority is left all the while, for it was there without the lost one.

``now`` is in Unix seconds, for a node's death was noted by the queen before, who may have been another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from aware_agent.colony.council_move import end_of_move, next_of_move
from aware_agent.colony.council_picture import Picture
from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.node import Status
from aware_agent.colony.plan import seats
from aware_agent.colony.seats import (
    AddLearner,
    Blind,
    Council,
    Decision,
    Done,
    Event,
    Failed,
    GiveSeat,
    Look,
    Member,
    MoveLeader,
    Phase,
    Promote,
    Refuse,
    Remove,
    Step,
    TakeSeat,
    Wait,
)

REST_S = 6.0  # after a change of voters: etcd wants five seconds of undisturbed connections
LEADER_REST_S = 10.0  # a new leader is left in peace for a while
LEARNER_PATIENCE_S = 120.0  # a learner that did not come up by then gives way to another node
AVOID_S = 600.0
BACK_S = 30.0  # a node that came back has so long for its etcd before it loses its seat
_RETRY_S, _LONGEST_RETRY_S = 2.0, 60.0
_IN_SYNC = 0.9  # of the newest raft index: where etcd itself would promote

Found = tuple[Step | Wait | Refuse, str] | None


def decide(state: Council, event: Event, now: float) -> Decision:
    """Decide. Raises :class:`IllegalTransition` for a pair that makes no sense."""
    handler = _TABLE.get((state.phase, type(event)))
    if handler is None:
        raise IllegalTransition(f"council: {type(event).__name__} while {state.phase}")
    return handler(state, event, now)


# Watching --------------------------------------------------------------------------------------------------------


def _look(state: Council, look: Look, now: float) -> Decision:
    state = _remember(state, look, now)
    picture = Picture(look, state, now)
    found = next((found for rule in _RULES if (found := rule(picture)) is not None), None)
    if found is None:
        full = len(picture.voters) == look.spec.size
        return _told(state, None, f"the council is full: {seats(look.spec.size)}" if full else "")
    effect, sentence = found
    if isinstance(effect, Wait | Refuse):
        return _told(state, effect, sentence)
    if isinstance(effect, Remove) and effect.avoid:
        state = replace(state, avoid={**state.avoid, effect.avoid: now + AVOID_S})
    return Decision(replace(state, phase=Phase.CHANGING, step=effect, told=sentence), effect, sentence)


def _remember(state: Council, look: Look, now: float) -> Council:
    silent = {m.id: state.silent_since.get(m.id, now) for m in look.members if not m.healthy}
    avoid = {node: until for node, until in state.avoid.items() if until > now}
    return replace(state, silent_since=silent, avoid=avoid)


def _told(state: Council, effect: Wait | Refuse | None, sentence: str) -> Decision:
    """Say it unless it was the last thing said."""
    new = sentence if sentence != state.told else ""
    return Decision(replace(state, told=sentence), effect, new)


def _blind(state: Council, event: Blind, _now: float) -> Decision:
    sentence = f"the council is left as it is: {event.reason}"
    return _told(state, Wait(event.reason), sentence)


# Changing --------------------------------------------------------------------------------------------------------


def _done(state: Council, event: Done, now: float) -> Decision:
    _check_pending(state, event.step)
    rest = LEADER_REST_S if isinstance(event.step, MoveLeader) else _rest_after(event.step)
    rest_until = max(state.rest_until, now + rest) if rest else state.rest_until
    return Decision(replace(state, phase=Phase.WATCHING, step=None, rest_until=rest_until, failures=0))


def _failed(state: Council, event: Failed, now: float) -> Decision:
    _check_pending(state, event.step)
    # An answer may have been lost on its way from an etcd that did it: then the voters changed all the same.
    pause = max(min(_LONGEST_RETRY_S, _RETRY_S * 2.0 ** min(10, state.failures)), _rest_after(event.step))
    sentence = f"etcd did not do it: {event.reason}; looking again in {pause:g} s"
    state = replace(
        state, phase=Phase.WATCHING, step=None, failures=state.failures + 1, rest_until=now + pause, told=sentence
    )
    return Decision(state, None, sentence)


def _rest_after(step: Step) -> float:
    """Seconds that etcd is left in peace after a change of its voters."""
    return REST_S if isinstance(step, Promote | Remove) else 0.0


def _check_pending(state: Council, step: Step) -> None:
    if step != state.step:
        raise IllegalTransition(f"council: an answer to {step}, but {state.step} is on its way")


# Rules, the most urgent first ------------------------------------------------------------------------------------


def _strangers(picture: Picture) -> Found:
    """An etcd of operators, or one that was started by hand: whoever made it keeps it."""
    strange = [m.name or f"{m.id:x}" for m in picture.look.members if not m.node]
    if not strange:
        return None
    return _refuse(f"no node of this colony runs etcd's member {', '.join(strange)}: the council is left as it is")


def _stale_seats(picture: Picture) -> Found:
    """A queen may have died between removing a member and telling its node."""
    ids = {m.id for m in picture.look.members}
    for node, member in sorted(picture.look.seats.items()):
        if member not in ids:
            return TakeSeat(node), f"{picture.name(node)} is told that it has no seat any more"
    return None


def _missing_seats(picture: Picture) -> Found:
    """The same between adding it and telling."""
    for member in picture.look.members:
        if picture.look.seats.get(member.node) != member.id:
            return GiveSeat(member.node, member.id), f"{picture.name(member.node)} is told which seat it has"
    return None


def _no_majority(picture: Picture) -> Found:
    if len(picture.alive) >= picture.quorum:
        return None
    return _refuse(
        f"{len(picture.alive)} of {len(picture.voters)} members of etcd answer, which is no majority: "
        "bring others back, or use aware council recover"
    )


def _resting(picture: Picture) -> Found:
    if picture.now >= picture.state.rest_until:
        return None
    return Wait("etcd settles after a change"), picture.state.told  # nothing new to say


def _learner(picture: Picture) -> Found:
    """A learner is promoted, waited for, or sent away. etcd takes one at a time."""
    if not picture.learners:
        return None
    learner = picture.learners[0]
    name = picture.name(learner.node)
    reason = _not_wanted(picture, learner)
    if reason:
        # Only one whose host is there and whose etcd is not has a trouble of its own, and is left alone for a while.
        avoid = learner.node if picture.silent_for(learner) > LEARNER_PATIENCE_S else ""
        return Remove(learner.id, avoid), f"{name} gives its learner's place back: {reason}"
    if not learner.healthy:
        return _wait(f"{name} starts its etcd")
    newest = max((m.index for m in picture.alive), default=0)
    if learner.index < newest * _IN_SYNC:
        return _wait(f"{name} copies etcd's data")
    if len(picture.alive) + 1 < picture.majority(len(picture.voters) + 1):
        return _wait(f"{name} cannot vote before the lost members are replaced")
    return Promote(learner.id), f"{name} has all data and is given a vote"


def _not_wanted(picture: Picture, learner: Member) -> str:
    candidate = picture.candidates.get(learner.node)
    if candidate is None:
        return "it is not allowed into the council"
    move = picture.look.move
    more = 1 if move is not None and move.target == learner.node and move.source != picture.look.queen else 0
    if len(picture.voters) >= picture.look.spec.size + more:
        return "no seat is free"
    if picture.silent_for(learner) > LEARNER_PATIENCE_S:
        return f"its etcd did not come up within {LEARNER_PATIENCE_S:g} s"
    if candidate.status in (Status.DEAD, Status.AWAY):
        return f"{candidate.name} is {candidate.status}"
    return ""


def _not_allowed(picture: Picture) -> Found:
    """A voter whose node was removed, or may not sit any more, goes also when nobody follows."""
    gone = [m for m in picture.voters if m.node not in picture.candidates]
    victims = [m for m in gone if m.node != picture.look.queen and picture.safe_to_remove(m)]
    if not victims:
        return None
    return _remove(picture, victims[0], "its node is not allowed into the council")


def _too_many(picture: Picture) -> Found:
    if len(picture.voters) <= picture.look.spec.size:
        return None
    victim = picture.most_dispensable()
    if victim is None:
        return _wait("the council stays larger than wanted: no member can go without losing the majority")
    move = picture.look.move
    if move is not None and victim.node == move.source:
        return _remove(picture, victim, f"it is {picture.name(move.target)}'s now")
    return _remove(picture, victim, f"the council shall have {seats(picture.look.spec.size)}")


def _lost(picture: Picture) -> Found:
    """A voter that is silent for long gives its seat to somebody who can take it; without such a one it keeps it.

    One whose node was sent away does so as soon as it is silent.
    """
    after = picture.look.spec.replace_after_s
    due = [m for m in picture.voters if not m.healthy and m.node != picture.look.queen]
    long = [m for m in due if after and picture.lost_for(m) >= after]
    due = [m for m in due if (m in long or picture.is_away(m)) and picture.safe_to_remove(m)]
    due = [m for m in due if m.node in picture.candidates and not picture.back_for_less_than(min(after, BACK_S), m)]
    if not due or not picture.free:
        return None
    lost = max(due, key=picture.lost_for)
    broken = lost.node if picture.candidates[lost.node].status is Status.READY else ""  # the node lives, its etcd not
    reason = "it is away" if picture.is_away(lost) else f"it is silent for {picture.lost_for(lost):.0f} s"
    sentence = f"{picture.name(lost.node)} loses its seat: {reason}"
    return Remove(lost.id, broken), sentence


def _off_my_host(picture: Picture) -> Found:
    """With queen and etcd's leader on one host, losing it would cost an election of etcd as well."""
    mine = [m for m in picture.alive if m.leads and m.node == picture.look.queen]
    others = [m for m in picture.alive if m.node != picture.look.queen and picture.is_steady(m)]
    shrinking = len(picture.voters) > picture.look.spec.size  # who leads is decided by who stays
    # Two voters are one loss away from none: what comes before the third one waits.
    if not mine or not others or shrinking or _is_growing(picture):
        return None
    best = max(others, key=lambda m: (m.index, -m.id))
    return MoveLeader(best.id), f"{picture.name(best.node)} leads etcd from now on, so that it is not the queen's host"


def _is_growing(picture: Picture) -> bool:
    """Whether the next steps make more voters."""
    voters, size = len(picture.voters), picture.look.spec.size
    if voters >= size or len(picture.alive) < voters:
        return False
    return bool(picture.learners) or voters + len(picture.free) >= _next_odd(voters)


def _too_few(picture: Picture) -> Found:
    """Fill seats, but only up to a number that is worth it: four voters survive no more losses than three."""
    size, voters = picture.look.spec.size, len(picture.voters)
    if voters >= size:
        return None
    away = [picture.name(m.node) for m in picture.voters if not m.healthy]
    if away:  # etcd adds nobody meanwhile
        return _wait(f"the council has {voters} of {size} seats, and {', '.join(away)} has to come back or be replaced")
    if voters + len(picture.free) < _next_odd(voters):
        alone = "".join(f", {c.name} alone would not make it safer" for c in picture.free)
        return _refuse(f"the council has {voters} of {size} seats{alone}{picture.obstacles()}")
    node = picture.next_to_sit()
    return AddLearner(node.id), f"{node.name} is given a seat: the council has {voters} of {size}"


def _lost_ones(picture: Picture) -> Found:
    """The council is complete by number, but somebody is silent."""
    silent = [m for m in picture.voters if not m.healthy]
    if not silent:
        return None
    away = [picture.name(m.node) for m in silent if not picture.is_away(m)]
    if not away:  # nobody has to do anything about that
        names = ", ".join(picture.name(m.node) for m in silent)
        return _wait(f"{names} is away and keeps its seat until somebody can take it{picture.obstacles()}")
    after = picture.look.spec.replace_after_s
    if not after:
        return _refuse(
            f"{', '.join(away)} is silent and not replaced: council.replace_after_s is 0; bring it back, or give its "
            "seat to another node by aware nodes remove"
        )
    if not picture.free:
        return _refuse(
            f"{', '.join(away)} is silent, and nobody can take the seat{picture.obstacles()}; bring it back, or let in "
            "another node: aware tokens create --eligible"
        )
    return _wait(f"{', '.join(away)} is silent; after {after:g} s {picture.next_to_sit().name} takes the seat")


def _remove(picture: Picture, victim: Member, reason: str) -> Found:
    """Remove a voter; one that leads etcd hands that over first, or writes would wait for an election."""
    name = picture.name(victim.node)
    if victim.leads:
        stays = [m for m in picture.alive if m.id != victim.id]
        if stays:
            best = max(stays, key=lambda m: (picture.is_steady(m), m.node != picture.look.queen, m.index, -m.id))
            return MoveLeader(best.id), f"{picture.name(best.node)} leads etcd from now on: {name} is about to leave"
    return Remove(victim.id), f"{name} loses its seat: {reason}"


def _wait(reason: str) -> Found:
    return Wait(reason), reason


def _refuse(reason: str) -> Found:
    return Refuse(reason), reason


def _next_odd(voters: int) -> int:
    return voters + 1 if voters % 2 == 0 else voters + 2


_RULES: tuple[Callable[[Picture], Found], ...] = (
    _strangers,
    _stale_seats,
    _missing_seats,
    end_of_move,
    _no_majority,
    _resting,
    _off_my_host,
    _learner,
    _not_allowed,
    _too_many,
    _lost,
    _too_few,
    _lost_ones,
    next_of_move,
)

Handler = Callable[[Council, Any, float], Decision]
_TABLE: dict[tuple[Phase, type], Handler] = {
    (Phase.WATCHING, Look): _look,
    (Phase.WATCHING, Blind): _blind,
    (Phase.CHANGING, Done): _done,
    (Phase.CHANGING, Failed): _failed,
}
