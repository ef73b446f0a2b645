"""One job: what it is on record, and every way its state may change. Pure.

::

    queued --start--> running --end--> succeeded | failed | timed_out | cancelled
       |                 |
       +--cancel--> cancelled
                         +--inherit (the queen fell)--> queued again (idempotent) | lost | cancelled

:func:`decide` is asked about every change; a (state, event) that makes no sense raises :class:`JobOver`. A retry is no
change of a job: it is another one that says of which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from aware_agent.colony.errors import Conflict
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.operation import Operation
from aware_agent.colony.trace import Parent

MAX_ATTEMPTS = 3  # of one job whose queens fell; a playbook that kills its queen must not go on for ever
MAX_MESSAGE = 500
MAX_HOSTS = 200  # whose progress is kept one by one


class JobState(StrEnum):
    """The last six are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"  # it was interrupted, and nobody knows how much of it was done


OPEN = (JobState.QUEUED, JobState.RUNNING)
ENDS = tuple(state for state in JobState if state not in OPEN)


class HostProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one host is: tasks by outcome, as Ansible's recap counts them, and the task it is at or failed at."""

    ok: int = 0
    changed: int = 0
    skipped: int = 0
    failed: int = 0
    unreachable: int = 0
    task: str = ""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is. ``hosts`` are the first :data:`MAX_HOSTS`; ``more_hosts`` counts the others."""

    play: str = ""
    task: str = ""
    hosts: dict[str, HostProgress] = {}
    more_hosts: int = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """As it is kept in ``jobs/<id>``."""

    id: str  # ULID
    operation: str
    parameters: dict[str, Any]  # without secrets
    secret_names: tuple[str, ...] = ()
    sealed: bytes = b""  # the secret parameters, as JSON
    hosts: tuple[str, ...] = ()  # only these; empty: all that the operation may touch
    state: JobState = JobState.QUEUED
    term: int  # of the queen who wrote this state
    actor: str  # user, or user through a signed URL
    reference: str = ""  # who called, by a signed URL
    created_at: float  # Unix seconds
    changed_at: float
    started_at: float = 0.0  # of the last attempt; 0: not yet
    ended_at: float = 0.0
    node: str = ""  # name of the member that runs or ran it
    attempt: int = 0  # how often it was started
    cancelled_by: str = ""  # who asked for its end
    retry_of: str = ""  # id of the job that this one repeats
    reason: str = ""  # for programs: why it ended as it did
    message: str = ""  # one sentence: how it went
    progress: Progress = Progress()
    log_parts: int = 0  # how many parts its log has
    log_bytes: int = 0  # what it printed
    log_cut: int = 0  # how much of that was left out
    trace: Parent = ""  # the span that asked for it, if that was recorded

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in OPEN


class JobOver(Conflict):
    """What was asked makes no sense for a job in this state; nothing was changed."""

    code = "job-state"


# What can happen -----------------------------------------------------------------------------------------------------


class Start(NamedTuple):
    """It is its turn."""

    term: int
    node: str


class Report(NamedTuple):
    """How far it is."""

    progress: Progress
    log_parts: int
    log_bytes: int
    log_cut: int


class Cancel(NamedTuple):
    """Somebody wants its end."""

    actor: str


class End(NamedTuple):
    """Its process said how it went, or ended without a word."""

    state: JobState
    reason: str
    message: str


class Inherit(NamedTuple):
    """A new queen finds it running; the process of an earlier term has ended by now."""

    term: int
    idempotent: bool


Event = Start | Report | Cancel | End | Inherit


class Decision(NamedTuple):
    """The job as it is now, and what is told of it: None where nobody has to hear of it."""

    job: Job
    line: EventDraft | None


# What follows --------------------------------------------------------------------------------------------------------


def _start(job: Job, event: Start, now: float) -> Decision:
    attempt = job.attempt + 1
    after = msgspec.structs.replace(
        job,
        state=JobState.RUNNING,
        term=event.term,
        node=event.node,
        attempt=attempt,
        started_at=now,
        changed_at=now,
        reason="",
        message="",
        progress=Progress(),
    )
    again = f", attempt {attempt}" if attempt > 1 else ""
    return Decision(after, _line(after, "job.started", f"{job.operation} runs on {event.node}{again}"))


def _report(job: Job, event: Report, now: float) -> Decision:
    after = msgspec.structs.replace(
        job,
        progress=event.progress,
        log_parts=event.log_parts,
        log_bytes=event.log_bytes,
        log_cut=event.log_cut,
        changed_at=now,
    )
    return Decision(after, None)


def _cancel_queued(job: Job, event: Cancel, now: float) -> Decision:
    job = msgspec.structs.replace(job, cancelled_by=event.actor)
    return _end(job, End(JobState.CANCELLED, "cancelled", f"{event.actor} cancelled it before it began"), now)


def _cancel_running(job: Job, event: Cancel, now: float) -> Decision:
    if job.cancelled_by:
        return Decision(job, None)
    after = msgspec.structs.replace(job, cancelled_by=event.actor, changed_at=now)
    said = f"{event.actor} cancels {job.operation}"
    return Decision(after, _line(after, "job.cancelling", said, Severity.NOTICE))


def _end(job: Job, event: End, now: float) -> Decision:
    state, reason, message = event
    if job.cancelled_by and state in (JobState.FAILED, JobState.LOST):  # it failed because its process was ended
        state, reason, message = JobState.CANCELLED, "cancelled", ""
    if state is JobState.CANCELLED:
        message = message or f"{job.cancelled_by or job.actor} cancelled it"
    after = msgspec.structs.replace(
        job, state=state, reason=reason, message=message[:MAX_MESSAGE], ended_at=now, changed_at=now
    )
    calm = state in (JobState.SUCCEEDED, JobState.CANCELLED)
    said = f"{job.operation}: {after.message}"
    severity = Severity.INFO if calm else Severity.ERROR
    return Decision(after, _line(after, f"job.{state.replace('_', '-')}", said, severity))


def _inherit(job: Job, event: Inherit, now: float) -> Decision:
    if job.term >= event.term:
        return Decision(job, None)  # it is of this reign
    fallen = job.term
    job = msgspec.structs.replace(job, term=event.term)
    if job.cancelled_by:
        return _end(job, End(JobState.CANCELLED, "cancelled", f"{job.cancelled_by} cancelled it"), now)
    if event.idempotent and job.attempt < MAX_ATTEMPTS:
        after = msgspec.structs.replace(job, state=JobState.QUEUED, changed_at=now, reason="interrupted")
        said = f"{job.operation} was interrupted: the queen of term {fallen} fell; it starts again"
        return Decision(after, _line(after, "job.requeued", said, Severity.WARNING))
    why = f"for the {job.attempt}th time" if event.idempotent else "and the operation is not idempotent"
    said = f"interrupted: the queen of term {fallen} fell while it ran on {job.node}, {why}"
    return _end(job, End(JobState.LOST, "interrupted", said), now)


_TABLE: dict[tuple[JobState, type], Callable[..., Decision]] = {
    (JobState.QUEUED, Start): _start,
    (JobState.QUEUED, Cancel): _cancel_queued,
    (JobState.QUEUED, End): _end,  # it cannot be started here
    (JobState.RUNNING, Report): _report,
    (JobState.RUNNING, Cancel): _cancel_running,
    (JobState.RUNNING, End): _end,
    (JobState.RUNNING, Inherit): _inherit,
}


def decide(job: Job, event: Event, now: float) -> Decision:
    """What becomes of ``job`` at ``event``. ``now`` in Unix seconds. Raises :class:`JobOver`."""
    handler = _TABLE.get((job.state, type(event)))
    if handler is None:
        raise JobOver(
            f"job {job.id} is {job.state}: {type(event).__name__.lower()} makes no sense",
            hint="retry makes another one of it" if not job.open else "look again in a moment",
        )
    return handler(job, event, now)


def _line(job: Job, kind: str, said: str, severity: Severity = Severity.INFO) -> EventDraft:
    payload = {"operation": job.operation, "state": str(job.state), "attempt": job.attempt}
    if job.reason:
        payload["reason"] = job.reason
    return EventDraft(kind, job.id, said, severity, payload)


# Which, when, and for how long ---------------------------------------------------------------------------------------


def startable(jobs: Iterable[Job], table: Mapping[str, Operation], room: int) -> list[Job]:
    """Queued jobs whose turn it is, at most so many that ``room`` run at once; what runs no playbook needs no room.

    Within a group the oldest comes first and none overtakes; groups do not wait for each other.
    """
    everyone = sorted(jobs, key=lambda job: job.id)
    running = [job for job in everyone if job.state is JobState.RUNNING]
    lanes: dict[str, list[int]] = {}
    for job in running:
        lanes.setdefault(_lane(job, table), []).append(_limit(job, table))
    left = room - len(running)
    found: list[Job] = []
    blocked: set[str] = set()
    for job in everyone:
        lane = _lane(job, table)
        if job.state is not JobState.QUEUED or lane in blocked:
            continue
        limits = [*lanes.get(lane, ()), _limit(job, table)]
        needs = 0 if _is_instant(job, table) else 1
        if len(limits) > min(limits) or left < needs:
            blocked.add(lane)
            continue
        left -= needs
        lanes[lane] = limits
        found.append(job)
    return found


def _is_instant(job: Job, table: Mapping[str, Operation]) -> bool:
    operation = table.get(job.operation)
    return operation is not None and not operation.playbook


def _lane(job: Job, table: Mapping[str, Operation]) -> str:
    operation = table.get(job.operation)
    return operation.lane if operation else job.operation


def _limit(job: Job, table: Mapping[str, Operation]) -> int:
    operation = table.get(job.operation)
    return operation.concurrency if operation else 1


class Forget(NamedTuple):
    """Ids of jobs that go altogether, and of those that only lose their log. Oldest first."""

    jobs: tuple[str, ...]
    logs: tuple[str, ...]


def forgettable(jobs: Iterable[Job], keep: int, logs: Sequence[tuple[str, int]], most_bytes: int) -> Forget:
    """What history lets go: ended jobs beyond the newest ``keep``, and logs beyond ``most_bytes`` of all together.

    ``logs``: ids of jobs with a log and its size, oldest first. A job that is open keeps both.
    """
    ended = sorted((job for job in jobs if not job.open), key=lambda job: job.id)
    gone = {job.id for job in ended[: max(0, len(ended) - keep)]}
    done = {job.id for job in ended}
    total = sum(size for _, size in logs)
    bare = []
    for job_id, size in logs:
        if total <= most_bytes:
            break
        if job_id in done:
            total -= size
            if job_id not in gone:
                bare.append(job_id)
    return Forget(tuple(sorted(gone)), tuple(bare))
