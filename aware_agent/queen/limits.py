"""Who is over a limit of the spec: from what nodes tell, onto their records, and so into who gets new work."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.limits import Changed, Limit, Limits, judge
from aware_agent.colony.load import Load
from aware_agent.queen.loop import Loop
from aware_agent.queen.writer import FencedWriter
from aware_agent.store import ops

log = logging.getLogger(__name__)

ACTOR = "colony"
LOOK_S = 5.0
CHUNK = 40  # records in one transaction; etcd takes 128 operations by default


class LimitsDuty:
    """For one reign. ``loads``: what is known now, by node id. A new reign begins to count anew: a node that is over
    a limit stays so meanwhile, for that is on record."""

    def __init__(
        self,
        writer: FencedWriter,
        loads: Callable[[], Mapping[str, Load]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer, self._loads, self._clock = writer, loads, clock
        self._since: Mapping[tuple[str, Limit], float] = {}
        self._looked_for: Limits | None = None
        self._loop = Loop("limits", self.once, retry_s=LOOK_S, broken_s=30.0, least_s=1.0)

    def refresh(self) -> None:
        """Something changed: look again if it is the limits; for all else it looks often enough."""
        if self._limits() != self._looked_for:
            self._loop.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def once(self) -> float | None:
        """One look. Returns the seconds until the next; None when there are no limits."""
        limits, records = self._limits(), self._writer.reader.records()
        self._looked_for = limits
        if limits is None and not any(record.over for record in records.values()):
            self._since = {}
            return None
        async with self._writer.writing():
            records = self._writer.reader.records()
            nodes = {node: (record.name, record.over) for node, record in records.items()}
            judged = judge(limits, nodes, self._loads(), self._since, self._clock())
            for start in range(0, len(judged.changed), CHUNK):
                await self._write(judged.changed[start : start + CHUNK])
        self._since = judged.since
        return LOOK_S

    async def _write(self, changes: Sequence[Changed]) -> None:
        data, records = self._writer.reader.data(), self._writer.reader.records()
        writes, compares, lines = [], [], []
        for change in changes:
            key, record = self._writer.key("nodes", change.node), records[change.node]
            after = msgspec.structs.replace(record, over=change.over, term=self._writer.term)
            writes.append(ops.put(key, msgspec.json.encode(after)))
            compares.append(ops.modified(key, data.entries[change.node].revision))
            more = bool(set(change.over) - set(record.over))
            kind, severity = ("node.over-limit", Severity.WARNING) if more else ("node.within-limit", Severity.INFO)
            payload = {"before": list(record.over), "after": list(change.over)}
            lines.append(EventDraft(kind, change.node, change.message, severity, payload=payload))
            log.info("%s", change.message)
        await self._writer.commit(writes, lines, ACTOR, compares)

    def _limits(self) -> Limits | None:
        spec = self._writer.reader.data().spec
        return spec.policies.limits if spec else None
