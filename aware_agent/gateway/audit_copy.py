"""This member's own copy of the audit log: each line goes from etcd into files, before it may leave etcd.

The copy is also a witness. It remembers the last line it saw, on disk, over restarts: when etcd later shows another
past and no restore says so, somebody rewrote it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from aware_agent.colony.audit import RESTORED, AuditLine, Head, head_of
from aware_agent.gateway.audit_files import AuditFiles
from aware_agent.queen.audit import HEAD, KIND, line_key, read_head, read_line
from aware_agent.security.files import DiskFull, StateCorrupted
from aware_agent.store.keys import Keys
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch
from aware_agent.telemetry import Family, counter, gauge

log = logging.getLogger(__name__)

SETTLE_S = 0.2  # lines that come together are written together
RETRY_S = 10.0
MOST_AT_ONCE = 2000


class AuditCopy:
    """Follows a projection until cancelled. ``archived`` is called with the last line that is safe on disk."""

    def __init__(self, projection: Projection, keys: Keys, files: AuditFiles, archived: Callable[[int], None]) -> None:
        self._projection, self._keys, self._files, self._archived = projection, keys, files, archived
        self._prefix = keys.key(KIND, "")
        self._news = asyncio.Event()
        self._complaint = ""
        self.last = Head()
        self.diverged = 0  # how often etcd's past was another one
        self.failed = 0

    async def run(self) -> None:
        """Copy what is there, then what comes."""
        self._news.set()
        unlisten = self._projection.listen(self._heard)
        try:
            await self._open()
            while True:
                await self._news.wait()
                self._news.clear()
                await self._once()
                await asyncio.sleep(SETTLE_S)
        finally:
            unlisten()
            self._files.close()

    def families(self) -> Iterable[Family]:
        """Metrics."""
        head = read_head(self._projection.get(self._keys.key(HEAD))) or Head()
        yield gauge("aware_audit_line", "Newest line of the audit log.", head.seq)
        yield gauge("aware_audit_archived_line", "Last line of the audit log in this member's archive.", self.last.seq)
        yield counter("aware_audit_archive_failures_total", "Attempts to write the archive that failed.", self.failed)
        name = "aware_audit_diverged_total"
        yield counter(name, "How often etcd showed another past than was archived.", self.diverged)

    def _heard(self, batch: ProjectionBatch) -> None:
        if batch.relisted or any(change.kv.key.startswith(self._prefix) for change in batch.changes):
            self._news.set()

    async def _open(self) -> None:
        while True:
            try:
                found = await asyncio.to_thread(self._files.open)
                self.last = found or Head()
                break
            except (OSError, DiskFull, StateCorrupted) as error:
                await self._complain(error)
        self._archived(self.last.seq)

    async def _once(self) -> None:
        lines = self._there()
        while lines:
            batch, lines = lines[:MOST_AT_ONCE], lines[MOST_AT_ONCE:]
            new = batch[0].prev != self.last.hash or batch[0].seq != self.last.seq + 1
            while True:
                try:
                    await asyncio.to_thread(self._files.append, batch, new_file=new)
                    break
                except (OSError, DiskFull) as error:
                    await self._complain(error)
            self._complaint = ""
            self.last = head_of(batch[-1])
            self._archived(self.last.seq)

    def _there(self) -> Sequence[AuditLine]:
        """The lines that are not copied yet; all that etcd has, when its past is another one than was copied."""
        newest = read_line(self._projection.get(line_key(self._keys, self.last.seq))) if self.last.seq else None
        lines = [line for kv in self._projection.items(self._prefix) if (line := read_line(kv)) is not None]
        after = [line for line in lines if line.seq > self.last.seq]
        follows = newest is None or newest.hash == self.last.hash
        if not self.last.seq or (follows and not after and (newest or not lines)):
            return after
        if follows and after and (after[0].prev == self.last.hash or after[0].seq > self.last.seq + 1):
            return after  # or this member was away for longer than etcd keeps lines
        if not lines or head_of(lines[-1]) == self.last:
            return []
        if not any(line.action == RESTORED for line in lines):
            self.diverged += 1
            log.error(
                "the audit log in etcd has another past than this member copied up to line %d, and no restore says so: "
                "compare them, aware audit verify",
                self.last.seq,
            )
        return lines

    async def _complain(self, error: Exception) -> None:
        self.failed += 1
        level = logging.DEBUG if str(error) == self._complaint else logging.ERROR
        log.log(level, "the archive of the audit log cannot be written: %s", error)
        self._complaint = str(error)
        await asyncio.sleep(RETRY_S)
