"""When a member of etcd may restart to believe other CAs: it reads them at its start only. Pure.

One after the other, and never so that no majority is left. Nobody commands it and nothing is written for it: every
member sees what the others report, and the order of their ids is the turn. A member that etcd misses already does not
wait: without the CAs of now it may not come back at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Believer(msgspec.Struct, frozen=True, kw_only=True):
    """One voter of etcd."""

    node: str
    healthy: bool  # it answers, and knows a leader
    believes: str = ""  # fingerprint of the CAs its process believes; empty: its agent is not here to say it


def waits_for(me: str, voters: Sequence[Believer], wanted: str) -> str:
    """Why ``me`` does not restart now, as the end of a sentence; empty when it may. ``wanted``: the CAs of now."""
    mine = next((voter for voter in voters if voter.node == me), None)
    if mine is None or not mine.healthy:
        return ""
    healthy = [voter for voter in voters if voter.healthy and voter.node != me]
    # Of one or two members nobody can be spared: all others have to be well, and etcd pauses for a moment.
    needed = min(len(voters) // 2 + 1, len(voters) - 1)
    if len(healthy) < needed:
        return f"{needed - len(healthy)} more healthy members of etcd"
    first = min((voter.node for voter in healthy if voter.believes not in ("", wanted)), default=me)
    return f"member {first}" if first < me else ""
