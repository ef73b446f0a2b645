"""What a full history gives up: the noise of who wrote most, and nothing of who wrote little."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.fairness import surplus

OWNERS = st.lists(st.sampled_from("abcdef"), max_size=200)


@given(OWNERS, st.integers(1, 120))
def test_what_stays_fits_and_is_everybodys_newest(owners: list[str], keep: int) -> None:
    going = surplus(owners, keep)
    assert going == sorted(set(going))
    stays = [owner for place, owner in enumerate(owners) if place not in set(going)]
    assert len(stays) <= keep
    if len(owners) <= keep:
        assert going == []
    else:
        assert keep - len(stays) < len(set(owners)), "no more goes than has to"
    left, lost = Counter(stays), Counter(owners[place] for place in going)
    for owner in set(owners):
        mine = [place for place, name in enumerate(owners) if name == owner]
        assert [place for place in going if owners[place] == owner] == mine[: lost[owner]], "the oldest go first"
        for other in set(owners):
            if lost[other]:
                assert left[other] >= min(left[owner], left[other])
                assert left[owner] <= left[other], "who loses something has no less left than anybody"


def test_one_who_writes_in_a_loop_pushes_out_nobody_else() -> None:
    owners = ["ada"] * 20 + ["colony/node-1"] * 30 + ["otto"] * 5000 + ["ada"] * 5
    going = surplus(owners, 500)
    assert {owners[place] for place in going} == {"otto"}
    assert len(owners) - len(going) == 500


def test_one_alone_keeps_the_newest() -> None:
    assert surplus(["otto"] * 10, 4) == [0, 1, 2, 3, 4, 5]
    assert surplus([], 4) == []
