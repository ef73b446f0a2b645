"""A seat that an admin wants to move from one node to another: who may ask for it, and the keeper's part. Pure.

The wish is kept in etcd, so that it outlives the queen that took it. The keeper carries it out as any other change: the
target learns, votes, and then the source goes, so that there is one voter more for a while and never one less. It gives
up, and says why, when the target cannot sit, or when other changes were more urgent for too long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from aware_agent.colony.council_picture import Picture
from aware_agent.colony.errors import Conflict
from aware_agent.colony.plan import seats
from aware_agent.colony.seats import (
    AddLearner,
    Candidate,
    Council,
    CouncilRecord,
    EndMove,
    Look,
    Member,
    SeatMove,
    Wait,
)
from aware_agent.colony.spec import CouncilSpec

_NO_ETCD = "its settings need council.etcd, and its log says what is wrong with its etcd"

PATIENCE_S = 600.0  # a wish that could not be begun by then may not be one any more


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the queen knows when somebody asks."""

    spec: CouncilSpec | None
    record: CouncilRecord
    candidates: Sequence[Candidate]
    queen: str  # node id
    pending: SeatMove | None = None
    names: Mapping[str, str] = {}  # of the nodes that were asked for, by id: who may not sit is no candidate
    state: Council = Council()  # what the keeper remembers: whom it does not ask again yet
    now: float = 0.0  # Unix seconds


def choose_target(situation: Situation, source: str, target: str = "") -> str:
    """The node that shall get the seat of node ``source``: ``target``, else the one the keeper would choose.

    Raises Conflict with what is in the way. ``source`` and ``target`` are ids.
    """
    picture = _picture(situation)
    _check_source(situation, picture, source)
    _check_whole(situation, picture)
    if target:
        _check_target(situation, picture, target)
        return target
    if not picture.free:
        raise Conflict(
            f"nobody can take the seat{picture.obstacles()}", hint="let in another node: aware tokens create --eligible"
        )
    stays = tuple(member for member in picture.look.members if member.node != source)
    without = msgspec.structs.replace(picture.look, members=stays)
    free = tuple(candidate for candidate in picture.look.candidates if candidate.id != source)
    others = msgspec.structs.replace(without, candidates=free)
    return Picture(others, situation.state, situation.now).next_to_sit().id


def _picture(situation: Situation) -> Picture:
    if situation.spec is None:
        raise Conflict("the spec has no council: the members of etcd are not the colony's to move")
    if situation.pending is not None:
        raise Conflict("a seat is being moved already, and that is one change at a time", hint="aware council list")
    members = tuple(
        Member(id=seat.member, node=seat.node, name=seat.name, learner=seat.learner, healthy=seat.healthy)
        for seat in situation.record.seats
    )
    return Picture(
        Look(
            spec=situation.spec,
            queen=situation.queen,
            members=members,
            candidates=tuple(situation.candidates),
            seats={},
        ),
        situation.state,
        situation.now,
    )


def _check_source(situation: Situation, picture: Picture, source: str) -> None:
    if source not in {member.node for member in picture.voters}:
        name = situation.names.get(source) or picture.name(source)
        raise Conflict(f"{name} has no seat in the council", hint="aware council list shows who has")
    if source == situation.queen:
        raise Conflict(
            f"{picture.name(source)} reigns, and the queen keeps her seat",
            hint="hand the reign over first: aware queen transfer",
        )


def _check_whole(situation: Situation, picture: Picture) -> None:
    """A seat moves only while nothing else has to: else there is a time at which too few vote."""
    record, size = situation.record, picture.look.spec.size
    if len(picture.voters) != size or picture.learners:
        said = record.trouble or record.message or f"it has {len(picture.voters)} of {seats(size)}"
        raise Conflict(f"the council is changing already: {said}", hint="wait until it is full: aware council list")
    away = [picture.name(member.node) for member in picture.voters if not member.healthy]
    if away:
        raise Conflict(
            f"{', '.join(away)} is silent, and etcd adds nobody meanwhile",
            hint="bring it back, or wait until it is replaced",
        )


def _check_target(situation: Situation, picture: Picture, target: str) -> None:
    candidate = picture.candidates.get(target)
    if target in {member.node for member in picture.voters}:
        raise Conflict(f"{picture.name(target)} has a seat already", hint="aware council list shows who has")
    if candidate is None:
        name = situation.names.get(target) or picture.name(target)
        raise Conflict(
            f"{name} is not allowed into the council", hint="it has to join with: aware tokens create --eligible"
        )
    if obstacle := picture.obstacle(candidate):
        hint = "choose another, or leave --to out" if candidate.etcd else _NO_ETCD
        raise Conflict(f"it cannot take the seat: {obstacle}", hint=hint)


# The keeper's part ----------------------------------------------------------------------------------------------------


def end_of_move(picture: Picture) -> tuple[EndMove, str] | None:
    """The end of a move whose source has no seat any more, as soon as that is so.

    Left for later it would be carried out once more when a loss gave the source a seat again. It changes nothing in
    etcd's membership, so there is nothing to rest for.
    """
    move = picture.look.move
    sitting = {member.node for member in picture.voters}
    if move is None or move.source in sitting:
        return None
    source, target = picture.name(move.source), picture.name(move.target)
    moved = f"the seat of {source} has moved to {target}"
    return EndMove(), moved if move.target in sitting else f"{source} has lost its seat, and none is moved"


def next_of_move(picture: Picture) -> tuple[AddLearner | EndMove | Wait, str] | None:
    """What comes next of the move that is wanted, while the council is full and well and nobody learns."""
    move = picture.look.move
    if move is None or move.target in {member.node for member in picture.learners}:
        return None  # who learns is seen to as every learner
    source, target = picture.name(move.source), picture.name(move.target)
    sitting = {member.node for member in picture.voters}
    reason = _why_not(picture, move, sitting)
    if reason:
        return EndMove(), f"{source} keeps its seat: {reason}"
    return AddLearner(move.target), f"{target} is given a seat, and {source} gives its own up when that votes"


def _why_not(picture: Picture, move: SeatMove, sitting: set[str]) -> str:
    if move.source == picture.look.queen:
        return "it reigns"
    if move.target in sitting:
        return f"{picture.name(move.target)} took one that was free meanwhile"
    if picture.now - move.asked_at > PATIENCE_S:
        return f"it was asked more than {PATIENCE_S / 60:g} min ago, and the council could not change since"
    candidate = picture.candidates.get(move.target)
    if candidate is None:
        return f"{move.target} is not allowed into the council"
    return picture.obstacle(candidate)
