"""Pace and peer table: the pure parts of the service."""

from __future__ import annotations

import pytest
from discovery_support import node_id
from hypothesis import given, settings
from hypothesis import strategies as st

from aware_agent.discovery.beacon import Beacon, Kind
from aware_agent.discovery.pace import Pace
from aware_agent.discovery.peers import PeerTable

# A slow machine is no bug.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def announce(number: int, **fields: object) -> Beacon:
    basics = {"kind": Kind.ANNOUNCE, "key_id": "1", "sent_ms": 0, "nonce": bytes(8), "sender": node_id(number)}
    return Beacon(**{**basics, **fields})


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_node_receives_at_most_the_steady_rate_whatever_the_size(size: int, dice: float) -> None:
    pace = Pace()
    per_node = 1 / pace.delay(sent=1000, size=size, dice=dice)
    assert size * per_node <= pace.steady_rate / (1 - pace.jitter) + 1e-9


@given(st.integers(1, 10_000))
def test_on_average_it_is_the_steady_rate(size: int) -> None:
    pace = Pace()
    mean = (pace.delay(sent=1000, size=size, dice=0.0) + pace.delay(sent=1000, size=size, dice=1.0)) / 2
    assert size / mean <= pace.steady_rate + 1e-9


def test_a_small_colony_starts_fast_and_calms_down() -> None:
    pace = Pace(jitter=0)
    delays = [pace.delay(sent, size=5, dice=0.5) for sent in range(1, 13)]
    assert delays == [0.2, 0.2, 0.2, 0.2, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


@given(st.integers(0, 10**9), st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_always_sane(sent: int, size: int, dice: float) -> None:
    assert 0.1 < Pace().delay(sent, size, dice) < 3600


def test_jitter_spreads() -> None:
    assert Pace().delay(100, 5, 0.0) == pytest.approx(4.0)
    assert Pace().delay(100, 5, 0.999_999) == pytest.approx(6.0, abs=0.001)


def test_peers_report_only_news() -> None:
    table = PeerTable()
    assert table.hear(announce(1, name="a"), 1.0) is not None
    assert table.hear(announce(1, name="a", nonce=b"87654321"), 2.0) is None
    changed = table.hear(announce(1, name="a", term=7), 3.0)
    assert changed is not None
    assert changed.term == 7
    assert len(table) == 1


def test_the_peer_table_is_bounded_and_drops_the_most_silent() -> None:
    table = PeerTable(capacity=3)
    for number in (1, 2, 3, 1, 4):
        table.hear(announce(number), float(number))
    assert [peer.id for peer in table] == [node_id(3), node_id(1), node_id(4)]


def test_peers_leave_by_silence_and_by_good_bye() -> None:
    table = PeerTable()
    table.hear(announce(1), 1.0)
    table.hear(announce(2), 2.0)
    table.hear(announce(3), 3.0)
    assert table.expire(before=2.0) == 1
    table.remove(node_id(3))
    table.remove(node_id(3))
    assert table.get(node_id(1)) is None
    assert table.get(node_id(2)) is not None
    assert len(table) == 1
