"""Runs jobs for one reign: starts what waits, in its turn, tells of what runs, judges what an earlier queen left.

Scaling changes nothing outside etcd: it is one transaction with the job's last state, so it happens once whoever dies
when. A playbook's process is this agent's child and ends with the reign.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import msgspec

from aware_agent import tracing
from aware_agent.colony import jobs as core
from aware_agent.colony.errors import AwareError, Conflict, Deposed
from aware_agent.colony.event import COLONY
from aware_agent.colony.hook import HookOperation, scaled
from aware_agent.colony.job_log import LogPart, parts
from aware_agent.colony.jobs import Job, JobState
from aware_agent.colony.node import Status
from aware_agent.colony.operation import Operation
from aware_agent.colony.spec import JobPolicy
from aware_agent.colony.trace import SpanKind, parse
from aware_agent.queen.jobs.book import JobBook, More, describe
from aware_agent.queen.jobs.builtin import order_of
from aware_agent.queen.jobs.protocol import INHERIT_S, Ended, Said
from aware_agent.queen.loop import Loop
from aware_agent.queen.wishes import spec_change
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.colony_secret import NamedSecret
from aware_agent.store import ops
from aware_agent.store.errors import StoreError
from aware_agent.store.model import KeyValue

log = logging.getLogger(__name__)

RETRY_S, BROKEN_S = 0.5, 60.0
LOOK_S = 0.5  # how often a join looks for its nodes
MAX_LOGS = 16 << 20  # bytes of all logs together: every gateway has them in memory
FORGET_AT_ONCE = 50  # keys; bounds one transaction


class Task(NamedTuple):
    """What is to be run of a job, with the parameters nobody is shown."""

    job: Job
    operation: Operation
    secrets: dict[str, object]
    log_bytes: int
    used: tuple[NamedSecret, ...] = ()  # of the colony's secrets, those that the operation names


class Playbooks(Protocol):
    """Runs the playbook of a job; :class:`aware_agent.queen.jobs.playbooks.Playbooks` is the one."""

    async def run(self, task: Task, said: Callable[[Said], Awaitable[None]], cancelled: asyncio.Event) -> Ended:
        """Until its end. Cancelling it ends the playbook. Raises AwareError when it cannot be begun."""


class _Running(NamedTuple):
    task: asyncio.Task[None]
    cancelled: asyncio.Event


class JobWorker:
    """See above. ``parallel`` jobs run at once; ``node`` is the name of this one."""

    def __init__(
        self,
        writer: FencedWriter,
        book: JobBook,
        playbooks: Playbooks,
        *,
        node: str,
        parallel: int,
        inherit_s: float = INHERIT_S,
    ) -> None:
        self._writer, self._book, self._playbooks = writer, book, playbooks
        self._node, self._parallel, self._inherit_s = node, parallel, inherit_s
        self._running: dict[str, _Running] = {}
        self._began = 0.0
        self._loop = Loop("jobs", self._once, retry_s=RETRY_S, broken_s=BROKEN_S)

    def refresh(self) -> None:
        """Something about a job changed: look again."""
        self._loop.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        self._began = time.monotonic()
        try:
            await self._loop.run()
        finally:
            tasks = [running.task for running in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _once(self) -> float | None:
        """One look. Returns when to look again though nothing changed."""
        self._raise_deposed()
        wait = await self._inherit()
        for job_id, running in self._running.items():
            job = self._book.all().get(job_id)
            if job is None or job.cancelled_by:
                running.cancelled.set()
        table = self._book.table
        for job in core.startable(self._book.all().values(), table, self._parallel):
            if not await self._start(job, table.get(job.operation)):
                wait = 0.0  # it is over already, so the next one's turn may have come
        await self._forget()
        return wait

    def _raise_deposed(self) -> None:
        """A task that found the reign over says so here, where the reign hears it."""
        for job_id, running in list(self._running.items()):
            if running.task.done():
                del self._running[job_id]
                if not running.task.cancelled() and (error := running.task.exception()) is not None:
                    raise error

    async def _inherit(self) -> float | None:
        """Judge what ran under an earlier term, once its process has surely ended."""
        left = [job for job in self._book.all().values() if job.state is JobState.RUNNING]
        left = [job for job in left if job.id not in self._running and job.term != self._writer.term]
        if not left:
            return None
        wait = self._began + self._inherit_s - time.monotonic()
        if wait > 0:
            return wait
        for job in left:
            operation = self._book.table.get(job.operation)
            event = core.Inherit(self._writer.term, operation is not None and operation.idempotent)
            await self._decide(job.id, event)
        return None

    async def _start(self, job: Job, operation: Operation | None) -> bool:
        """Begin it. Returns whether it runs now; else it has ended."""
        with self._traced(job, f"job {job.operation} begins"):
            return await self._begin(job, operation)

    @contextmanager
    def _traced(self, job: Job, name: str) -> Iterator[tracing.OpenSpan]:
        """What is done now is of the trace of whoever asked for the job, if that is recorded."""
        about: tracing.Told = {"aware.job": job.id, "aware.term": self._writer.term}
        with tracing.record(parse(job.trace), name, SpanKind.CONSUMER, about) as span:
            yield span

    async def _begin(self, job: Job, operation: Operation | None) -> bool:
        if operation is None:
            said = f"this queen's node has no operation {job.operation}"
            await self._decide(job.id, core.End(JobState.FAILED, "unknown-operation", said))
            return False
        if not operation.playbook:
            await self._scale(job, operation)
            return False
        await self._decide(job.id, core.Start(self._writer.term, self._node))
        cancelled = asyncio.Event()
        task = asyncio.create_task(self._work(job.id, operation, cancelled), name=f"job {job.id}")
        task.add_done_callback(lambda _: self._loop.refresh())
        self._running[job.id] = _Running(task, cancelled)
        return True

    async def _scale(self, job: Job, operation: Operation) -> None:
        """Change the spec and end the job in one transaction."""
        async with self._writer.writing():
            now, started = time.time(), core.Start(self._writer.term, self._node)
            begun = core.decide(self._book.job(job.id), started, now)
            try:
                data = self._writer.reader.data()
                if data.spec is None:
                    raise Conflict("the colony has no spec any more")
                after = scaled(data.spec, order_of(operation, job.parameters))
            except AwareError as error:  # it was possible when it was taken
                event = core.End(JobState.FAILED, error.code, str(error))
                await self._book.put(core.decide(begun.job, event, now), job.actor)
                return
            message = f"size {data.spec.size} became {after.size}"
            said = f"{message}: {describe(operation, job.parameters)}"
            changes, line, guard = spec_change(self._writer, after, job.actor, said)
            ended = core.decide(begun.job, core.End(JobState.SUCCEEDED, "", message), now)
            await self._book.put(ended, job.actor, More(changes, [line], [guard]))

    async def _work(self, job_id: str, operation: Operation, cancelled: asyncio.Event) -> None:
        """One attempt of a playbook. Whatever breaks it is how it ended, so that it is not tried for ever."""
        with self._traced(self._book.job(job_id), f"job {operation.name}") as span:
            span.error = await self._whole(job_id, operation, cancelled)

    async def _whole(self, job_id: str, operation: Operation, cancelled: asyncio.Event) -> str:
        """Returns why it failed, if it did."""
        try:
            ended = await self._attempt(job_id, operation, cancelled)
        except (Deposed, asyncio.CancelledError):
            raise
        except AwareError as error:
            ended = Ended(state=JobState.FAILED, reason=error.code, message=str(error))
        except Exception:
            log.exception("job %s broke", job_id)
            ended = Ended(state=JobState.FAILED, reason="bug", message="this is a bug; the queen's log says more")
        tracing.adopt(ended.spans)
        event = core.End(ended.state, ended.reason, ended.message)
        while True:
            try:
                await self._decide(job_id, event)
                return ended.reason
            except (StoreError, Conflict) as error:
                log.warning("the end of job %s is not on record yet: %s", job_id, error.message)
                await asyncio.sleep(RETRY_S)

    async def _attempt(self, job_id: str, operation: Operation, cancelled: asyncio.Event) -> Ended:
        job = self._book.job(job_id)
        log.info("job %s: %s begins", job_id, job.operation)
        if operation.name == HookOperation.JOIN and not operation.file:
            await self._wait_for_nodes(job.started_at + operation.time_limit_s, cancelled)

        async def said(what: Said) -> None:
            with tracing.unrecorded():  # it comes every second
                await self._tell(job_id, what)

        log_bytes = self._policy().log_kib * 1024
        task = Task(job, operation, self._book.secrets(job), log_bytes, self._book.used(operation))
        return await self._playbooks.run(task, said, cancelled)

    async def _wait_for_nodes(self, until: float, cancelled: asyncio.Event) -> None:
        """Return when as many nodes are ready as the spec wants. Raises AwareError after ``until`` (Unix seconds)."""
        while True:
            data = self._writer.reader.data()
            nodes = self._writer.reader.view().nodes
            ready = sum(node.status is Status.READY for node in nodes)
            wanted = data.spec.size - sum(node.status is Status.AWAY for node in nodes) if data.spec else 0
            if ready >= wanted:
                return
            if time.time() >= until or cancelled.is_set():
                raise AwareError(
                    f"only {ready} of {wanted} nodes are ready", hint="look at the consoles of those that are missing"
                )
            await asyncio.sleep(LOOK_S)

    async def _tell(self, job_id: str, said: Said) -> None:
        """Progress and log in one transaction. What etcd does not take now is in the next one's progress."""
        try:
            async with self._writer.writing():
                job = self._book.job(job_id)
                pieces = parts(said.text)
                report = core.Report(said.progress, job.log_parts + len(pieces), said.printed, said.cut)
                now = time.time()
                written = [
                    ops.put(
                        self._writer.key("job-logs", job_id, f"{job.log_parts + number:06d}"),
                        msgspec.json.encode(LogPart(at=now, text=text)),
                    )
                    for number, text in enumerate(pieces)
                ]
                await self._book.put(core.decide(job, report, now), COLONY, More(written, [], []))
        except (StoreError, Conflict) as error:
            log.warning("progress of job %s is not on record: %s", job_id, error.message)

    async def _decide(self, job_id: str, event: core.Event) -> None:
        async with self._writer.writing():
            job = self._book.job(job_id)
            decision = core.decide(job, event, time.time())
            if decision.job != job:
                await self._book.put(decision, job.actor)

    def _policy(self) -> JobPolicy:
        spec = self._writer.reader.data().spec
        return spec.policies.jobs if spec else JobPolicy()

    async def _forget(self) -> None:
        """Let go of history that is more than the spec wants kept; some of it at a time."""
        jobs = self._book.all()
        forget = core.forgettable(jobs.values(), self._policy().keep, self._logs(), MAX_LOGS)
        if not forget.jobs and not forget.logs:
            return
        async with self._writer.writing():
            gone = [ops.delete(kv.key) for job_id in (*forget.jobs, *forget.logs) for kv in self._log_of(job_id)]
            if len(gone) <= FORGET_AT_ONCE:
                gone += [ops.delete(self._writer.key("jobs", job_id)) for job_id in forget.jobs[:FORGET_AT_ONCE]]
            await self._writer.commit(gone[:FORGET_AT_ONCE], [], COLONY)
        self._loop.refresh()

    def _logs(self) -> list[tuple[str, int]]:
        sizes: dict[str, int] = {}
        start = self._writer.key("job-logs/")
        for kv in self._writer.projection.items(start):
            job_id = kv.key[len(start) :].decode(errors="replace").partition("/")[0]
            sizes[job_id] = sizes.get(job_id, 0) + len(kv.value)
        return sorted(sizes.items())

    def _log_of(self, job_id: str) -> list[KeyValue]:
        return list(self._writer.projection.items(self._writer.key("job-logs", job_id) + b"/"))
