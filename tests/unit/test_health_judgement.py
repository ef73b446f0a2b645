"""What a node says of etcd: one judgement over what its members say, in words that tell what to do."""

from __future__ import annotations

import pytest

from aware_agent.store.failures import plain
from aware_agent.store.health import MemberState, StoreState, Trouble, judge

GOOD = MemberState(endpoint="a:1", answers=True, leader=True)
LOST = MemberState(endpoint="b:1", answers=True, reason="it answers, but knows no leader")
DEAD = MemberState(endpoint="c:1", answers=False, reason="connection refused")
FULL = MemberState(endpoint="a:1", answers=True, leader=True, alarms=("NOSPACE",), reason="NOSPACE")
BROKEN = MemberState(endpoint="a:1", answers=True, leader=True, alarms=("CORRUPT", "NOSPACE"))
TURNED_AWAY = MemberState(endpoint="a:1", answers=False, reason="etcd refused: no such user")


@pytest.mark.parametrize(
    ("members", "trouble", "words"),
    [
        ([GOOD], Trouble.NONE, ""),
        ([GOOD, DEAD, DEAD], Trouble.NONE, ""),
        ([LOST, DEAD], Trouble.NO_QUORUM, "b:1 (it answers, but knows no leader), c:1 (connection refused)"),
        ([DEAD], Trouble.UNREACHABLE, "c:1 (connection refused)"),
        ([], Trouble.UNREACHABLE, "unreachable"),
        ([FULL], Trouble.FULL, "takes no writes (alarm NOSPACE)"),
        ([FULL, DEAD], Trouble.FULL, "NOSPACE"),
        ([BROKEN], Trouble.CORRUPT, "damaged"),
        ([TURNED_AWAY], Trouble.REFUSED, "no such user"),
    ],
)
def test_the_judgement(members: list[MemberState], trouble: Trouble, words: str) -> None:
    state = judge(members, StoreState(), 100.0)
    assert state.trouble is trouble
    assert words in state.detail
    assert bool(state.hint) == bool(state.detail) == bool(trouble)
    assert state.since == (100.0 if trouble else None)
    assert state.looked


def test_how_long_it_lasts_is_counted_from_when_it_began() -> None:
    first = judge([LOST, DEAD], StoreState(), 100.0)
    assert judge([LOST], first, 130.0).since == 100.0
    assert judge([DEAD], first, 130.0).since == 130.0, "another trouble"
    well = judge([GOOD], first, 130.0)
    assert (well.since, well.message) == (None, "")
    assert judge([LOST], well, 140.0).since == 140.0


@pytest.mark.parametrize(
    ("details", "words"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:9: Failed to connect to remote "
            "host: connect: Connection refused (111)",
            "connection refused",
        ),
        ("Deadline Exceeded", "no answer in time"),
        ("etcdserver: no leader", "it knows no leader"),
        ("etcdserver: request timed out, possibly due to connection lost", "no answer in time"),
        ("something new", "something new"),
        ("x" * 500, "x" * 120),
    ],
)
def test_reasons_in_plain_words(details: str, words: str) -> None:
    assert plain(details) == words
