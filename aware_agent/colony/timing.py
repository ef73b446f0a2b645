"""The timings of a colony, and the rules between them. All values in seconds.

etcd alone gives a crash failover of at most ``queen_ttl_s`` + 0.5 s; a council that does not hear her any more is
quicker (:mod:`colony.suspicion`). A queen stops herself ``margin_s`` before her lease can expire on the server,
counted from the moment the last acknowledged keepalive was *sent*.
"""

from __future__ import annotations

import msgspec

from aware_agent.colony.errors import InvalidInput


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Timings every node of a colony should share; differing values cost speed, never safety."""

    queen_ttl_s: int = 3  # etcd grants no less than 2 at its default election timeout
    presence_ttl_s: int = 5  # a silent node is suspect after this long, plus at most 0.5
    margin_s: float = 0.3  # how long before her lease's end a queen stops acting; etcd's revoke loop jitters by less
    rank_step_s: float = 0.15  # the n-th in line waits n of these, so that there is no herd
    handover_hold_s: float = 1.0  # how long others leave the reign to a named successor
    abstain_s: float = 3.0  # how long a queen that resigned does not campaign
    retry_s: float = 0.5  # after a campaign that could not reach etcd
    heartbeat_s: float = 0.25  # how often a council member asks the queen whether she is there
    suspect_after_s: float = 0.75  # how long she may be silent until it suspects her; 0: the lease alone decides


MOST_S = 3600  # longer than any of these is a slip, such as milliseconds


def check_timing(timing: Timing) -> None:
    """Raise :class:`InvalidInput` for a combination that could not work."""
    for name, seconds in msgspec.structs.asdict(timing).items():
        if seconds > MOST_S:
            raise InvalidInput(
                f"timing.{name} is out of range", field=f"timing.{name}", hint=f"at most {MOST_S} seconds"
            )
    if timing.queen_ttl_s < 2:
        raise InvalidInput(
            f"timing.queen_ttl_s is {timing.queen_ttl_s}: etcd grants no lease below 2 s",
            field="timing.queen_ttl_s",
            hint="use 2 or more, 3 is the default",
        )
    if timing.presence_ttl_s < 2:
        raise InvalidInput(
            f"timing.presence_ttl_s is {timing.presence_ttl_s}",
            field="timing.presence_ttl_s",
            hint="use 2 or more",
        )
    if timing.margin_s < 0.3:
        raise InvalidInput(
            f"timing.margin_s is {timing.margin_s}: an old queen could act beside a new one",
            field="timing.margin_s",
            hint="0.3 or more",
        )
    if timing.margin_s < timing.queen_ttl_s / 50:
        raise InvalidInput(
            f"timing.margin_s {timing.margin_s} is too little for a lease of {timing.queen_ttl_s} s: clocks drift",
            field="timing.margin_s",
            hint="at least a fiftieth of queen_ttl_s",
        )
    if timing.margin_s > timing.queen_ttl_s / 3:
        raise InvalidInput(
            f"timing.margin_s {timing.margin_s} leaves no time for two lost keepalives",
            field="timing.margin_s",
            hint="at most a third of queen_ttl_s",
        )
    if timing.rank_step_s < 0.01 or timing.retry_s < 0.01:
        raise InvalidInput(
            "timing.rank_step_s and timing.retry_s would make a node ask without a pause",
            field="timing.rank_step_s",
            hint="0.01 or more",
        )
    if timing.heartbeat_s < 0.05:
        raise InvalidInput(
            f"timing.heartbeat_s is {timing.heartbeat_s}: a member would do little else",
            field="timing.heartbeat_s",
            hint="0.05 or more, 0.25 is the default",
        )
    if timing.suspect_after_s and not 2 * timing.heartbeat_s <= timing.suspect_after_s <= timing.queen_ttl_s:
        raise InvalidInput(
            f"timing.suspect_after_s {timing.suspect_after_s} is less than two heartbeats, or longer than the lease",
            field="timing.suspect_after_s",
            hint="three times heartbeat_s; 0 leaves it to the lease",
        )
    if timing.handover_hold_s < 0 or timing.abstain_s < timing.handover_hold_s:
        raise InvalidInput("timing.abstain_s must be at least handover_hold_s", field="timing.abstain_s")
