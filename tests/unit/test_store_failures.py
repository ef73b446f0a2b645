"""The verdicts decide about lost and doubled writes, so every one is in a table."""

from __future__ import annotations

import pytest

from aware_agent.store.errors import Compacted, LeaseGone, MembershipRefused, StoreError, StoreRefused
from aware_agent.store.failures import Verdict, classify

REPEATABLE = [
    ("UNAVAILABLE", "failed to connect to all addresses; last error: UNKNOWN: refused", Verdict.ELSEWHERE),
    ("UNAVAILABLE", "etcdserver: no leader", Verdict.ELSEWHERE),
    ("RESOURCE_EXHAUSTED", "etcdserver: too many requests", Verdict.ELSEWHERE),
    ("UNAUTHENTICATED", "etcdserver: invalid auth token", Verdict.AUTHENTICATE),
    ("INVALID_ARGUMENT", "etcdserver: revision of auth store is old", Verdict.AUTHENTICATE),
    ("INVALID_ARGUMENT", "etcdserver: user name is empty", Verdict.AUTHENTICATE),
]
MAYBE_APPLIED = [
    ("UNAVAILABLE", "Socket closed"),
    ("UNAVAILABLE", "etcdserver: request timed out, possibly due to previous leader failure"),
    ("UNAVAILABLE", "etcdserver: leader changed"),
    ("UNAVAILABLE", "etcdserver: server stopped"),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded"),
    ("CANCELLED", ""),
    ("UNKNOWN", "raft: stopped"),
    ("INTERNAL", "stream terminated by RST_STREAM"),
]
FINAL = [
    ("PERMISSION_DENIED", "etcdserver: permission denied", StoreRefused),
    ("INVALID_ARGUMENT", "etcdserver: authentication failed, invalid user ID or password", StoreRefused),
    ("OUT_OF_RANGE", "etcdserver: mvcc: required revision has been compacted", Compacted),
    ("OUT_OF_RANGE", "etcdserver: mvcc: required revision is a future revision", StoreError),
    ("NOT_FOUND", "etcdserver: requested lease not found", LeaseGone),
    ("INVALID_ARGUMENT", "etcdserver: request is too large", StoreError),
    ("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded", StoreError),
    ("UNAVAILABLE", "etcdserver: unhealthy cluster", MembershipRefused),
    (
        "FAILED_PRECONDITION",
        "etcdserver: can only promote a learner member which is in sync with leader",
        MembershipRefused,
    ),
    ("NOT_FOUND", "etcdserver: member not found", MembershipRefused),
    ("UNIMPLEMENTED", None, StoreError),
]


@pytest.mark.parametrize(("code", "details", "verdict"), REPEATABLE)
def test_what_was_surely_not_applied_may_be_repeated(code: str, details: str, verdict: Verdict) -> None:
    assert classify(code, details).verdict is verdict


@pytest.mark.parametrize(("code", "details"), MAYBE_APPLIED)
def test_what_may_have_been_applied_is_unknown(code: str, details: str) -> None:
    failure = classify(code, details)
    assert failure.verdict is Verdict.UNKNOWN
    assert failure.error is None
    assert failure.frozen is (code == "DEADLINE_EXCEEDED")


@pytest.mark.parametrize(("code", "details", "kind"), FINAL)
def test_a_clear_no_is_final(code: str, details: str | None, kind: type[StoreError]) -> None:
    failure = classify(code, details)
    assert failure.verdict is Verdict.FINAL
    assert type(failure.error) is kind


def test_details_are_one_short_line() -> None:
    failure = classify("UNAVAILABLE", "a\nb\t" + "c" * 5000)
    assert "\n" not in failure.details
    assert len(failure.details) <= 300
