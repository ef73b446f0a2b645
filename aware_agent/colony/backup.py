"""Backups as the colony knows them: their policy, their names, what is on record of them, and when one is due. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import msgspec

from aware_agent.colony.breaker import OpenBreaker
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import PATTERNS, Kind
from aware_agent.colony.retention import Dated, Keep, check_keep

SUFFIX = ".awarebackup"
SHORTEST_S, LONGEST_S = 60, 31 * 86400
REMEMBERED = 100  # backups in the record
FIRST_RETRY_S, LAST_RETRY_S = 30.0, 900.0
TargetKind = Literal["directory", "s3", "swift"]
_DURATION = re.compile(r"([1-9][0-9]{0,5})([mhd])\Z")
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_NAME = re.compile(
    rf"(?P<colony>{PATTERNS[Kind.COLONY]})"
    r"_(?P<time>[0-9]{8}T[0-9]{6}Z)_r(?P<revision>[0-9]{1,19})_t(?P<term>[0-9]{1,19})" + re.escape(SUFFIX) + r"\Z"
)
_TIME = "%Y%m%dT%H%M%SZ"


class BackupPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the spec says of backups. Where the target is, and its secrets, stand in the agents' settings."""

    every: str  # 30m, 6h, 1d
    keep: Keep = Keep()
    target: TargetKind = "directory"


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """One backup that was made and verified."""

    name: str
    created_at: float  # Unix seconds, when its snapshot began
    revision: int  # it holds at least everything up to here
    term: int
    bytes: int
    sha256: str  # of the file from after its header on
    target: str  # where it is, without secrets
    node: str = ""  # name of the queen that made it
    actor: str = "colony"
    adopted: bool = False  # an earlier queen made it and had no time to put it on record


class BackupLog(msgspec.Struct, frozen=True, kw_only=True):
    """The record of backups, ``backups`` in etcd, written by the queen."""

    made: list[Backup] = []  # newest first
    requested_at: float = 0.0  # somebody asked for one out of turn
    requested_by: str = ""
    failed_at: float = 0.0  # last failure; 0 when the last attempt went well
    failure: str = ""
    failures: int = 0  # in a row
    failed: int = 0  # in all
    term: int = 0  # of the queen who wrote this

    @property
    def last(self) -> Backup | None:
        """The newest one."""
        return self.made[0] if self.made else None

    @property
    def wanted_now(self) -> bool:
        """Whether somebody asked and no backup was begun since."""
        return self.requested_at > (self.last.created_at if self.last else 0.0)


def check_policy(policy: BackupPolicy, field: str) -> None:
    """Raise :class:`InvalidInput` for a policy nobody could follow; ``field`` is where it stands."""
    every = parse_every(policy.every, f"{field}.every")
    if not SHORTEST_S <= every <= LONGEST_S:
        raise InvalidInput(
            f"spec: {field}.every {policy.every} is out of range", field=f"{field}.every", hint="1m to 31d"
        )
    check_keep(policy.keep, f"{field}.keep")


def parse_every(text: str, field: str = "every") -> int:
    """``6h`` as seconds. Raises :class:`InvalidInput`."""
    match = _DURATION.match(text)
    if not match:
        raise InvalidInput(
            f"spec: {field} {text[:20]!r} is not a duration", field=field, hint="a number and m, h or d: 6h"
        )
    return int(match[1]) * _UNITS[match[2]]


def backup_name(colony: str, created_at: float, revision: int, term: int) -> str:
    """File name of a backup; names sort by colony, then by time."""
    moment = datetime.fromtimestamp(int(created_at), UTC).strftime(_TIME)
    return f"{colony}_{moment}_r{revision}_t{term}{SUFFIX}"


def parse_name(name: str, colony: str) -> Dated | None:
    """The backup of ``colony`` that ``name`` stands for; None: it is something else and not ours to touch."""
    match = _NAME.match(name)
    if not match or match["colony"] != colony:
        return None
    try:
        moment = datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Dated(name, moment.timestamp(), int(match["revision"]))


def due_at(log: BackupLog, policy: BackupPolicy) -> float:
    """When the next backup begins (Unix seconds; 0: at once). Failures are repeated with growing pauses."""
    if log.wanted_now and log.requested_at > log.failed_at:
        return 0.0
    last = log.last.created_at if log.last else 0.0
    planned = 0.0 if log.wanted_now or not last else last + parse_every(policy.every)
    if not log.failures:
        return planned
    pause = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(10, log.failures - 1))
    return max(planned, log.failed_at + pause)


def open_breaker(log: BackupLog, policy: BackupPolicy | None) -> OpenBreaker | None:
    """The target's circuit breaker while it is open. The pauses of :func:`due_at` are its own; one try ends each."""
    if policy is None or not log.failures:
        return None
    return OpenBreaker(name=f"backup/{policy.target}", since=log.failed_at, reason=log.failure)


def slot(log: BackupLog, policy: BackupPolicy, now: float) -> float:
    """A backup begun at or after this moment (Unix seconds) is the one that is due: it need not be made again."""
    last = log.last.created_at if log.last else 0.0
    if log.wanted_now:
        return max(log.requested_at, last + 1)
    return max(last + 1, now - parse_every(policy.every))


def after_success(log: BackupLog, backup: Backup, gone: list[str], term: int) -> BackupLog:
    """The record with one more backup and without those that retention removed."""
    others = [old for old in log.made if old.name != backup.name and old.name not in gone]
    made = sorted([backup, *others], key=lambda one: one.created_at, reverse=True)[:REMEMBERED]
    return msgspec.structs.replace(log, made=made, failed_at=0.0, failure="", failures=0, term=term)


def after_failure(log: BackupLog, message: str, now: float, term: int) -> BackupLog:
    """The record after an attempt that failed."""
    counts = {"failures": log.failures + 1, "failed": log.failed + 1}
    return msgspec.structs.replace(log, failed_at=now, failure=message, term=term, **counts)
