"""What becomes of a refresh token, and which sessions have to go: the pure part."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.session import (
    GRACE_S,
    IDLE_S,
    MAX_ALL,
    MAX_CLIENT,
    MAX_EACH,
    SESSION_S,
    Refresh,
    Session,
    harmless,
    judge,
    surplus,
)

NOW = 1_800_000_000.0
HERE, THERE = "192.0.2.1", "198.51.100.9"
SESSION = Session(user="vera", user_id="i", begun_at=NOW, refreshed_at=NOW, source=HERE, turn=5)


def verdict(turn: int, after: float, source: str = HERE, *, lifetime_s: float = SESSION_S) -> Refresh:
    return judge(SESSION, turn, source, now=NOW + after, lifetime_s=lifetime_s)


@pytest.mark.parametrize(
    ("turn", "after", "source", "wanted"),
    [
        (5, 0, HERE, Refresh.SAME),
        (5, GRACE_S - 1, THERE, Refresh.SAME),
        (5, GRACE_S, HERE, Refresh.NEXT),
        (5, GRACE_S, THERE, Refresh.NEXT),
        (5, -GRACE_S, HERE, Refresh.NEXT),  # another queen's clock
        (4, GRACE_S - 1, HERE, Refresh.SAME),
        (4, GRACE_S - 1, THERE, Refresh.REUSED),
        (4, GRACE_S, HERE, Refresh.REUSED),
        (3, 0, HERE, Refresh.REUSED),
        (0, 3600, HERE, Refresh.REUSED),
        (6, 0, HERE, Refresh.UNKNOWN),
        (5, IDLE_S - 1, HERE, Refresh.NEXT),
        (5, IDLE_S, HERE, Refresh.ENDED),
    ],
)
def test_what_becomes_of_a_refresh_token(turn: int, after: float, source: str, wanted: Refresh) -> None:
    assert verdict(turn, after, source) is wanted


def test_it_lasts_no_longer_than_the_policy_says_however_busy_it_is() -> None:
    assert verdict(5, 599, lifetime_s=600) is Refresh.NEXT
    assert verdict(5, 600, lifetime_s=600) is Refresh.ENDED
    busy = msgspec.structs.replace(SESSION, refreshed_at=NOW + SESSION_S - 1)
    assert judge(busy, 5, HERE, now=NOW + SESSION_S, lifetime_s=SESSION_S) is Refresh.ENDED


def _many(count: int, user: str) -> dict[str, Session]:
    return {
        f"{user}-{n}": msgspec.structs.replace(SESSION, user=user, refreshed_at=NOW + (n * 7) % count)
        for n in range(count)
    }


def test_the_longest_idle_of_a_user_makes_room() -> None:
    sessions = {**_many(MAX_EACH, "vera"), **_many(3, "otto")}
    assert surplus(sessions, "vera") == ["vera-0"]
    assert surplus(sessions, "otto") == []


def test_there_is_a_bound_for_all_as_well() -> None:
    sessions: dict[str, Session] = {}
    for number in range(MAX_ALL // MAX_EACH + 1):
        sessions |= _many(MAX_EACH, f"u{number}")
    gone = surplus(sessions, "nina")
    assert len(gone) == len(set(gone)) == len(sessions) + 1 - MAX_ALL
    kept = [session.refreshed_at for key, session in sessions.items() if key not in gone]
    assert max(sessions[key].refreshed_at for key in gone) <= min(kept)


@given(st.text())
def test_what_a_client_says_of_itself_does_no_harm(text: str) -> None:
    said = harmless(text)
    assert len(said) <= MAX_CLIENT
    assert said.isascii()
    assert said.isprintable()
