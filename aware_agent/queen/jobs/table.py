"""The queen's table of operations, put on record whenever it changes, so that every gateway can show it."""

from __future__ import annotations

import time

import msgspec

from aware_agent.agent.member.operations import MemberOperations
from aware_agent.colony.event import COLONY, Severity
from aware_agent.colony.operation import OperationsRecord
from aware_agent.queen.jobs.builtin import OPERATIONS
from aware_agent.queen.loop import Loop
from aware_agent.queen.overview import OPERATIONS as KEY
from aware_agent.queen.overview import operations
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.store import ops

RETRY_S, BROKEN_S = 1.0, 60.0


class OperationsDuty:
    """For one reign."""

    def __init__(self, writer: FencedWriter, member: MemberOperations, node: str) -> None:
        self._writer = writer
        self._member = member
        self._node = node
        self._loop = Loop("the table of operations", self._once, retry_s=RETRY_S, broken_s=BROKEN_S)

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        self._member.listeners.append(self._loop.refresh)
        try:
            await self._loop.run()
        finally:
            self._member.listeners.remove(self._loop.refresh)

    async def _once(self) -> float | None:
        found, before = self._member.found, operations(self._writer.reader)
        table = tuple(sorted((*OPERATIONS, *found.operations), key=lambda operation: operation.name))
        if before and (before.operations, before.problems, before.node) == (table, found.problems, self._node):
            return None
        record = OperationsRecord(
            term=self._writer.term,
            node=self._node,
            read_at=time.time(),
            operations=table,
            problems=found.problems,
        )
        changed = before is None or (before.operations, before.problems) != (table, found.problems)
        async with self._writer.writing():
            key = self._writer.key(KEY)
            await self._writer.commit(
                [ops.put(key, msgspec.json.encode(record))],
                [self._line(record)] if changed and (before is not None or found.operations or found.problems) else [],
                COLONY,
                [self._writer.guard(key)],
            )
        return None

    def _line(self, record: OperationsRecord) -> EventDraft:
        own = [operation.name for operation in record.operations if operation.file]
        said = f"{len(own)} operations of files on {self._node}" + (f": {', '.join(own[:10])}" if own else "")
        if record.problems:
            said += f"; {len(record.problems)} files are skipped, first {record.problems[0].file}: "
            said += record.problems[0].message[:200]
        severity = Severity.WARNING if record.problems else Severity.INFO
        return EventDraft("operations.changed", self._writer.reader.keys.colony, said, severity)
