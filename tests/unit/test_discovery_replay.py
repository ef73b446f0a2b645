"""Window, replay memory and rate limit: the promises, and their bounds in memory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aware_agent.discovery.replay import RateLimit, RecentKeys, ReplayMemory, clock_difference, in_window

# A slow machine is no bug.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

NOW = 1_700_000_000.0
NOW_MS = 1_700_000_000_000


def test_window_edges() -> None:
    assert in_window(NOW_MS + 30_000, NOW)
    assert in_window(NOW_MS - 30_000, NOW)
    assert not in_window(NOW_MS + 30_001, NOW)
    assert not in_window(NOW_MS - 30_001, NOW)


@given(st.integers(0, 2**64 - 1), st.floats(0, 4e9), st.floats(0.001, 1e6))
def test_window_agrees_with_the_difference(sent_ms: int, now: float, window_s: float) -> None:
    difference = abs(clock_difference(sent_ms, now))
    if difference < window_s * 0.999 - 0.002:
        assert in_window(sent_ms, now, window_s)
    if difference > window_s * 1.001 + 0.002:
        assert not in_window(sent_ms, now, window_s)


def test_a_difference_has_a_sign() -> None:
    assert clock_difference(NOW_MS + 3_600_000, NOW) == 3600
    assert clock_difference(NOW_MS - 3_600_000, NOW) == -3600


def test_a_replay_is_refused_as_long_as_the_window_would_pass_it() -> None:
    memory = ReplayMemory(window_s=30)
    ahead = NOW_MS + 30_000  # the most a sender may be ahead
    assert memory.first_time(b"a", ahead, NOW)
    for later in (0.0, 1.0, 59.9, 60.0):
        assert in_window(ahead, NOW + later)
        assert not memory.first_time(b"a", ahead, NOW + later)
    assert not in_window(ahead, NOW + 60.1)


def test_replay_memory_forgets_what_the_window_refuses() -> None:
    memory = ReplayMemory(window_s=30)
    for second in range(10_000):
        memory.first_time(second.to_bytes(4, "big"), NOW_MS + second * 1000, NOW + second)
    assert len(memory) <= 61


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-30_000, 30_000)), max_size=200))
def test_no_replay_ever_passes_even_a_full_memory(arrivals: list[tuple[int, int]]) -> None:
    memory = ReplayMemory(window_s=30, capacity=8)
    taken: set[tuple[int, int]] = set()
    now = NOW
    for name, offset_ms in arrivals:
        key = (name, NOW_MS + offset_ms)
        passed = memory.first_time(repr(key).encode(), key[1], now)
        assert not (passed and key in taken)
        assert len(memory) <= 8
        if passed:
            taken.add(key)
        now += 0.1


def test_a_full_memory_still_takes_newer_ones() -> None:
    memory = ReplayMemory(window_s=30, capacity=4)
    for number in range(100):
        assert memory.first_time(number.to_bytes(4, "big"), NOW_MS + number, NOW)
    assert len(memory) == 4


def test_recent_keys_are_bounded() -> None:
    recent = RecentKeys(capacity=3)
    assert [recent.first_time(key) for key in (b"a", b"a", b"b", b"c", b"d", b"d")] == [
        True,
        False,
        True,
        True,
        True,
        False,
    ]
    assert len(recent) == 3
    assert recent.first_time(b"a")


def test_rate_limit_lets_a_burst_pass_and_then_the_rate() -> None:
    limit = RateLimit(rate=2, burst=3)
    assert [limit.allow("x", 100.0) for _ in range(5)] == [True, True, True, False, False]
    assert not limit.allow("x", 100.4)
    assert limit.allow("x", 100.6)
    assert limit.allow("y", 100.6)
    assert [limit.allow("x", 1000.0) for _ in range(4)] == [True, True, True, False]


def test_rate_limit_forgets_the_least_recent_source() -> None:
    limit = RateLimit(rate=1, burst=1, sources=100)
    for number in range(10_000):
        assert limit.allow(number, 0.0)
    assert len(limit) == 100
    assert not limit.allow(9_999, 0.0)


@given(st.lists(st.integers(-100, 100), min_size=1, max_size=50))
def test_a_clock_that_runs_back_gives_nothing_away(times: list[int]) -> None:
    limit = RateLimit(rate=0.1, burst=2)
    assert sum(limit.allow("x", now) for now in times) <= 2 + 0.1 * (max(times) - min(times)) + 1e-6
