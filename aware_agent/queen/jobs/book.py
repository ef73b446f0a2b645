"""Jobs on record: taking one, ending one that was not begun, and what has to hold in the transaction. For one reign."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from aware_agent import tracing
from aware_agent.agent.member.operations import MemberOperations, check_parameters
from aware_agent.colony import jobs as core
from aware_agent.colony.decoding import from_json
from aware_agent.colony.errors import AwareError, Conflict, InvalidInput, NotFound
from aware_agent.colony.event import EventDraft
from aware_agent.colony.hook import HookOperation, Order, scaled
from aware_agent.colony.ids import ulid
from aware_agent.colony.jobs import Job
from aware_agent.colony.operation import Operation, check_secrets, with_defaults
from aware_agent.colony.quota import require_room
from aware_agent.queen.jobs.builtin import OPERATIONS, order_of, parameters_of
from aware_agent.queen.jobs.hosts import hosts_of
from aware_agent.queen.secrets import SecretBook
from aware_agent.queen.writer import FencedWriter, Written
from aware_agent.security.colony_secret import NamedSecret
from aware_agent.security.grant import Grant, require_roles
from aware_agent.security.roles import Role
from aware_agent.security.sealed import SealBroken, Sealer
from aware_agent.store import ops

MAX_OPEN = 100  # jobs that wait or run
MAX_PARAMETERS = 32 * 1024  # bytes, as JSON
SHOWN_HOSTS = 20  # named in a plan
MASKED = "********"


class Draft(NamedTuple):
    """A new job and what writes it."""

    job: Job
    ops: list[ops.Op]
    guards: list[ops.Compare]
    line: EventDraft


class JobBook:
    """What is kept below ``jobs/``. Call what drafts inside ``writing()``."""

    def __init__(self, writer: FencedWriter, sealer: Sealer, member: MemberOperations, secrets: SecretBook) -> None:
        self._writer = writer
        self._sealer = sealer
        self._member = member
        self._colonys = secrets

    @property
    def table(self) -> Mapping[str, Operation]:
        """Operations by name: those that come with AWARE, and the files of this host."""
        return {operation.name: operation for operation in (*OPERATIONS, *self._member.found.operations)}

    def all(self) -> Mapping[str, Job]:
        """Every job that is remembered, by id."""
        return self._writer.reader.many("jobs/", Job)

    def job(self, job_id: str) -> Job:
        """One of them. Raises :class:`NotFound`."""
        found = self._writer.reader.one(f"jobs/{job_id}", Job) if "/" not in job_id else None
        if found is None:
            raise NotFound(f"no job {job_id[:40]!r}", hint="aware job list shows them; old ones are forgotten")
        return found

    def operation(self, name: str) -> Operation:
        """The operation of that name. Raises :class:`NotFound`."""
        found = self.table.get(name)
        if found is None:
            raise NotFound(f"there is no operation {name[:60]!r}", hint="GET /v1/operations lists them")
        return found

    def require_role(self, name: str, grant: Grant | None) -> None:
        """Raise Forbidden unless who asks may run the operation of that name; one that is gone is an admin's."""
        operation = self.table.get(name)
        require_roles(grant, Role(operation.role) if operation else Role.ADMIN)

    def check(self, operation: Operation, given: dict[str, Any], hosts: tuple[str, ...]) -> dict[str, Any]:
        """Parameters with their defaults, for a job that can be begun now. Raises what says why it cannot."""
        self._member.require_runner(operation)
        self._colonys.require(operation)
        parameters = with_defaults(operation, given)
        if operation.file:
            check_parameters(operation, parameters)
            check_secrets(operation, parameters)
        else:
            self._check_built_in(order_of(operation, parameters))
        if len(msgspec.json.encode(parameters)) > MAX_PARAMETERS:
            raise InvalidInput(f"parameters have more than {MAX_PARAMETERS} bytes", field="parameters")
        if operation.playbook:
            self._check_hosts(operation, hosts)
        elif hosts:
            raise InvalidInput(f"{operation.name} works on no hosts", field="hosts", hint="leave it out")
        waiting = sum(job.open for job in self.all().values())
        require_room("jobs that wait or run", waiting, MAX_OPEN, "wait until some are done: aware job list")
        return parameters

    def _check_built_in(self, order: Order) -> None:
        spec = self._writer.reader.data().spec
        if spec is None:
            raise Conflict("the colony has no spec yet", hint="aware spec apply FILE")
        if order.operation is HookOperation.SCALE:
            scaled(spec, order)

    def _check_hosts(self, operation: Operation, hosts: tuple[str, ...]) -> None:
        possible = hosts_of(self._writer.reader.view(), operation.castes)
        unknown = [name for name in hosts if name not in possible]
        if unknown:
            raise InvalidInput(
                f"{operation.name} cannot work on {unknown[0][:60]!r}",
                field="hosts",
                hint=f"one of {', '.join(possible[:SHOWN_HOSTS]) or 'none: nobody is there'}",
            )
        if not possible:
            raise Conflict(f"{operation.name} has nothing to work on: no living node is of its castes")

    def draft(
        self,
        operation: Operation,
        parameters: dict[str, Any],
        *,
        actor: str,
        hosts: tuple[str, ...] = (),
        reference: str = "",
        retry_of: str = "",
    ) -> Draft:
        """A queued job, not written yet. ``parameters`` as :meth:`check` returned them."""
        now = time.time()
        job_id = ulid(now, os.urandom(10))
        key = self._writer.key("jobs", job_id)
        secret = {name: parameters[name] for name in operation.secrets if name in parameters}
        job = Job(
            id=job_id,
            operation=operation.name,
            parameters={name: value for name, value in parameters.items() if name not in secret},
            secret_names=tuple(secret),
            sealed=self._sealer.seal(msgspec.json.encode(secret), key) if secret else b"",
            hosts=hosts,
            term=self._writer.term,
            actor=actor,
            reference=reference,
            created_at=now,
            changed_at=now,
            retry_of=retry_of,
            trace=tracing.traceparent(),
        )
        said = f"{actor} asked for {describe(operation, parameters)}"
        said += f" for {reference}" if reference else ""
        payload = {"operation": operation.name, "parameters": job.parameters}
        line = EventDraft("job.queued", job_id, said, payload=payload)
        return Draft(job, [ops.put(key, msgspec.json.encode(job))], [ops.absent(key)], line)

    def plan(self, operation: Operation, draft: Draft, hosts: tuple[str, ...]) -> list[str]:
        """What a dry run tells: what would run, where, on which hosts, with which parameters, after which others."""
        job = draft.job
        said = [draft.line.message]
        what = f"playbook {operation.playbook}" if operation.playbook else "built in"
        said.append(f"it runs here, on the queen's node, for at most {operation.time_limit_s:g} s: {what}")
        if operation.playbook:
            names = hosts or hosts_of(self._writer.reader.view(), operation.castes)
            more = f" and {len(names) - SHOWN_HOSTS} more" if len(names) > SHOWN_HOSTS else ""
            said.append(f"hosts: {', '.join(names[:SHOWN_HOSTS])}{more}")
        if operation.uses:
            said.append(f"it is given the colony's secrets {', '.join(operation.uses)}")
        shown = {**job.parameters, **dict.fromkeys(job.secret_names, MASKED)}
        said.append(f"parameters: {msgspec.json.encode(shown).decode()}")
        table = self.table
        before = [one for one in self.all().values() if one.open and _lane(table, one) == operation.lane]
        if len(before) >= operation.concurrency:
            said.append(f"it waits for {len(before)} other jobs of group {operation.lane}")
        return said

    def secrets(self, job: Job) -> dict[str, Any]:
        """The parameters nobody is shown. Raises AwareError when they cannot be opened any more."""
        if not job.sealed:
            return {}
        try:
            found: dict[str, Any] = from_json(self._sealer.open(job.sealed, self._writer.key("jobs", job.id)))
        except SealBroken as error:
            raise AwareError(
                "the job's secrets cannot be opened any more: the colony's secret was rotated",
                hint="start it anew, with its secrets",
            ) from error
        return found

    def used(self, operation: Operation) -> tuple[NamedSecret, ...]:
        """The colony's secrets that ``operation`` uses. Raises SecretMissing."""
        return self._colonys.opened(operation)

    async def put(self, decision: core.Decision, actor: str, more: More | None = None) -> Written:
        """Write what was decided of a job that is on record. Call it inside ``writing()``."""
        key = self._writer.key("jobs", decision.job.id)
        stored = self._writer.projection.get(key)
        if stored is None:
            raise Conflict(f"job {decision.job.id} is gone")
        changes = [ops.put(key, msgspec.json.encode(decision.job)), *(more.ops if more else ())]
        lines = [*(more.lines if more else ()), *([decision.line] if decision.line else ())]
        guards = [ops.modified(key, stored.mod_revision), *(more.guards if more else ())]
        return await self._writer.commit(changes, lines, actor, guards)


class More(NamedTuple):
    """What belongs into the same transaction."""

    ops: list[ops.Op]
    lines: list[EventDraft]
    guards: list[ops.Compare]


def describe(operation: Operation, parameters: dict[str, Any]) -> str:
    """An operation in a few words."""
    if operation.name != HookOperation.SCALE or operation.file:
        return operation.name
    order = order_of(operation, parameters)
    limit = f", to {order.max_size} at most" if order.max_size else ""
    return f"scale by {order.delta:+d}{f' in caste {order.caste}' if order.caste else ''}{limit}"


def _lane(table: Mapping[str, Operation], job: Job) -> str:
    operation = table.get(job.operation)
    return operation.lane if operation else job.operation


Refresh = Callable[[], None]
__all__ = ["Draft", "JobBook", "More", "describe", "parameters_of"]
