"""How often: GCRA keeps to its rate, forgets nobody too early, and its memory is bounded whoever comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.rates import SHARED, Rate, Rates

STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 3.0)), max_size=120)


class _Bucket:
    """The plain token bucket that GCRA has to agree with."""

    def __init__(self, rate: Rate) -> None:
        self.rate, self.left, self.at = rate, rate.burst, 0.0

    def take(self, now: float) -> bool:
        self.left = min(self.rate.burst, self.left + (now - self.at) * self.rate.per_s)
        self.at = now
        if self.left < 1.0 - 1e-6:
            return False
        self.left -= 1.0
        return True


@given(STEPS, st.sampled_from([Rate(1.0, 1.0), Rate(2.0, 5.0), Rate(0.5, 3.0)]))
def test_it_is_a_token_bucket_for_each_party(steps: list[tuple[str, float]], rate: Rate) -> None:
    rates, buckets, now = Rates(rate), {key: _Bucket(rate) for key in "abc"}, 0.0
    for key, pause in steps:
        now += pause
        assert (rates.take(key, now) == 0.0) is buckets[key].take(now)


def test_who_waits_as_long_as_he_is_told_gets_through_and_not_before() -> None:
    rates = Rates(Rate(2.0, 4.0))
    assert [rates.take("a", 10.0) for _ in range(4)] == [0.0] * 4
    wait = rates.take("a", 10.0)
    assert wait == 0.5
    assert rates.wait("a", 10.0) == 0.5
    assert rates.take("a", 10.0 + wait / 2) > 0
    assert rates.take("a", 10.0 + wait) == 0.0
    assert rates.take("b", 10.0) == 0.0


def test_what_is_given_back_can_be_spent_again() -> None:
    rates = Rates(Rate(1.0, 2.0))
    for _ in range(50):
        assert rates.take("a", 5.0) == 0.0
        rates.give_back("a")
    assert rates.left("a", 5.0) == 2.0
    rates.give_back("nobody")
    assert rates.left("nobody", 5.0) == 2.0


@given(st.floats(0.0, 10.0))
def test_nobody_gets_a_fresh_start_before_his_budget_is_whole(pause: float) -> None:
    """Whatever is forgotten when: after a pause there is what the pause gives, and no more."""
    rates = Rates(Rate(1.0, 5.0))
    for _ in range(5):
        assert rates.take("a", 100.0) == 0.0
    spent = 0
    while rates.take("a", 100.0 + pause) == 0.0:
        spent += 1
    assert spent <= min(5, int(pause + 1e-6))


def test_a_flood_of_names_neither_grows_the_memory_nor_pushes_anybody_out() -> None:
    rates = Rates(Rate(1.0, 10.0), most=100)
    for _ in range(10):
        rates.take("guesser", 1.0)
    through = sum(rates.take(f"name-{number}", 2.0) == 0.0 for number in range(5000))
    assert len(rates) <= 100 + SHARED
    assert through <= 100 + SHARED * 10, "newcomers share what is left"
    assert rates.take("guesser", 2.0) == 0.0
    assert rates.take("guesser", 2.0) > 0.0, "one second gave one, and no more"
    assert rates.take("late", 60.0) == 0.0
    assert len(rates) == 1, "whoever was quiet is forgotten"
