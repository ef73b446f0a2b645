"""Budgets: an average, a burst, and a table that stays small."""

from __future__ import annotations

import pytest

from aware_agent.channel.limits import Bucket, SourceLimits, source_of


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    bucket = Bucket(rate=10, burst=3, now=0.0)
    assert [bucket.take(1, 0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert bucket.take(1, 100.0) == 0.0
    assert [bucket.allow(100.0) for _ in range(3)] == [True, True, False]
    assert bucket.allow(100.15)
    assert not bucket.allow(50.0)  # a clock that went back gives nothing


def test_one_source_takes_only_its_share() -> None:
    limits = SourceLimits(rate=1, burst=10, pending_each=2, pending=3)
    assert [limits.begin("192.0.2.1", 0.0) for _ in range(3)] == ["192.0.2.1", "192.0.2.1", None]
    assert limits.begin("192.0.2.2", 0.0) == "192.0.2.2"
    assert limits.begin("192.0.2.3", 0.0) is None  # the seats are taken, whoever comes
    limits.end("192.0.2.1")
    assert limits.begin("192.0.2.3", 0.0) == "192.0.2.3"
    for source in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        limits.end(source)
    assert limits.under_way == 0


def test_many_sources_do_not_fill_the_memory() -> None:
    limits = SourceLimits(rate=1, burst=1, pending_each=1, pending=1)
    for number in range(SourceLimits.SOURCES + 100):
        source = limits.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
        assert source
        limits.end(source)
    assert len(limits._buckets) == SourceLimits.SOURCES


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8::ffff:1", "2001:db8::"),
        ("fe80::1%eth0", "fe80::"),
        ("junk", "junk"),
    ],
)
def test_what_counts_as_one_source(address: str, source: str) -> None:
    assert source_of(address) == source
