"""Lock-out, entity tags, Accept-Encoding and kept replies, as pure functions."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.gateway import lockout, preconditions
from aware_agent.gateway.errors import TooManyAttempts
from aware_agent.gateway.idempotency import mark
from aware_agent.gateway.lockout import Lockout
from aware_agent.gateway.reads import accepts_gzip


def test_lock_out_is_per_key_and_forgiven_by_success() -> None:
    door = Lockout(free=3)
    for _ in range(3):
        door.check(("a",), 100.0)
        door.failed(("a",), 100.0)
    door.check(("b",), 100.0)
    with pytest.raises(TooManyAttempts) as locked:
        door.check(("a",), 101.5)
    assert locked.value.retry_after == 4
    door.check(("a",), 105.0)
    door.succeeded(("a",))
    door.failed(("a",), 106.0)
    door.check(("a",), 106.0)


def test_waiting_is_bounded_and_forgotten_in_the_end() -> None:
    door = Lockout(free=1)
    now = 0.0
    for _ in range(60):
        door.failed(("a",), now)
    with pytest.raises(TooManyAttempts) as locked:
        door.check(("a",), now)
    assert locked.value.retry_after == lockout.LONGEST_WAIT_S
    door.failed(("a",), now + lockout.FORGET_S + lockout.LONGEST_WAIT_S)
    with pytest.raises(TooManyAttempts) as locked:
        door.check(("a",), now + lockout.FORGET_S + lockout.LONGEST_WAIT_S)
    assert locked.value.retry_after == lockout.FIRST_WAIT_S


def test_strangers_cannot_fill_the_memory() -> None:
    door = Lockout()
    for number in range(lockout.MAX_REMEMBERED + 100):
        door.failed((str(number),), 0.0)
    assert len(door._failures) == lockout.MAX_REMEMBERED


@given(st.integers(0, 2**63 - 1), st.binary(max_size=100))
def test_the_tag_of_a_body_is_a_precondition_of_its_revision(revision: int, body: bytes) -> None:
    tag = preconditions.etag(revision, body)
    assert preconditions.none_match(tag, tag)
    assert preconditions.none_match(b'"x", W/' + tag, tag)
    assert preconditions.if_match(tag.decode(), 0) == revision
    assert preconditions.if_match(f"W/{tag.decode()}", revision) == revision


@given(st.text(max_size=60))
def test_if_match_never_fails_otherwise(header: str) -> None:
    with contextlib.suppress(InvalidInput):
        revision = preconditions.if_match(header, 5)
        assert revision is None or revision >= 0


def test_of_several_tags_the_present_one_counts() -> None:
    assert preconditions.if_match('"3", "7-ab"', 7) == 7
    assert preconditions.if_match('"3", "7-ab"', 9) == 3
    assert preconditions.if_match(None, 9) is None
    assert preconditions.if_match("*", 9) is None


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"gzip", True),
        (b"br, GZIP;q=0.5", True),
        (b"gzip;q=1.0, identity", True),
        (b"", False),
        (b"identity", False),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000", False),
        (b"notgzip", False),
    ],
)
def test_accept_encoding(header: bytes, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


def test_what_makes_two_requests_the_same() -> None:
    one = mark("PUT", "/a", b"", b"1")
    assert one == mark("PUT", "/a", b"", b"1")
    others = [mark("POST", "/a", b"", b"1"), mark("PUT", "/b", b"", b"1"), mark("PUT", "/a", b"", b"2")]
    others += [mark("PUT", "/a", b"1", b""), mark("PUT", "/a1", b"", b"")]
    assert one not in others
    assert len(set(others)) == len(others)
