"""``/v1/backups``: ask for a backup, and see what is on record. The files themselves never pass the gateway."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Response

from aware_agent.colony.backup import Backup, BackupPolicy
from aware_agent.gateway.documents import Document
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing
from aware_agent.gateway.state import Gateway
from aware_agent.queen import overview
from aware_agent.queen.commands import RequestBackup

router = APIRouter(tags=["backups"])


class BackupDocument(Document, frozen=True, kw_only=True):
    """One backup on record. ``revision``: it holds at least everything up to here."""

    name: str
    created_at: float  # Unix seconds
    revision: int
    term: int
    bytes: int
    sha256: str
    target: str
    node: str
    actor: str


class BackupsDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """How backups stand. Times in Unix seconds; ``next_at`` 0 means at once, null that the spec wants none."""

    policy: BackupPolicy | None
    next_at: float | None
    requested_at: float
    failed_at: float
    failure: str
    failures: int
    backups: list[BackupDocument]
    next: str | None = None


@endpoint(router, "GET", "/v1/backups", answer=BackupsDocument, lists=("backups", BackupDocument))
async def list_backups(gateway: Here, page: Paged) -> Response:
    """Backups on record, newest first, and why the last attempt failed if it did."""
    whole = _document(gateway)
    found, following = cut(
        page,
        whole.backups,
        lambda one: (-one.created_at, -one.revision, one.name),
        tuple[float, int, str],
        ("backups",),
    )
    document = msgspec.structs.replace(whole, backups=found, next=following)
    return listing(gateway, page, document, "backups", BackupDocument)


@endpoint(router, "POST", "/v1/backups", answer=BackupsDocument, status=202)
async def request_backup(gateway: Here, who: Who) -> Response:
    """Want a backup now. It is made by whoever reigns; GET tells when it is there."""
    await gateway.context.commands.run(RequestBackup(), actor=who.name)
    return answer(gateway, _document(gateway), status=202)


def _document(gateway: Gateway) -> BackupsDocument:
    state = overview.backups(gateway.context.reader)
    log = state.log
    return BackupsDocument(
        policy=state.policy,
        next_at=state.next_at,
        requested_at=log.requested_at,
        failed_at=log.failed_at,
        failure=log.failure,
        failures=log.failures,
        backups=[_one(backup) for backup in log.made],
    )


def _one(backup: Backup) -> BackupDocument:
    return BackupDocument(
        name=backup.name,
        created_at=backup.created_at,
        revision=backup.revision,
        term=backup.term,
        bytes=backup.bytes,
        sha256=backup.sha256,
        target=backup.target,
        node=backup.node,
        actor=backup.actor,
    )
