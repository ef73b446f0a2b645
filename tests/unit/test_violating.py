"""The part of a history that a person is shown: it violates by itself, it is small, and it blames nobody wrongly."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from aware_agent.colony.linear import Operation, Undecided, violation
from aware_agent.colony.violating import smallest


def read(value: int, start: float, end: float) -> Operation:
    return Operation("read", value, start, end)


def write(value: int, start: float, end: float = math.inf) -> Operation:
    return Operation("write", value, start, end, "ok" if end != math.inf else "unknown")


def cas(expected: int, value: int, start: float, end: float, *, ok: bool = True) -> Operation:
    return Operation("cas", value, start, end, "ok" if ok else "refused", expected)


def colony(seed: int, count: int = 400, clients: int = 4) -> list[Operation]:
    """What clients of a register without a fault see: each operation happens between its request and its answer."""
    dice = random.Random(seed)
    free = [0.0] * clients
    due: list[tuple[float, float, float, int]] = []
    for _ in range(count):
        client = min(range(clients), key=lambda one: free[one])
        start = free[client] + dice.uniform(0.001, 0.05)
        end = start + dice.uniform(0.001, 0.04)
        due.append((dice.uniform(start, end), start, end, client + 1))
        free[client] = end
    found, state = [], 0
    for value, (_, start, end, client) in enumerate(sorted(due), 1):
        kind = dice.choice(["read", "write", "cas", "cas"])
        if kind == "read":
            found.append(Operation("read", state, start, end, client=client))
            continue
        expected = state if dice.random() < 0.6 else max(0, state - 1)
        if kind == "cas" and expected != state:
            found.append(Operation("cas", value, start, end, "refused", expected, client))
            continue
        answered = dice.random() > 0.02
        one = Operation(kind, value, start, end, "ok", expected if kind == "cas" else 0, client)  # type: ignore[arg-type]
        found.append(one if answered else one._replace(end=math.inf, outcome="unknown"))
        state = value
    return found


def stale_read(history: list[Operation], dice: random.Random) -> list[Operation]:
    """A read tells a value that was overwritten by a write that was answered before it was asked for."""
    reads = [n for n, one in enumerate(history) if one.kind == "read" and one.start > 1.0]
    number = dice.choice(reads)
    old = [
        one
        for one in history
        if one.kind == "write"
        and one.outcome == "ok"
        and any(one.end < other.start and other.end < history[number].start for other in history if _done(other))
    ]
    return [*history[:number], history[number]._replace(value=old[0].value), *history[number + 1 :]]


def lost_write(history: list[Operation], dice: random.Random) -> list[Operation]:
    """At the very end a write is acknowledged that a read after it does not see."""
    del dice
    end = max(one.end for one in history if one.end != math.inf)
    return [
        *history,
        write(900_001, end + 1, end + 2),
        write(900_002, end + 3, end + 4),
        read(900_001, end + 5, end + 6),
    ]


def two_on_one(history: list[Operation], dice: random.Random) -> list[Operation]:
    """Two conditional writes succeed on the same value."""
    done = [one for one in history if one.kind == "cas" and one.outcome == "ok"]
    one = dice.choice(done)
    return [*history, one._replace(value=900_001, start=one.end + 2, end=one.end + 3)]


def _done(one: Operation) -> bool:
    return one.kind != "read" and one.outcome == "ok"


@pytest.mark.parametrize("seed", range(8))
def test_a_register_without_a_fault_is_never_blamed(seed: int) -> None:
    history = colony(seed)
    assert not violation(history)
    assert smallest(history) == ()


@pytest.mark.parametrize("defect", [stale_read, lost_write, two_on_one], ids=lambda one: one.__name__)
@pytest.mark.parametrize("seed", range(6))
def test_a_defect_is_found_and_shown_in_few_operations(seed: int, defect: object) -> None:
    assert callable(defect)
    history = defect(colony(seed), random.Random(seed))
    assert violation(history)
    shown = smallest(history)
    assert 0 < len(shown) <= 12, shown
    assert violation(shown)
    known = {(one.value, one.start) for one in history}
    assert {(one.value, one.start) for one in shown} <= known, "nothing is invented"


def test_what_is_shown_is_exactly_what_matters() -> None:
    noise = [write(1, 0, 1), read(1, 2, 3), cas(1, 2, 4, 5), cas(1, 99, 5.5, 5.8, ok=False)]
    bad = [write(3, 6, 7), write(4, 8, 9), read(3, 10, 11)]
    after = [write(5, 12, 13), read(5, 14, 15)]
    assert smallest([*noise, *bad, *after]) == tuple(bad)


def test_a_write_without_an_answer_that_excuses_a_refusal_is_not_left_out() -> None:
    """The refusal of 3 may be due to the write of 2, which nobody saw; only the read is wrong."""
    history = [
        write(1, 0, 1),
        write(2, 1.5),
        cas(1, 3, 2, 3, ok=False),
        read(1, 4, 5),
    ]
    assert violation(history), "after the refusal it holds 2 for good"
    shown = smallest(history)
    assert write(2, 1.5) in shown
    assert read(1, 4, 5) in shown


def test_it_shows_something_when_and_only_when_there_is_a_violation() -> None:
    dice = random.Random(7)
    verdicts = set()
    for _ in range(300):
        values = itertools.count(1)
        history = []
        for _ in range(7):
            start = dice.randrange(12)
            end = start + dice.randrange(1, 6)
            old = dice.randrange(4)
            one = dice.choice(
                (
                    read(old, start, end),
                    write(next(values), start, end if dice.random() < 0.8 else math.inf),
                    cas(old, next(values), start, end, ok=dice.random() < 0.6),
                )
            )
            history.append(one)
        broken = bool(violation(history))
        verdicts.add(broken)
        shown = smallest(history)
        assert bool(shown) == broken
        assert not shown or violation(shown)
        assert len(shown) <= len(history)
    assert verdicts == {True, False}


def test_a_search_that_is_too_long_says_so() -> None:
    history = colony(1)
    assert not violation(history, most=100_000)
    with pytest.raises(Undecided):
        violation(history, most=50)


def test_writes_that_nobody_answered_do_not_make_the_search_long() -> None:
    """Each may have happened at any time; only those that somebody needs are tried."""
    history = [write(1_000 + number, number) for number in range(300)]
    history += [write(number, 10.0 * number, 10.0 * number + 5) for number in range(1, 500)]
    history += [
        cas(number, 5_000 + number, 10.0 * number + 6, 10.0 * number + 8, ok=False) for number in range(1, 500, 50)
    ]
    history += [read(1_299, 6_000, 6_001)]
    assert not violation(history, most=5_000)
    seen = [one for one in history if one.outcome != "refused"]
    assert violation([*seen, read(499, 6_002, 6_003)], most=5_000)
