"""What a check of the election found, from the history of its clients. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from aware_agent.check.workload import Accepted
from aware_agent.colony.linear import Operation, Undecided, violation
from aware_agent.colony.violating import smallest

Verdict = Literal["ok", "violation", "undecided"]
MOST_STATES = 2_000_000


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Of operations that were answered, in seconds."""

    p50_s: float
    p95_s: float
    max_s: float


class QueenChange(msgspec.Struct, frozen=True, kw_only=True):
    """Writes were accepted under another term than before.

    ``at_s``: the first of them, since the beginning of the check; ``gap_s``: since the last one of before. ``asked``:
    the check had asked for it. A queen is "" when no answer told her name.
    """

    at_s: float
    gap_s: float
    from_queen: str
    from_term: int
    to_queen: str
    to_term: int
    asked: bool


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a violation; seconds since the beginning of the check. ``expected``: of a conditional write."""

    client: int
    kind: str
    value: int
    expected: int | None
    begin_s: float
    end_s: float | None
    outcome: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of operations, unless the name says seconds. ``refused``: by their precondition, as they had to be."""

    colony: str
    verdict: Verdict
    reason: str
    duration_s: float
    clients: int
    operations: int
    reads: int
    writes: int
    conditional: int
    accepted: int
    refused: int
    unknown: int
    unanswered: int
    read_latency: Latency | None
    write_latency: Latency | None
    longest_gap_s: float
    changes: list[QueenChange]
    hand_overs: list[str]
    interrupted: bool
    violation: list[Step]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a check saw. ``asked``: terms that were to end because it asked for a hand-over; ``undone``: as Workload."""

    colony: str
    clients: int
    began: float
    ended: float
    history: Sequence[Operation]
    accepted: Sequence[Accepted]
    undone: int = 0
    asked: Sequence[int] = ()
    hand_overs: Sequence[str] = ()
    interrupted: bool = False


def judge(seen: Seen) -> Report:
    """Search for an order that explains the history, and count."""
    verdict, reason, steps = _verdict(seen)
    history = seen.history
    writes = [one for one in history if one.kind != "read"]
    answered = [one for one in writes if one.outcome == "ok"]
    reads = [one for one in history if one.kind == "read"]
    return Report(
        colony=seen.colony,
        verdict=verdict,
        reason=reason,
        duration_s=_round(seen.ended - seen.began),
        clients=seen.clients,
        operations=len(history) + seen.undone,
        reads=len(reads),
        writes=len(writes),
        conditional=sum(one.kind == "cas" for one in writes),
        accepted=len(answered),
        refused=sum(one.outcome == "refused" for one in writes),
        unknown=sum(one.outcome == "unknown" for one in writes),
        unanswered=seen.undone,
        read_latency=_latency(reads),
        write_latency=_latency(answered),
        longest_gap_s=_longest_gap(seen),
        changes=_changes(seen),
        hand_overs=list(seen.hand_overs),
        interrupted=seen.interrupted,
        violation=steps,
    )


def _verdict(seen: Seen) -> tuple[Verdict, str, list[Step]]:
    if not any(one.outcome == "ok" and one.kind != "read" for one in seen.history):
        return "undecided", "no write was accepted, so nothing is proved", []
    try:
        broken = violation(seen.history, most=MOST_STATES)
    except Undecided:
        return "undecided", "too many writes without an answer overlap to try every order", []
    if not broken:
        return "ok", "every answer fits one order of all writes and reads", []
    steps = [_step(one, seen.began) for one in smallest(seen.history)]
    return "violation", "no order of these operations explains their answers", steps


def _step(one: Operation, began: float) -> Step:
    return Step(
        client=one.client,
        kind=one.kind,
        value=one.value,
        expected=one.expected if one.kind == "cas" else None,
        begin_s=_round(one.start - began),
        end_s=None if one.end == math.inf else _round(one.end - began),
        outcome=one.outcome,
    )


def _latency(operations: Sequence[Operation]) -> Latency | None:
    times = sorted(one.end - one.start for one in operations)
    if not times:
        return None
    p50, p95 = (times[max(0, math.ceil(share * len(times)) - 1)] for share in (0.5, 0.95))
    return Latency(p50_s=_round(p50), p95_s=_round(p95), max_s=_round(times[-1]))


def _longest_gap(seen: Seen) -> float:
    inside = sorted(one.at for one in seen.accepted if seen.began < one.at < seen.ended)
    points = [seen.began, *inside, max(seen.ended, seen.began)]
    return _round(max(later - earlier for earlier, later in itertools.pairwise(points)))


def _changes(seen: Seen) -> list[QueenChange]:
    """By term. An answer of before may come after the first one under the new term."""
    names: dict[int, str] = {}
    for one in seen.accepted:
        names[one.term] = one.queen or names.get(one.term, "")
    found = []
    for before, after in itertools.pairwise(sorted(names)):
        first = min(one.at for one in seen.accepted if one.term == after)
        last = max((one.at for one in seen.accepted if one.term == before and one.at <= first), default=first)
        found.append(
            QueenChange(
                at_s=_round(first - seen.began),
                gap_s=_round(first - last),
                from_queen=names[before],
                from_term=before,
                to_queen=names[after],
                to_term=after,
                asked=before in seen.asked,
            )
        )
    return found


def _round(seconds: float) -> float:
    """To what a clock is good for."""
    return round(seconds, 4)
