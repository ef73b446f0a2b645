"""How a node's channel to a council member stands."""

from __future__ import annotations

import msgspec


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """A node's channel to this member, as it is now. ``state`` is ``closed`` when there is none, ``self`` of the
    member itself, which needs none."""

    state: str
    member: str  # id of the member that tells
    since: float | None = None  # Unix seconds
    heard_s: float | None = None  # seconds since the last frame
    beat_s: float | None = None
    throttled: int = 0  # frames that had to wait, because there were too many
    refused_loads: int = 0  # times it told how busy it is and that cannot be
