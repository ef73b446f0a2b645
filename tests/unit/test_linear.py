"""The checker of histories: what it must accept, and what it must not."""

from __future__ import annotations

import itertools
import random

from aware_agent.colony.linear import Operation, step, violation


def read(value: int, start: float, end: float) -> Operation:
    return Operation("read", value, start, end)


def write(value: int, start: float, end: float) -> Operation:
    return Operation("write", value, start, end)


def cas(expected: int, value: int, start: float, end: float, *, ok: bool = True) -> Operation:
    return Operation("cas", value, start, end, "ok" if ok else "refused", expected)


def lost(kind: str, value: int, start: float, expected: int = 0) -> Operation:
    assert kind in ("write", "cas")
    return Operation("write" if kind == "write" else "cas", value, start, outcome="unknown", expected=expected)


def test_histories_that_have_an_order() -> None:
    for history in (
        [],
        [write(1, 0, 1), read(1, 2, 3)],
        [write(1, 0, 3), write(2, 1, 2), read(1, 4, 5)],  # the first one took effect last
        [write(1, 0, 5), read(0, 1, 2), read(1, 3, 4)],
        [cas(0, 1, 0, 1), cas(0, 2, 2, 3, ok=False), cas(1, 3, 4, 5)],
        [lost("write", 1, 0), read(0, 1, 2), read(1, 3, 4)],  # it happened late
        [lost("write", 1, 0), read(0, 1, 2)],  # or never
        [lost("cas", 1, 0), cas(1, 2, 5, 6)],
    ):
        assert not violation(history), history


def test_histories_that_have_none() -> None:
    for history in (
        [write(1, 0, 1), read(0, 2, 3)],  # a write that was acknowledged is gone
        [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)],  # and came back
        [cas(0, 1, 0, 1), cas(0, 2, 2, 3)],  # two who both found the same
        [write(1, 0, 1), cas(1, 2, 2, 3, ok=False)],  # refused without a reason
        [lost("cas", 1, 5, expected=0), read(1, 1, 2)],  # before it was asked for
        [write(1, 0, 5), read(1, 1, 2), read(0, 3, 4)],
    ):
        assert violation(history), history


def brute_force(history: list[Operation]) -> bool:
    """Try every order of every choice of operations without an answer."""
    certain = [operation for operation in history if operation.outcome != "unknown"]
    maybe = [operation for operation in history if operation.outcome == "unknown"]
    for count in range(len(maybe) + 1):
        for chosen in itertools.combinations(maybe, count):
            for order in itertools.permutations([*certain, *chosen]):
                if any(b.end < a.start for a, b in itertools.combinations(order, 2)):
                    continue
                state: int | None = 0
                for operation in order:
                    state = step(operation, state)
                    if state is None:
                        break
                if state is not None:
                    return True
    return False


def test_it_says_what_trying_every_order_says() -> None:
    dice = random.Random(11)
    verdicts = set()
    for _ in range(400):
        history = []
        for _ in range(5):
            start = dice.randrange(12)
            end = start + dice.randrange(1, 6)
            value, expected = dice.randrange(3), dice.randrange(3)
            made = (
                read(value, start, end),
                write(value, start, end),
                cas(expected, value, start, end, ok=dice.random() < 0.6),
                lost("write", value, start),
                lost("cas", value, start, expected),
            )
            history.append(dice.choice(made))
        verdicts.add(verdict := brute_force(history))
        assert (not violation(history)) == verdict, history
    assert verdicts == {True, False}


def test_a_long_history_of_few_at_a_time_is_cheap() -> None:
    """And one fault at its end is found."""
    history, state = [], 0
    for number in range(1, 4000):
        now = 10.0 * number
        history += [cas(state, number, now, now + 5), cas(-1, -2, now, now + 12, ok=False)]
        state = number
    assert not violation(history)
    assert violation([*history, read(state - 1, 1e6, 1e6 + 1)])
