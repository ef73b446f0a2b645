"""A session: what one login began, from then until it ends. Pure; who keeps it is :mod:`aware_agent.queen.sessions`.

Each refresh token has a number, its turn, and only the newest turn is good. Who shows an older one shows what somebody
else has used: one of the two is a thief, and as nobody can tell which, the session ends for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated

import msgspec

from aware_agent.colony.decoding import Count, Moment, Word

SESSION_S = 30 * 86400.0  # policies.session_lifetime_s, unless the spec says otherwise
IDLE_S = 7 * 86400.0  # a session that nobody refreshes for so long ends
GRACE_S = 30.0  # a refresh repeated within this time lost its answer; and one turn lasts as long at least
MAX_EACH = 50  # sessions of one user, few enough for one transaction; beyond them the longest idle ends
MAX_ALL = 4096
MAX_CLIENT = 120  # characters

SessionId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``sessions/<id>``."""

    user: str
    user_id: str  # of the user's record: one who was deleted and made anew is another
    begun_at: Moment  # Unix seconds
    refreshed_at: Moment
    source: Word = ""  # address of the login or of the last refresh
    client: Word = ""  # what the client said it is
    turn: Count = 0  # of the refresh token that is good now
    lifetime_s: Moment | None = None  # shorter than everybody's, where who vouches for the user is to be asked again


class Refresh(Enum):
    """What becomes of a refresh token that is shown."""

    NEXT = "the next turn begins"
    SAME = "the present turn is told (again)"
    ENDED = "the session is over"
    REUSED = "the token was used before, by somebody else perhaps"
    UNKNOWN = "no such turn was ever given out"


def judge(session: Session, turn: int, source: str, *, now: float, lifetime_s: float) -> Refresh:
    """What becomes of the refresh token of ``turn``, shown from address ``source``.

    Neither a client in a loop nor one whose answer was lost needs a write: within the grace a turn stays. A token of
    the turn before counts as a lost answer only where the last one was answered to, and only then.
    """
    if is_over(session, now=now, lifetime_s=lifetime_s):
        return Refresh.ENDED
    if turn > session.turn:
        return Refresh.UNKNOWN
    fresh = abs(now - session.refreshed_at) < GRACE_S
    if turn == session.turn:
        return Refresh.SAME if fresh else Refresh.NEXT
    repeated = turn == session.turn - 1 and fresh and source == session.source
    return Refresh.SAME if repeated else Refresh.REUSED


def ends_at(session: Session, lifetime_s: float) -> float:
    """When it ends, however busy it is, in Unix seconds."""
    return session.begun_at + (lifetime_s if session.lifetime_s is None else min(lifetime_s, session.lifetime_s))


def idle_at(session: Session, lifetime_s: float) -> float:
    """When it ends unless it is refreshed, in Unix seconds."""
    return min(ends_at(session, lifetime_s), session.refreshed_at + IDLE_S)


def is_over(session: Session, *, now: float, lifetime_s: float) -> bool:
    """Whether it has lasted, or was idle, for too long."""
    return now >= idle_at(session, lifetime_s)


def surplus(sessions: Mapping[str, Session], user: str) -> list[str]:
    """Ids of those that have to end before ``user`` begins one more, the longest idle first."""
    order = sorted(sessions, key=lambda key: (sessions[key].refreshed_at, key))
    own = [key for key in order if sessions[key].user == user]
    gone = own[: max(0, len(own) + 1 - MAX_EACH)]
    rest = [key for key in order if key not in set(gone)]
    return gone + rest[: max(0, len(rest) + 1 - MAX_ALL)]


def harmless(text: str) -> str:
    """What a client says of itself, in printable ASCII and not too long: it is shown to others."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:MAX_CLIENT])
