"""The smallest part of a history that is enough to see that it is not linearizable, for a person to look at.

Every step leaves out only what cannot excuse what is left, so the part violates because the whole does:

* what was asked after the first answer that cannot be explained;
* what was over before a write that nobody overlaps with: after it the register holds that one's value, whatever was
  before. Of what came before only the writes are shown whose values are seen later, where they cannot be;
* reads and refused operations that are not needed, which say nothing but what they saw;
* writes of values that nobody saw, unless somebody was refused: such a write may be the reason.

It is for histories in which every value is written once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from aware_agent.colony.linear import Operation, Undecided, violation

MOST = 200_000  # states a step may look at; a step that would need more is left out
_FEW = 400  # operations from which single writes are left out
History = tuple[Operation, ...]


def smallest(history: Sequence[Operation], first: int = 0) -> History:
    """A part of ``history`` that has no order either, in the order of its requests; empty when there is an order."""
    if not violation(history, first):
        return ()
    whole = _settled(_prefix(tuple(history), first))
    begin, found, before = None, whole, 0
    while before != len(found):  # what is left out overlaps with nothing any more
        before = len(found)
        cut, found = _end(found)
        begin, first = (begin, first) if cut is None else (cut, cut.value)
        found = _without_unseen(_without_looks(found, first), first)
    ordered = tuple(sorted(found, key=lambda one: one.start))
    return ordered if begin is None else (*_context(whole, begin, ordered), begin, *ordered)


def _violates(history: History, first: int) -> bool:
    try:
        return bool(violation(history, first, MOST))
    except Undecided:
        return False


def _until(history: History, moment: float) -> History:
    """As it was known at ``moment``: what had no answer then may have happened or not."""
    begun = [one for one in history if one.start <= moment and not (one.only_looks and one.end > moment)]
    return tuple(one if one.end <= moment else one._replace(end=math.inf, outcome="unknown") for one in begun)


def _prefix(history: History, first: int) -> History:
    """Up to the first answer with which it violates: once broken it stays so, so that half of it is tried each time."""
    ends = sorted({one.end for one in history if one.end != math.inf})
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _violates(_until(history, ends[middle]), first):
            high = middle
        else:
            low = middle + 1
    found = _until(history, ends[low]) if ends else history
    return found if _violates(found, first) else history


def _settled(history: History) -> History:
    """A write without an answer whose value somebody saw had happened by then, so that it is over."""
    seen: dict[int, float] = {}
    for one in history:
        if one.end != math.inf and (value := _sees(one)) is not None:
            seen[value] = min(one.end, seen.get(value, math.inf))
    return tuple(
        one._replace(end=max(one.start, seen[one.value])) if one.outcome == "unknown" and one.value in seen else one
        for one in history
    )


def _sees(one: Operation) -> int | None:
    """The value that must have been there for it: of a read, or of a conditional write that was not refused."""
    if one.kind == "read":
        return one.value
    return one.expected if one.kind == "cas" and one.outcome != "refused" else None


def _end(history: History) -> tuple[Operation | None, History]:
    """The last write that nobody overlaps with and that leaves a violation after it, and what may come after it.

    What was asked before and has no answer may: it does not count as an overlap, and stays.
    """
    ordered = sorted(history, key=lambda one: one.start)
    begins: list[int] = []
    latest = -math.inf  # answer to anything before
    for number, one in enumerate(ordered):
        after = ordered[number + 1].start if number + 1 < len(ordered) else math.inf
        if one.outcome == "ok" and one.kind != "read" and latest < one.start and one.end < after:
            begins.append(number)
        latest = max(latest, one.end if one.end != math.inf else latest)
    for number in reversed(begins):
        begin = ordered[number]
        rest = (*(one for one in ordered[:number] if one.end == math.inf), *ordered[number + 1 :])
        if _violates(rest, begin.value):
            return begin._replace(kind="write"), rest
    return None, history


def _context(whole: History, begin: Operation, shown: History) -> History:
    """Writes from before ``begin`` of the values that are seen after it although they were overwritten."""
    seen = {value for one in shown if (value := _sees(one)) is not None}
    found = [one._replace(kind="write") for one in whole if not one.only_looks and one.value in seen]
    return tuple(sorted((one for one in found if one.end < begin.start), key=lambda one: one.start))


def _without_looks(history: History, first: int) -> History:
    """Without reads and refusals that are not needed: many at a time first, then one by one."""
    size = len(history)
    while size:
        looks = [one for one in history if one.only_looks]
        for begin in range(0, len(looks), size):
            less = _minus(history, looks[begin : begin + size])
            if _violates(less, first):
                history = less
        size //= 2
    return history


def _without_unseen(history: History, first: int) -> History:
    """Without writes that nobody saw and that excuse no refusal; again as long as that helps: one may see another."""
    for certain in (False, True):
        idle = [one for one in _idle(history) if certain or one.end == math.inf]
        if _violates(less := _minus(history, idle), first):
            history = less
    if len(history) > _FEW:  # the longest a person reads is far shorter, and each costs a search
        return history
    for one in sorted(history, key=lambda one: one.start, reverse=True):
        if one in _idle(history) and _violates(less := _minus(history, [one]), first):
            return _without_unseen(less, first)
    return history


def _idle(history: History) -> list[Operation]:
    """Writes whose value nobody read or wrote on condition of, and because of which nobody can have been refused."""
    seen = {one.value for one in history if one.kind == "read"} | {one.expected for one in history if one.kind == "cas"}
    refused = max((one.end for one in history if one.outcome == "refused"), default=-math.inf)
    return [one for one in history if not one.only_looks and one.value not in seen and one.start >= refused]


def _minus(history: History, gone: Sequence[Operation]) -> History:
    names = {id(one) for one in gone}
    return tuple(one for one in history if id(one) not in names)
