"""The smallest part of a history that is enough to see that it is not linearizable, for a person to look at.

Every step leaves out only what cannot excuse what is left, so the part violates because the whole does:

* what was asked after the first answer that cannot be explained;
* what was over before a write that nobody overlaps with: after it the register holds that one's value, whatever was;
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
    found = _without_looks(_end(_prefix(tuple(history), first), first), first)
    return tuple(sorted(_without_unseen(found, first), key=lambda one: one.start))


def _violates(history: History, first: int) -> bool:
    try:
        return bool(violation(history, first, MOST))
    except Undecided:
        return False


def _until(history: History, moment: float) -> History:
    """As it was known at ``moment``: what had no answer then may have happened or not."""
    begun = [one for one in history if one.start <= moment and not (one.only_looks and one.end > moment)]
    return tuple(
        one if one.end <= moment else one._replace(end=math.inf, outcome="unknown") for one in begun
    )  # a read without an answer says nothing


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


def _end(history: History, first: int) -> History:
    """From the last write on that nobody overlaps with and that still leaves a violation."""
    ordered = sorted(history, key=lambda one: one.start)
    begins: list[int] = []
    latest = -math.inf  # answer to anything before
    for number, one in enumerate(ordered):
        after = ordered[number + 1].start if number + 1 < len(ordered) else math.inf
        if not one.only_looks and latest < one.start and one.end < after:
            begins.append(number)
        latest = max(latest, one.end)
    for number in reversed(begins):
        found = (ordered[number]._replace(kind="write"), *ordered[number + 1 :])
        if _violates(found, first):
            return found
    return history


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
    if len(history) > _FEW:  # the longest a person reads is far shorter, and each costs a search
        return history
    for one in sorted(history, key=lambda one: one.start, reverse=True):
        refusals = any(other.outcome == "refused" for other in history)
        if one.only_looks or refusals or _is_seen(one, history):
            continue
        less = _minus(history, [one])
        if _violates(less, first):
            history = less
    return history


def _is_seen(write: Operation, history: History) -> bool:
    """Whether somebody read its value, or wrote on condition of it."""
    return any(
        other is not write and ((other.kind == "read" and other.value == write.value) or _expects(other, write.value))
        for other in history
    )


def _expects(operation: Operation, value: int) -> bool:
    return operation.kind == "cas" and operation.expected == value


def _minus(history: History, gone: Sequence[Operation]) -> History:
    names = {id(one) for one in gone}
    return tuple(one for one in history if id(one) not in names)
