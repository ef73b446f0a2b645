"""The playbook of a job, run by a process of its own with everything that is its alone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from aware_agent import tracing
from aware_agent.agent.member import confine
from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.settings import Settings
from aware_agent.colony.errors import AwareError
from aware_agent.queen.jobs.protocol import Ended, RunOrder, Said
from aware_agent.queen.jobs.run import run_process
from aware_agent.queen.jobs.worker import Task
from aware_agent.security.jwt import BARE_TTL_S, TokenSigner, token_key
from aware_agent.security.keyring import Keyring
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.service_account import ACTOR, ServiceAccount

RUN_DIRECTORY = "/run/aware-jobs"


class ProcessPlaybooks:
    """Runs them on this node. ``ca_pem`` tells which CAs are believed now."""

    def __init__(self, settings: Settings, reader: ColonyReader, keyring: Keyring, ca_pem: Callable[[], bytes]) -> None:
        self._settings = settings
        self._reader = reader
        self._keyring = keyring
        self._ca_pem = ca_pem

    async def run(self, task: Task, said: Callable[[Said], Awaitable[None]], cancelled: asyncio.Event) -> Ended:
        """See :class:`aware_agent.queen.jobs.worker.Playbooks`."""
        settings = self._settings.jobs
        user = confine.job_user(settings.user)
        confine.describe(settings.user)  # raises where nothing confines
        job, operation = task.job, task.operation
        as_root = os.geteuid() == 0
        default = RUN_DIRECTORY if as_root else os.path.join(self._settings.state_dir, "jobs")
        order = RunOrder(
            job=job.id,
            term=job.term,
            attempt=job.attempt,
            playbook=operation.playbook,
            parameters={**job.parameters, **task.secrets} if operation.file else {},
            secrets=tuple(str(value) for value in task.secrets.values()),
            used=task.used,
            hosts=job.hosts,
            castes=operation.castes,
            time_limit_s=operation.time_limit_s,
            log_bytes=task.log_bytes,
            memory_bytes=settings.memory_mib << 20,
            colony=self._settings.colony,
            url=self._settings.url,
            ca=self._ca_pem().decode(),
            token=self._token(job.actor),
            directory=settings.directory or default,
            user=user,
            hidden=tuple(hidden(self._settings)),
            trace=tracing.traceparent(),
        )
        return await run_process(order, said, cancelled, as_root=as_root)

    def _token(self, actor: str) -> str:
        """For a few minutes and the inventory only: of the user who asked, or who owns the service account that did.

        Raises AwareError when that user is gone.
        """
        name = actor
        if actor.startswith(ACTOR):
            account = self._reader.one(f"service-accounts/{actor.removeprefix(ACTOR)}", ServiceAccount)
            name = account.owner if account else ""
        user = self._reader.one(f"users/{name}", UserRecord) if name else None
        if user is None:
            raise AwareError(f"{actor}, who asked for it, is gone", hint="let somebody else run it")
        signer = TokenSigner(self._settings.colony, token_key(self._settings.colony, self._keyring.secret))
        return signer.issue(
            user.name,
            Role.VIEWER,
            now=time.time(),
            ttl_s=BARE_TTL_S,
            scopes=("inventory:read",),
            account=user.account,
        ).token


def hidden(settings: Settings) -> Iterator[str]:
    """What belongs to the agent alone: its state, and every file its settings name."""
    yield settings.state_dir
    for part in (settings, *msgspec.structs.astuple(settings)):
        if isinstance(part, msgspec.Struct):
            for name, value in msgspec.structs.asdict(part).items():
                if name.endswith("_file") and value:
                    yield str(Path(value))
