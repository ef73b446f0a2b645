"""What users may do about jobs: run, cancel, retry. Each is one fenced transaction; the work is the worker's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aware_agent.colony import jobs as core
from aware_agent.colony.jobs import Job, JobOver
from aware_agent.queen.commands import JobAccepted
from aware_agent.queen.jobs.book import JobBook
from aware_agent.queen.rehearsal import about_to
from aware_agent.queen.writer import FencedWriter, Written, require_revision
from aware_agent.security.grant import Grant


class JobCommands:
    """For one reign. ``refresh`` wakes the worker."""

    def __init__(self, writer: FencedWriter, book: JobBook, refresh: Callable[[], None]) -> None:
        self._writer = writer
        self._book = book
        self._refresh = refresh

    async def run_job(
        self, name: str, parameters: dict[str, Any], hosts: tuple[str, ...], *, grant: Grant | None, actor: str
    ) -> JobAccepted:
        """Queue a job. Raises NotFound, Forbidden, InvalidInput, Conflict, RunnerMissing, Unconfined."""
        async with self._writer.writing():
            return await self._queue(name, parameters, hosts, grant=grant, actor=actor)

    async def retry_job(self, job_id: str, *, if_revision: int | None, grant: Grant | None, actor: str) -> JobAccepted:
        """Queue one that has ended again, as another job. Raises as :meth:`run_job`, JobOver, RevisionChanged."""
        async with self._writer.writing():
            job = self._book.job(job_id)
            require_revision(self._revision(job), if_revision)
            if job.open:
                raise JobOver(f"job {job.id} is {job.state}", hint="cancel it first, or wait")
            parameters = {**job.parameters, **self._book.secrets(job)}
            return await self._queue(job.operation, parameters, job.hosts, grant=grant, actor=actor, retry_of=job.id)

    async def cancel_job(self, job_id: str, *, if_revision: int | None, grant: Grant | None, actor: str) -> Written:
        """End one that waits or runs. A running one ends a moment later. Raises NotFound, Forbidden, JobOver."""
        async with self._writer.writing():
            job = self._book.job(job_id)
            self._book.require_role(job.operation, grant)
            require_revision(self._revision(job), if_revision)
            decision = core.decide(job, core.Cancel(actor), time.time())
            if decision.job == job:
                return self._writer.unchanged(self._revision(job))
            written = await self._book.put(decision, actor)
        self._refresh()
        return written

    async def _queue(
        self,
        name: str,
        given: dict[str, Any],
        hosts: tuple[str, ...],
        *,
        grant: Grant | None,
        actor: str,
        retry_of: str = "",
    ) -> JobAccepted:
        operation = self._book.operation(name)
        self._book.require_role(name, grant)
        parameters = self._book.check(operation, given, hosts)
        draft = self._book.draft(operation, parameters, actor=actor, hosts=hosts, retry_of=retry_of)
        about_to(*self._book.plan(operation, draft, hosts))
        accepted = JobAccepted(draft.job.id, new=True)
        await self._writer.commit(draft.ops, [draft.line], actor, draft.guards, answer=accepted)
        self._refresh()
        return accepted

    def _revision(self, job: Job) -> int:
        return self._writer.revision(self._writer.key("jobs", job.id))
