"""What users may do about backups through the gateway: ask for one."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from aware_agent.colony.errors import Conflict
from aware_agent.queen import overview
from aware_agent.queen.backup.keeper import write_log
from aware_agent.queen.writer import EventDraft, FencedWriter, Written


class BackupCommands:
    """Writes of the record."""

    def __init__(self, writer: FencedWriter, refresh: Callable[[], None]) -> None:
        self._writer = writer
        self._refresh = refresh

    async def request_backup(self, *, actor: str) -> Written:
        """Want a backup now; whoever reigns makes it. Raises Conflict when the spec has no policy for backups."""
        async with self._writer.writing():
            if overview.backups(self._writer.reader).policy is None:
                raise Conflict("the spec says nothing of backups", hint="set policies.backup, see docs/backup.md")
            record = msgspec.structs.replace(
                overview.backup_log(self._writer.reader),
                requested_at=time.time(),
                requested_by=actor,
                term=self._writer.term,
            )
            line = EventDraft("backup.requested", self._writer.reader.keys.colony, f"{actor} asked for a backup")
            written = await write_log(self._writer, record, line, actor)
        self._refresh()
        return written
