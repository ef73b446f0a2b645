"""``/v1/backups``: what is on record is told, asking leaves a mark, metrics follow."""

from __future__ import annotations

import httpx
import msgspec

from aware_agent.colony.backup import Backup, BackupLog, BackupPolicy
from aware_agent.colony.spec import Policies, Spec
from aware_agent.gateway.app import GatewayApp
from tests.gateway.memory import COLONY, MemoryContext

MADE = Backup(
    name="demo_20231114T221320Z_r12_t5.awarebackup",
    created_at=1_700_000_000.0,
    revision=12,
    term=5,
    bytes=4711,
    sha256="ab",
    target="/backups",
    node="demo-1",
)


def with_policy(context: MemoryContext, log: BackupLog | None = None) -> None:
    spec = Spec(colony=COLONY, size=5, policies=Policies(backup=BackupPolicy(every="6h")))
    context.put(context.keys.key("spec"), spec)
    if log:
        context.put(context.keys.key("backups"), log)


async def test_without_a_policy_there_is_nothing(admin: httpx.AsyncClient) -> None:
    document = (await admin.get("/v1/backups")).json()
    assert (document["policy"], document["next_at"], document["backups"]) == (None, None, [])
    assert "aware_backup" not in (await admin.get("/metrics")).text


async def test_the_record_and_its_metrics(admin: httpx.AsyncClient, context: MemoryContext, app: GatewayApp) -> None:
    with_policy(context, BackupLog(made=[MADE], failed=3))
    document = (await admin.get("/v1/backups")).json()
    assert document["backups"][0] == {
        key: value for key, value in msgspec.to_builtins(MADE).items() if key != "adopted"
    }
    assert document["next_at"] == 1_700_000_000 + 6 * 3600
    lines = (await admin.get("/metrics")).text.splitlines()
    for line in (
        "aware_backup_last_success_timestamp_seconds 1700000000",
        "aware_backup_last_size_bytes 4711",
        "aware_backup_interval_seconds 21600",
        "aware_backup_failures_total 3",
    ):
        assert line in lines


async def test_asking_is_put_on_record_with_the_name_of_who_asked(
    admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    with_policy(context)
    answer = await admin.post("/v1/backups")
    assert answer.status_code == 202
    assert answer.json()["requested_at"] > 0
    assert context.commands.calls == [("RequestBackup", "ada")]
