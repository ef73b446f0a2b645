"""What a check of the election writes: one record that no user's work depends on, by the path of every other write.

There is one check at a time and one key in etcd, so what a check that was killed leaves behind is that key, until the
next one begins. Its writes are not put on record one by one: they would push the colony's history out, so the audit log
tells how many there were when it ends. Neither do their Idempotency-Keys take the place of a user's: they are kept
apart, and go with the check.
"""

from __future__ import annotations

import time

import msgspec

from aware_agent.colony.check import CheckRecord, busy_for, check_run, told
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict, NotFound
from aware_agent.colony.event import EventDraft
from aware_agent.queen.commands import CheckValue
from aware_agent.queen.once import CHECKS
from aware_agent.queen.writer import FencedWriter, Written, require_revision
from aware_agent.store import ops

_KEY = "check"


class CheckCommands:
    """Begin, write, read, end. ``run`` names one check."""

    def __init__(self, writer: FencedWriter) -> None:
        self._writer = writer

    async def begin(self, run: str, *, actor: str) -> Written:
        """Write the value 0, in place of what an earlier check left. Raises Conflict while another one is at work."""
        check_run(run)
        async with self._writer.writing():
            present, revision = self._record()
            if present is not None and (left := busy_for(present, time.time())):
                raise Conflict(
                    f"a check by {present.by} is at work",
                    hint=f"wait until it ends; if it was killed, another can begin in {left:.0f} s",
                )
            line = EventDraft("check.began", self._writer.reader.keys.colony, f"{actor} checks the election")
            changes = [self._put(run, 0, actor), self._forget_keys()]
            note = f"in place of check {present.run} by {present.by}, {told(present)}" if present else ""
            return await self._writer.commit(changes, [line], actor, [self._unchanged(revision)], note=note)

    async def write(self, run: str, value: int, *, if_revision: int | None, actor: str) -> Written:
        """Put ``value``. Raises NotFound when this check is over, RevisionChanged."""
        async with self._writer.writing():
            present, revision = self._mine(run)
            require_revision(revision, if_revision)
            changes = [self._put(run, value, actor, present.writes + 1)]
            return await self._writer.commit(changes, [], actor, [self._unchanged(revision)])

    async def read(self, run: str) -> CheckValue:
        """What etcd holds, read in a transaction that only the present queen can make. Raises NotFound, Deposed."""
        stored = await self._writer.read(self._writer.key(_KEY))
        record = _decoded(stored.value) if stored else None
        if stored is None or record is None or record.run != run:
            raise _over()
        return CheckValue(value=record.value, revision=stored.mod_revision, term=self._writer.term)

    async def end(self, run: str, *, actor: str) -> Written:
        """Remove all that it wrote. A check that is not there has ended."""
        async with self._writer.writing():
            present, revision = self._record()
            if present is None or present.run != run:
                return self._writer.unchanged()
            line = EventDraft("check.ended", self._writer.reader.keys.colony, f"{actor} ends the check of the election")
            changes = [ops.delete(self._writer.key(_KEY)), self._forget_keys()]
            compares = [self._unchanged(revision)]
            return await self._writer.commit(changes, [line], actor, compares, note=told(present))

    def _put(self, run: str, value: int, actor: str, writes: int = 0) -> ops.Op:
        record = CheckRecord(run=run, by=actor, value=value, at=time.time(), term=self._writer.term, writes=writes)
        return ops.put(self._writer.key(_KEY), msgspec.json.encode(record))

    def _unchanged(self, revision: int) -> ops.Compare:
        return ops.modified(self._writer.key(_KEY), revision)

    def _mine(self, run: str) -> tuple[CheckRecord, int]:
        record, revision = self._record()
        if record is None or record.run != run:
            raise _over()
        return record, revision

    def _record(self) -> tuple[CheckRecord | None, int]:
        """What is there, None when that is nothing of ours, and its revision, 0 when nothing is."""
        stored = self._writer.projection.get(self._writer.key(_KEY))
        return (_decoded(stored.value), stored.mod_revision) if stored else (None, 0)

    def _forget_keys(self) -> ops.Op:
        return ops.delete_range(*self._writer.keys.below(f"idempotency/{CHECKS}"))


def _decoded(value: bytes) -> CheckRecord | None:
    try:
        return from_json(value, CheckRecord)
    except UNDECODABLE:
        return None


def _over() -> NotFound:
    return NotFound("this check is over: it was ended, or another one began", hint="begin a new one")
