"""The queen's steady work: make records and castes agree with who is alive and what the spec wants."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from aware_agent.colony.castes import assign
from aware_agent.colony.errors import Conflict
from aware_agent.colony.event import Severity
from aware_agent.colony.liveness import Verdict, judge
from aware_agent.colony.node import Status
from aware_agent.colony.spec import Policies
from aware_agent.queen.history import History
from aware_agent.queen.ledger import Ledger, Line
from aware_agent.store import ops
from aware_agent.store.errors import StoreError

log = logging.getLogger(__name__)

ACTOR = "colony"
CHUNK = 40  # verdicts in one transaction; etcd takes 128 operations by default
RETRY_S = 0.5
FORMING_S = 15.0  # how long a new queen waits for others before she serves in a caste herself

_SEVERITY = {
    Status.READY: Severity.INFO,
    Status.LEFT: Severity.NOTICE,
    Status.SUSPECT: Severity.WARNING,
    Status.DEAD: Severity.ERROR,
}


class Reconciler:
    """Runs for one reign. :meth:`nudge` it whenever something changed."""

    def __init__(self, ledger: Ledger, history: History, me: str) -> None:
        self._ledger = ledger
        self._history = history
        self._me = me
        self._nudged = asyncio.Event()
        self._began = time.monotonic()
        self.passes = 0

    def nudge(self) -> None:
        """Something changed: look again."""
        self._nudged.set()

    async def run(self) -> None:
        """Reconcile until cancelled or deposed (which it raises)."""
        while True:
            self._nudged.clear()
            try:
                again_in = await self.once()
            except (Conflict, StoreError) as error:
                log.warning("reconcile: %s; trying again", error.message)
                again_in = RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(again_in):
                    await self._nudged.wait()

    async def once(self) -> float | None:
        """One pass. Returns in how many seconds to look again though nothing changed, None for never."""
        self.passes += 1
        policies = self._policies()
        async with self._ledger.writing():
            again_at = await self._liveness(policies)
            short = await self._castes()
            await self._trim(policies)
        waits = [max(0.05, again_at - time.time())] if again_at is not None else []
        if short and self._forming():
            waits.append(FORMING_S)
        return min(waits, default=None)

    def _policies(self) -> Policies:
        spec = self._ledger.reader.data().spec
        return spec.policies if spec else Policies()

    async def _liveness(self, policies: Policies) -> float | None:
        data = self._ledger.reader.data()
        records = self._ledger.reader.records()
        now = time.time()
        judgement = judge(records, data.presence, now, policies.dead_after_s)
        for chunk in _chunks(judgement.verdicts, CHUNK):
            changes, lines, compares = [], [], []
            for verdict in chunk:
                key = self._ledger.key("nodes", verdict.node)
                record = msgspec.structs.replace(
                    records[verdict.node],
                    status=verdict.status,
                    status_since=now if verdict.changed_status else records[verdict.node].status_since,
                    report=verdict.report,
                    term=self._ledger.term,
                )
                changes.append(ops.put(key, msgspec.json.encode(record)))
                compares.append(ops.modified(key, data.entries[verdict.node].revision))
                if verdict.changed_status:
                    lines.append(_line(verdict))
                    log.info(verdict.sentence)
            await self._ledger.commit(changes, lines, ACTOR, compares)
        return judgement.again_at

    def _forming(self) -> bool:
        return time.monotonic() - self._began < FORMING_S

    async def _castes(self) -> bool:
        """Assign; returns whether a caste stays short."""
        data = self._ledger.reader.data()
        if data.spec is None:
            return False
        records = self._ledger.reader.records()
        alive = sum(record.status is Status.READY for record in records.values())
        spare_queen = self._forming() and alive < data.spec.size
        outcome = assign(data.spec, records, data.castes, self._me, spare_queen=spare_queen)
        if outcome.castes == {name: list(members) for name, members in data.castes.items()}:
            return bool(outcome.missing)
        lines = [Line("caste.assigned", data.colony, sentence) for sentence in outcome.sentences[:CHUNK]]
        await self._ledger.commit(
            [ops.put(self._ledger.key("castes"), msgspec.json.encode(outcome.castes))], lines, ACTOR
        )
        for sentence in outcome.sentences:
            log.info(sentence)
        return bool(outcome.missing)

    async def _trim(self, policies: Policies) -> None:
        first_kept = self._history.cut(policies.keep_events)
        if first_kept is not None:
            start, end = self._ledger.key("events", ""), self._ledger.key("events", first_kept)
            await self._ledger.commit([ops.delete_range(start, end)], [], ACTOR)


def _line(verdict: Verdict) -> Line:
    return Line(f"node.{verdict.status}", verdict.node, verdict.sentence, _SEVERITY[verdict.status])


def _chunks(verdicts: Sequence[Verdict], size: int) -> Iterator[Sequence[Verdict]]:
    for start in range(0, len(verdicts), size):
        yield verdicts[start : start + size]
