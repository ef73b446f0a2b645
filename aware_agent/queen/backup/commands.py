"""What users may do about backups through the gateway: ask for one, and see what is there."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from aware_agent.colony.backup import BackupLog, BackupPolicy, due_at
from aware_agent.colony.errors import Conflict
from aware_agent.queen.backup.keeper import read_log, write_log
from aware_agent.queen.ledger import Ledger, Line


class BackupState(msgspec.Struct, frozen=True, kw_only=True):
    """Policy, record and when the next one begins (Unix seconds; 0: at once, None: never)."""

    policy: BackupPolicy | None
    log: BackupLog
    next_at: float | None


class BackupCommands:
    """Reads and writes of the record."""

    def __init__(self, ledger: Ledger, nudge: Callable[[], None]) -> None:
        self._ledger = ledger
        self._nudge = nudge

    def backups(self) -> BackupState:
        """How backups stand."""
        spec = self._ledger.reader.data().spec
        policy = spec.policies.backup if spec else None
        record = read_log(self._ledger)
        return BackupState(policy=policy, log=record, next_at=due_at(record, policy) if policy else None)

    async def request_backup(self, *, actor: str) -> BackupState:
        """Want a backup now; whoever reigns makes it. Raises Conflict when the spec has no policy for backups."""
        async with self._ledger.writing():
            if self.backups().policy is None:
                raise Conflict("the spec says nothing of backups", hint="set policies.backup, see docs/backup.md")
            record = msgspec.structs.replace(
                read_log(self._ledger), requested_at=time.time(), requested_by=actor, term=self._ledger.term
            )
            line = Line("backup.requested", self._ledger.reader.keys.colony, f"{actor} asked for a backup")
            await write_log(self._ledger, record, line, actor)
        self._nudge()
        return self.backups()
