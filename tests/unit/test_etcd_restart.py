"""In which order members of etcd restart to believe other CAs, and that a majority is left at every moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.etcd_restart import Believer, waits_for

OLD, NEW = "old", "new"


def voters(*told: tuple[str, bool, str]) -> list[Believer]:
    return [Believer(node=node, healthy=healthy, believes=believes) for node, healthy, believes in told]


@pytest.mark.parametrize(
    ("me", "seen", "waiting"),
    [
        ("a", [("a", True, OLD)], ""),
        ("a", [("a", True, OLD), ("b", True, OLD), ("c", True, OLD)], ""),
        ("b", [("a", True, OLD), ("b", True, OLD), ("c", True, OLD)], "member a"),
        ("b", [("a", True, NEW), ("b", True, OLD), ("c", True, OLD)], ""),
        ("c", [("a", True, NEW), ("b", True, OLD), ("c", True, OLD)], "member b"),
        ("c", [("a", False, NEW), ("b", True, NEW), ("c", True, OLD)], "1 more healthy members of etcd"),
        ("b", [("a", False, OLD), ("b", True, OLD)], "1 more healthy members of etcd"),
        ("c", [("a", True, ""), ("b", True, NEW), ("c", True, OLD)], ""),
        ("c", [("a", True, NEW), ("b", True, NEW), ("c", False, OLD)], ""),
        ("d", [("a", True, OLD), ("b", True, OLD), ("c", True, OLD)], ""),
        (
            "c",
            [("a", False, OLD), ("b", True, NEW), ("c", True, OLD), ("d", True, OLD), ("e", True, OLD)],
            "",
        ),
    ],
    ids=[
        "alone, etcd pauses",
        "the first one begins",
        "the second waits for the first",
        "then it is its turn",
        "the third waits for the second",
        "one is starting: nobody else goes",
        "of two both have to be well",
        "whose agent is not here is not waited for",
        "whom etcd misses already does not wait",
        "who has no vote does not wait",
        "of five one may be lost",
    ],
)
def test_whose_turn_it_is(me: str, seen: list[tuple[str, bool, str]], waiting: str) -> None:
    assert waits_for(me, voters(*seen), NEW) == waiting


@given(st.integers(3, 7), st.data())
def test_members_that_restart_one_by_one_never_lose_the_majority(size: int, data: st.DataObject) -> None:
    """Whoever may restart is down for a while; others look meanwhile, at any moment."""
    names = [chr(ord("a") + number) for number in range(size)]
    believes, down = dict.fromkeys(names, OLD), set[str]()
    for _ in range(20 * size):
        seen = voters(*((name, name not in down, believes[name]) for name in names))
        going = [n for n in names if believes[n] == OLD and n not in down and not waits_for(n, seen, NEW)]
        assert len(going) <= 1, "two would go at once"
        down.update(going)
        assert size - len(down) > size // 2
        if down and data.draw(st.booleans()):
            back = data.draw(st.sampled_from(sorted(down)))
            down.discard(back)
            believes[back] = NEW
    while down:
        believes[down.pop()] = NEW
    assert NEW in believes.values()


@given(st.integers(1, 7))
def test_without_faults_every_member_gets_its_turn(size: int) -> None:
    names = [chr(ord("a") + number) for number in range(size)]
    believes = dict.fromkeys(names, OLD)
    for _ in range(size):
        seen = voters(*((name, True, believes[name]) for name in names))
        turn = next(n for n in names if believes[n] == OLD and not waits_for(n, seen, NEW))
        believes[turn] = NEW
    assert set(believes.values()) == {NEW}
