"""What is on record, read from a mirror of the colony: the same for the queen's commands and for every gateway."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony import plan as planning
from aware_agent.colony.backup import BackupLog, BackupPolicy, due_at
from aware_agent.colony.decoding import UNDECODABLE, from_plain
from aware_agent.colony.errors import AwareError, Conflict, InvalidInput, NotFound
from aware_agent.colony.job_log import LogPart
from aware_agent.colony.jobs import Job
from aware_agent.colony.operation import OperationsRecord
from aware_agent.colony.plan import Plan
from aware_agent.colony.spec import Spec, check_apart, check_spec
from aware_agent.queen import versions
from aware_agent.security.records import DeniedRecord
from aware_agent.security.token import TokenRecord

BACKUPS = "backups"
OPERATIONS = "operations"
JOBS = "jobs/"


class BackupState(msgspec.Struct, frozen=True, kw_only=True):
    """Policy, record and when the next one begins (Unix seconds; 0: at once, None: never)."""

    policy: BackupPolicy | None
    log: BackupLog
    next_at: float | None


def tokens(reader: ColonyReader) -> Sequence[TokenRecord]:
    """All join tokens, newest last."""
    return sorted(reader.many("tokens/", TokenRecord).values(), key=lambda record: (record.created_at, record.id))


def denied(reader: ColonyReader) -> Sequence[DeniedRecord]:
    """Keys of removed nodes, the last one first."""
    records = reader.many("denied/", DeniedRecord).values()
    return sorted(records, key=lambda record: (-record.removed_at, record.key_pin))


def jobs(reader: ColonyReader) -> Sequence[Job]:
    """All jobs remembered, oldest first."""
    return sorted(reader.many(JOBS, Job).values(), key=lambda job: job.id)


def job(reader: ColonyReader, job_id: str) -> Job:
    """One job. Raises :class:`NotFound`."""
    found = None if "/" in job_id else reader.one(f"{JOBS}{job_id}", Job)
    if found is None:
        raise NotFound(f"no job {job_id[:40]!r}", hint="GET /v1/jobs lists them; old ones are forgotten")
    return found


def log_parts(reader: ColonyReader, job_id: str, start: int) -> Sequence[tuple[int, LogPart]]:
    """The parts of a job's log from number ``start`` on, in order; those that history let go are not there."""
    found = reader.many(f"job-logs/{job_id}/", LogPart)
    return [(int(number), part) for number, part in sorted(found.items()) if number.isdigit() and int(number) >= start]


def operations(reader: ColonyReader) -> OperationsRecord | None:
    """The last queen's table; None before the first one read hers."""
    return reader.one(OPERATIONS, OperationsRecord)


def backup_log(reader: ColonyReader) -> BackupLog:
    """The record of backups as it is now."""
    return reader.one(BACKUPS, BackupLog) or BackupLog()


def backups(reader: ColonyReader) -> BackupState:
    """How backups stand."""
    spec = reader.data().spec
    policy = spec.policies.backup if spec else None
    record = backup_log(reader)
    return BackupState(policy=policy, log=record, next_at=due_at(record, policy) if policy else None)


def plan_spec(reader: ColonyReader, spec: Spec) -> Plan:
    """What applying ``spec`` would do. Raises InvalidInput, Conflict for a spec this colony cannot have."""
    check_spec(spec)
    records = reader.records()
    check_apart(spec.castes, (record.name for record in records.values()))
    if spec.colony != reader.keys.colony:
        raise InvalidInput(f"spec: it is for colony {spec.colony!r}, this is {reader.keys.colony!r}", field="colony")
    data = reader.data()
    queen = data.queen_record.id if data.queen_record else ""
    return planning.plan(data.spec, spec, records, data.castes, queen, elastic=data.elastic)


def spec_to_return_to(reader: ColonyReader, revision: int) -> Spec:
    """The spec that was in force at ``revision``, if this colony can have it now.

    Raises NotFound, VersionForgotten, and Conflict that says why it is not possible any more.
    """
    kept = versions.wanted(versions.history(reader, versions.SPEC), revision, "spec")
    try:
        spec = from_plain(kept.version.value, Spec)
        plan_spec(reader, spec)
    except UNDECODABLE as error:
        raise Conflict(f"the spec of revision {kept.revision} cannot be read: {error}") from error
    except AwareError as error:
        raise Conflict(
            f"the spec of revision {kept.revision} is not possible any more: {error.message}", hint=error.hint
        ) from error
    return spec
