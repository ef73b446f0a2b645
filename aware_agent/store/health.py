"""How etcd is, as one node sees it: who answers, whether there is a majority, which alarm is raised. Pure judgement."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class Trouble(StrEnum):
    """What keeps etcd from taking writes."""

    NONE = ""
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    NO_QUORUM = "no-quorum"
    FULL = "full"
    CORRUPT = "corrupt"


class MemberState(Struct, frozen=True, kw_only=True):
    """What one endpoint said. ``reason``: why it does not answer, or what is wrong with it; empty when nothing is."""

    endpoint: str
    answers: bool
    leader: bool = False  # whether it knows one: with a majority every member does
    alarms: tuple[str, ...] = ()
    reason: str = ""


class StoreState(Struct, frozen=True, kw_only=True):
    """The judgement over ``members``. ``detail`` says what is wrong in one sentence, ``hint`` what to do.

    ``since``: Unix seconds since when this trouble lasts. ``looked``: false until etcd was asked for the first time.
    """

    trouble: Trouble = Trouble.NONE
    detail: str = ""
    hint: str = ""
    since: float | None = None
    reachable: bool = False
    quorum: bool = False
    alarms: tuple[str, ...] = ()
    looked: bool = False
    members: tuple[MemberState, ...] = ()

    @property
    def message(self) -> str:
        """``detail`` with the hint; empty when there is no trouble."""
        return f"{self.detail} ({self.hint})" if self.hint else self.detail


def judge(members: Sequence[MemberState], before: StoreState, now: float) -> StoreState:
    """What ``members`` said at Unix time ``now``, after ``before``."""
    reachable = any(member.answers for member in members)
    quorum = any(member.leader for member in members)
    alarms = tuple(sorted({alarm for member in members for alarm in member.alarms}))
    trouble = _trouble(members, quorum=quorum, reachable=reachable, alarms=alarms)
    detail, hint = _words(trouble, members)
    began = before.since if trouble is before.trouble else now
    return StoreState(
        trouble=trouble,
        detail=detail,
        hint=hint,
        since=began if trouble else None,
        reachable=reachable,
        quorum=quorum,
        alarms=alarms,
        looked=True,
        members=tuple(members),
    )


def _trouble(members: Sequence[MemberState], *, quorum: bool, reachable: bool, alarms: tuple[str, ...]) -> Trouble:
    if not reachable:
        refused = members and all(member.reason.startswith("etcd refused") for member in members)
        return Trouble.REFUSED if refused else Trouble.UNREACHABLE
    if not quorum:
        return Trouble.NO_QUORUM
    if "CORRUPT" in alarms:
        return Trouble.CORRUPT
    return Trouble.FULL if "NOSPACE" in alarms else Trouble.NONE


def _words(trouble: Trouble, members: Sequence[MemberState]) -> tuple[str, str]:
    """Sentence and hint."""
    each = ", ".join(f"{member.endpoint} ({member.reason or 'answers'})" for member in members)
    return {
        Trouble.NONE: ("", ""),
        Trouble.UNREACHABLE: (
            f"etcd is unreachable from here: {each}",
            "start etcd, or let this host reach it; nothing can be changed until then",
        ),
        Trouble.REFUSED: (f"etcd refuses this node: {each}", "check the node's certificate and its user in etcd"),
        Trouble.NO_QUORUM: (
            f"etcd has no majority: {each}",
            "start its members until more than half of them run; a queen is elected by herself then",
        ),
        Trouble.FULL: (
            "etcd is full and takes no writes (alarm NOSPACE)",
            "where agents run it the queen gives back room within a minute; if it stays so, remove data that are not "
            "the colony's, or raise council.quota_mib of its members: docs/council.md",
        ),
        Trouble.CORRUPT: (
            "etcd says that a member's data is damaged (alarm CORRUPT) and takes no writes",
            "replace the member that differs, or restore a backup: docs/backup.md",
        ),
    }[trouble]
