"""Explains a council member's part in the election out of what its two decision machines know and kept.

Everything is worded when somebody asks. Nothing secret is in it: no incarnation, no key, no setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from aware_agent import __version__
from aware_agent.agent.explanation import Explanation, Happening
from aware_agent.agent.member.happenings import happened
from aware_agent.colony import election, suspicion
from aware_agent.colony.decision_log import DecisionLog, Entry, Machine
from aware_agent.colony.decoding import MAX_LINE, MAX_WORD
from aware_agent.colony.election import Election, Phase
from aware_agent.colony.errors import one_line
from aware_agent.colony.suspicion import Suspicion
from aware_agent.colony.transcript import recorded

SHOWN = 20  # decisions in words; the transcript has more
Name = Callable[[str], str]


class Machines(NamedTuple):
    """What is explained: states as they are now, and what was kept. ``reason``: why it suspects the queen."""

    election: Election
    elected: DecisionLog
    suspicion: Suspicion
    suspected: DecisionLog
    reason: str
    keeper: Machine | None = None  # of the council, at the queen; its times are Unix seconds


def explain(name: str, machines: Machines, *, name_of: Name, now: float, at: float) -> Explanation:
    """The explanation at monotonic time ``now``, which is ``at`` in Unix seconds."""
    mine, doubts, keeper = machines.election, machines.suspicion, machines.keeper
    names = _in_one_line(name_of)
    queen = mine.queen_record
    reigning = mine.phase is Phase.REIGNING
    return Explanation(
        node=mine.me,
        name=name,
        version=__version__,
        at=at,
        phase=mine.phase.value,
        term=mine.term or (mine.queen_term if queen else 0),
        queen=name if reigning else one_line(queen.name) if queen else "",
        line=[names(node) for node in mine.line],
        place=election.position(mine),
        lease_left_s=round(mine.deadline - now, 3) if reigning else None,
        campaign_in_s=None if mine.campaign_at is None else round(mine.campaign_at - now, 3),
        council=[names(node) for node in doubts.council],
        suspects=doubts.suspects,
        suspects_because=one_line(machines.reason) if doubts.suspects else "",
        suspected_by=[names(node) for node in doubts.seen],
        silent_s=round(now - doubts.heard_at, 3) if doubts.term and doubts.met else None,
        patience_s=round(doubts.patience_s, 3),
        sentences=sentences(machines, names, now),
        decisions=_decisions(machines, names, now, at),
        transcript=recorded("election", name, mine, machines.elected.entries())
        + recorded("suspicion", name, doubts, machines.suspected.entries())
        + (recorded("council", name, keeper.state, keeper.kept.entries()) if keeper else ""),
    )


def sentences(machines: Machines, name_of: Name, now: float) -> list[str]:
    """What the member is doing about the reign, and what it holds of the queen."""
    said = [*_of_the_reign(machines.election, name_of, now), *_of_the_queen(machines, name_of, now)]
    if machines.keeper is not None:
        said.append(f"It keeps the council: {machines.keeper.state.told or 'it has not looked at it yet'}.")
    return [one_line(sentence, MAX_LINE) for sentence in said]


def _in_one_line(name_of: Name) -> Name:
    """Ids come out of keys in etcd: a member may have written anything there, and no decoder has looked at it."""
    return lambda node: one_line(name_of(node), MAX_WORD)


# The election ----------------------------------------------------------------------------------------------------


def _of_the_reign(mine: Election, name_of: Name, now: float) -> Iterator[str]:
    match mine.phase:
        case Phase.REIGNING:
            left = mine.deadline - now
            yield (
                f"It reigns under term {mine.term}. Its lease is good for {left:.2f} s more unless it is renewed, and "
                f"it stops by itself {mine.timing.margin_s:g} s before that."
            )
        case Phase.CAMPAIGNING:
            yield "It campaigns: it asks etcd to create the queen's key, and has no answer yet."
        case Phase.GONE:
            yield "It is shutting down and takes no part any more."
        case Phase.WATCHING:
            yield from _watching(mine, name_of, now)
    if mine.gateway_lost:
        yield f"It cannot take writes: {mine.gateway_lost}."


def _watching(mine: Election, name_of: Name, now: float) -> Iterator[str]:
    place = election.position(mine)
    if not mine.known:
        yield "It has not read yet whether anybody reigns."
    elif mine.queen_record is not None:
        yield f"It follows {mine.queen_record.name}, queen of term {mine.queen_term}."
        if place is not None:
            yield f"It is number {place + 1} in line to follow her" + (", the heir." if place == 0 else ".")
    else:
        yield f"It sees no queen. {_waits(mine, place, now)}"
    if place is None and mine.known:
        yield "It is no candidate: " + ("others are in line." if mine.line else "nobody is in line.")
    if mine.hold_for and mine.hold_until > now and mine.queen_record is None:
        yield f"It leaves the reign to {name_of(mine.hold_for)}, who was named, for {mine.hold_until - now:.2f} s more."
    if mine.abstain_until > now:
        yield f"It resigned and does not campaign for {mine.abstain_until - now:.2f} s more."
    if mine.me in mine.unserved:
        yield "Its gateway does not answer, so that it stands at the end of the line."


def _waits(mine: Election, place: int | None, now: float) -> str:
    if place is None or mine.campaign_at is None:
        return "It plans no campaign."
    return f"It is number {place + 1} in line and campaigns in {max(0.0, mine.campaign_at - now):.2f} s."


# What it holds of the queen --------------------------------------------------------------------------------------


def _of_the_queen(machines: Machines, name_of: Name, now: float) -> Iterator[str]:
    doubts = machines.suspicion
    if not doubts.term:
        return
    if not doubts.timing.suspect_after_s:
        yield "Nobody suspects a queen here: suspect_after_s is 0, her lease alone decides."
        return
    if doubts.me not in doubts.council:
        yield "It is not asked about the queen: it is not of the council."
    elif doubts.suspects:
        ago = now - doubts.suspected_at
        yield f"It suspects {doubts.name}, since {ago:.2f} s: {machines.reason or 'etcd has not taken that yet'}."
    elif not doubts.met:
        yield f"Its channel to {doubts.name} was never open in her term, so that it cannot miss her."
    else:
        silent = now - doubts.heard_at
        yield f"It heard {doubts.name} {silent:.2f} s ago, and suspects her after {doubts.patience_s:.2f} s of silence."
    if doubts.strain:
        yield "It is behind with its own work, and so waits longer than usual before it suspects anybody."
    if doubts.seen:
        yield (
            f"{_names(doubts.seen, name_of)} of a council of {len(doubts.council)} said that the queen is suspected; "
            f"{suspicion.majority(doubts.council)} are needed to end her term."
        )


def _names(nodes: Sequence[str], name_of: Name) -> str:
    names = [name_of(node) for node in nodes]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# The last decisions ----------------------------------------------------------------------------------------------


def _decisions(machines: Machines, name_of: Name, now: float, at: float) -> list[Happening]:
    kept = [("election", machines.elected, now), ("suspicion", machines.suspected, now)]
    kept += [("council", machines.keeper.kept, at)] if machines.keeper else []
    told = [
        _happening(machine, entry, name_of, clock)
        for machine, log, clock in kept
        for entry in log.entries()
        if entry.decision.message
    ]
    return sorted(told, key=lambda one: -one.age_s)[-SHOWN:]


def _happening(machine: str, entry: Entry, name_of: Name, now: float) -> Happening:
    return Happening(
        age_s=round(now - entry.at, 3),
        machine=machine,
        happened=happened(entry.event, name_of),
        decided=one_line(entry.decision.message),
    )
