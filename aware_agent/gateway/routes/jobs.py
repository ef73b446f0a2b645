"""``/v1/operations`` and ``/v1/jobs``: what can be run, what was, and what it printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.jobs import HostProgress, Job, JobState
from aware_agent.colony.operation import Operation
from aware_agent.gateway.documents import Body, Document
from aware_agent.gateway.job_follow import follow_log
from aware_agent.gateway.numbers import STRICT
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing, read, revision_of, write
from aware_agent.gateway.sse import EventStream, SentEvent
from aware_agent.gateway.state import Gateway
from aware_agent.queen import overview
from aware_agent.queen.commands import CancelJob, RetryJob, RunJob

router = APIRouter(tags=["jobs"])
MAX_TEXT = 1 << 20  # characters of a log in one answer


class OperationDocument(Document, frozen=True, kw_only=True):
    """One row of the table. ``parameters`` is a JSON Schema; what is ``writeOnly`` there is a secret.

    ``uses``: names of the colony's secrets that its process is given.
    ``members``: names of the members whose file is the same; empty for what comes with AWARE.
    """

    name: str
    description: str
    built_in: bool
    playbook: str
    parameters: dict[str, Any]
    role: str
    time_limit_s: float
    concurrency: int
    group: str
    castes: list[str]
    uses: list[str]
    idempotent: bool
    file: str
    members: list[str]


class SkippedFile(Document, frozen=True, kw_only=True):
    """A file of ``operations.d`` on the queen's node that is not used, and why."""

    file: str
    message: str


class RunnerDocument(Document, frozen=True, kw_only=True):
    """What a council member has for jobs. ``problem`` says why no playbook can be run there, and what to install."""

    name: str
    ready: bool
    ansible_runner: str
    ansible_core: str
    confined: str
    problem: str
    differs: list[str]  # operations whose file is another one there, or is not there


class OperationsDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What can be run: the table of the queen, whose node is ``node``, and how members are equipped."""

    node: str
    operations: list[OperationDocument]
    skipped: list[SkippedFile]
    members: list[RunnerDocument]
    next: str | None = None


class JobBody(Body, frozen=True, kw_only=True):
    """What to run. ``hosts`` narrows what the operation may touch: names of the inventory."""

    operation: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    hosts: list[str] = msgspec.field(default_factory=list)


class JobDocument(Document, frozen=True, kw_only=True):
    """A job. Times in Unix seconds, 0: not yet. ``revision`` is for If-Match.

    ``secrets``: names of parameters that are not shown. ``hosts_done``: by host, tasks by outcome.
    """

    id: str
    operation: str
    state: JobState
    reason: str
    message: str
    parameters: dict[str, Any]
    secrets: list[str]
    hosts: list[str]
    actor: str
    reference: str
    node: str
    term: int
    attempt: int
    created_at: float
    started_at: float
    ended_at: float
    cancelled_by: str
    retry_of: str
    play: str
    task: str
    hosts_done: dict[str, HostProgress]
    more_hosts: int
    log_bytes: int
    log_cut: int
    revision: int


class JobsDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Jobs that are remembered, oldest first."""

    jobs: list[JobDocument]
    next: str | None = None


class LogDocument(Document, frozen=True, kw_only=True):
    """What a job printed from part ``start`` on, secrets masked. ``after`` is the ``start`` of what comes next.

    ``cut``: bytes that were left out; ``complete``: the job has ended and this is the end of its log.
    """

    job: str
    state: JobState
    text: str
    after: int
    printed: int
    cut: int
    complete: bool


State = Annotated[JobState | None, Query(description="only jobs in this state")]
OperationName = Annotated[str, Query(alias="operation", max_length=40, description="only jobs of this operation")]
Start = Annotated[int, STRICT, Query(ge=0, le=10**6, description="from this part on")]


@endpoint(
    router,
    "GET",
    "/v1/operations",
    answer=OperationsDocument,
    lists=("operations", OperationDocument),
)
async def list_operations(gateway: Here, page: Paged) -> Response:
    """What jobs can run, which files were skipped, and what each council member lacks."""
    record, members = overview.operations(gateway.context.reader), _members(gateway)
    rows = [_operation(one, members) for one in record.operations] if record else []
    found, following = cut(page, rows, lambda one: one.name, str, ("operations",))
    document = OperationsDocument(
        node=record.node if record else "",
        operations=found,
        skipped=[SkippedFile(file=one.file, message=one.message) for one in record.problems] if record else [],
        members=[_runner(name, report, rows) for name, report in members.items()],
        next=following,
    )
    return listing(gateway, page, document, "operations", OperationDocument)


@endpoint(router, "POST", "/v1/jobs", body=JobBody, answer=JobDocument, status=202, also=[404, 501])
async def run_job(request: Request, gateway: Here, who: Who) -> Response:
    """Queue a job. An operation may need a higher role than this route. A dry run tells what would run, and on what."""
    body = await read(request, JobBody)
    command = RunJob(operation=body.operation, parameters=body.parameters, hosts=tuple(body.hosts))
    accepted = await gateway.context.commands.run(command, actor=who.name)
    return accepted_job(gateway, accepted.job, new=accepted.new)


@endpoint(router, "GET", "/v1/jobs", answer=JobsDocument, lists=("jobs", JobDocument))
async def list_jobs(gateway: Here, page: Paged, state: State = None, operation: OperationName = "") -> Response:
    """Jobs that are remembered: those that wait or run, and the last that ended (``policies.jobs.keep``)."""
    jobs = [
        _document(gateway, job)
        for job in overview.jobs(gateway.context.reader)
        if (state is None or job.state is state) and (not operation or job.operation == operation)
    ]
    found, following = cut(page, jobs, lambda job: job.id, str, ("jobs", state, operation))
    return listing(gateway, page, JobsDocument(jobs=found, next=following), "jobs", JobDocument)


@endpoint(router, "GET", "/v1/jobs/{job_id}", answer=JobDocument)
async def read_job(gateway: Here, job_id: str) -> Response:
    """One job and how far it is, host by host."""
    return _one(gateway, job_id, 200)


@endpoint(router, "GET", "/v1/jobs/{job_id}/log", answer=LogDocument, streams=SentEvent)
async def read_log(
    gateway: Here,
    who: Who,
    job_id: str,
    *,
    start: Start = 0,
    follow: Annotated[bool, Query(description="server-sent events until the job ends")] = False,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """What a job printed: as one document, or followed as server-sent events until the job has ended.

    Followed, ``job.log`` carries a LogDocument and its ``id`` is what to start from after a break; ``job.changed``
    carries a JobDocument. The last message is ``aware.end``.
    """
    job = overview.job(gateway.context.reader, job_id)
    if follow:
        if last_event_id is not None:
            start = _number(last_event_id)
        await gateway.hub.check(0, who.name)
        return EventStream(follow_log(gateway, who, job_id, start, _told(gateway)))
    return answer(gateway, log_document(gateway, job, start))


@endpoint(router, "POST", "/v1/jobs/{job_id}/cancel", answer=JobDocument, status=202, also=[412])
async def cancel_job(
    gateway: Here, who: Who, job_id: str, header: Annotated[str | None, Header(alias="If-Match")] = None
) -> Response:
    """End a job: at once while it waits; its processes within seconds while it runs."""
    overview.job(gateway.context.reader, job_id)
    await write(
        gateway,
        header,
        _key(gateway, job_id),
        lambda wanted: CancelJob(job=job_id, if_revision=wanted),
        who,
    )
    return _one(gateway, job_id, 202)


@endpoint(router, "POST", "/v1/jobs/{job_id}/retry", answer=JobDocument, status=202, also=[412, 501])
async def retry_job(
    gateway: Here, who: Who, job_id: str, header: Annotated[str | None, Header(alias="If-Match")] = None
) -> Response:
    """Queue a job that has ended once more, as another job with the same parameters, secrets included."""
    overview.job(gateway.context.reader, job_id)
    accepted = await write(
        gateway,
        header,
        _key(gateway, job_id),
        lambda wanted: RetryJob(job=job_id, if_revision=wanted),
        who,
    )
    return accepted_job(gateway, accepted.job, new=accepted.new)


def accepted_job(gateway: Gateway, job_id: str, *, new: bool) -> Response:
    """The answer to whoever asked for a job, by whichever door."""
    response = _one(gateway, job_id, 202)
    response.headers["location"] = f"/v1/jobs/{job_id}"
    if not new:
        response.headers["idempotency-replayed"] = "true"
    return response


def _one(gateway: Gateway, job_id: str, status: int) -> Response:
    document = _document(gateway, overview.job(gateway.context.reader, job_id))
    return answer(gateway, document, status=status, revision=document.revision)


def _key(gateway: Gateway, job_id: str) -> bytes:
    return gateway.context.reader.keys.key("jobs", job_id)


def _told(gateway: Gateway) -> Callable[[Job, int], tuple[LogDocument, JobDocument]]:
    return lambda job, start: (log_document(gateway, job, start), _document(gateway, job))


def _number(header: str) -> int:
    if not header.isascii() or not header.isdigit() or len(header) > 6:
        raise InvalidInput("Last-Event-ID is not a part of a log", field="Last-Event-ID")
    return int(header)


def _document(gateway: Gateway, job: Job) -> JobDocument:
    return JobDocument(
        id=job.id,
        operation=job.operation,
        state=job.state,
        reason=job.reason,
        message=job.message,
        parameters=job.parameters,
        secrets=list(job.secret_names),
        hosts=list(job.hosts),
        actor=job.actor,
        reference=job.reference,
        node=job.node,
        term=job.term,
        attempt=job.attempt,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        cancelled_by=job.cancelled_by,
        retry_of=job.retry_of,
        play=job.progress.play,
        task=job.progress.task,
        hosts_done=job.progress.hosts,
        more_hosts=job.progress.more_hosts,
        log_bytes=job.log_bytes,
        log_cut=job.log_cut,
        revision=revision_of(gateway, _key(gateway, job.id)),
    )


def log_document(gateway: Gateway, job: Job, start: int) -> LogDocument:
    """The log of ``job`` from part ``start`` on, as far as it fits into one answer."""
    text, after = "", start
    for number, part in overview.log_parts(gateway.context.reader, job.id, start):
        if text and len(text) + len(part.text) > MAX_TEXT:
            break
        text, after = text + part.text, number + 1
    return LogDocument(
        job=job.id,
        state=job.state,
        text=text,
        after=after,
        printed=job.log_bytes,
        cut=job.log_cut,
        complete=not job.open and after >= job.log_parts,
    )


def _members(gateway: Gateway) -> dict[str, Any]:
    """What each council member that is there says of itself, by name."""
    presence = gateway.context.reader.presence()
    found = {report.name: report.jobs for report in presence.values() if report.jobs is not None}
    return dict(sorted(found.items()))


def _operation(one: Operation, members: dict[str, Any]) -> OperationDocument:
    same = [name for name, report in members.items() if report.operations.get(one.name) == one.digest]
    return OperationDocument(
        name=one.name,
        description=one.description,
        built_in=not one.file,
        playbook=one.playbook if one.file else "",
        parameters=one.parameters,
        role=one.role,
        time_limit_s=one.time_limit_s,
        concurrency=one.concurrency,
        group=one.lane,
        castes=list(one.castes),
        uses=list(one.uses),
        idempotent=one.idempotent,
        file=one.file,
        members=same if one.file else [],
    )


def _runner(name: str, report: Any, rows: list[OperationDocument]) -> RunnerDocument:
    return RunnerDocument(
        name=name,
        ready=not report.problem,
        ansible_runner=report.runner,
        ansible_core=report.ansible,
        confined=report.confined,
        problem=report.problem,
        differs=[row.name for row in rows if not row.built_in and name not in row.members],
    )
