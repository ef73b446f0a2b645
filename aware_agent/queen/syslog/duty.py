"""The queen's part in sending the audit log to syslog, for one reign: she hands lines on, and keeps how far it is.

A reign begins where the last one's record ends, so every line is sent at least once whoever reigns. How far it is goes
to etcd once a second while something is sent; lines stay in etcd for it, see :mod:`aware_agent.queen.audit_duty`.
"""

from __future__ import annotations

import logging
import time

import msgspec

from aware_agent.agent.settings import AuditSettings
from aware_agent.colony.audit import NOTHING, AuditLine, Head
from aware_agent.colony.breaker import OpenBreaker
from aware_agent.colony.errors import AwareError
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.reach import Reach
from aware_agent.colony.syslog import OFF, SENT, SYSLOG, Sent
from aware_agent.queen.audit import COLONY, KIND, read_line
from aware_agent.queen.loop import Loop
from aware_agent.queen.piped import PipedProcess
from aware_agent.queen.syslog.messages import Begin, Failing, FromCourier, Hand, Settled
from aware_agent.queen.writer import FencedWriter
from aware_agent.store import ops
from aware_agent.store.subscription import ProjectionBatch

log = logging.getLogger(__name__)

PROGRAM = "aware_agent.queen.syslog.courier"
BREAKER = "syslog-breaker"
MISSED = "audit.missed"
MOST_AHEAD = 256  # lines that are handed on and not settled
AT_ONCE = 64
WRITE_S = 1.0
RETRY_S, BROKEN_S, LEAST_S = 1.0, 30.0, 0.05


class CourierEnded(AwareError):
    """The process that sends is gone; it is started again."""

    code = "courier-ended"
    status = 503

    def __init__(self) -> None:
        super().__init__("the process that sends the audit log ended")


class SyslogDuty:
    """``settings`` of this node, whose ``name`` messages carry."""

    def __init__(self, writer: FencedWriter, settings: AuditSettings, name: str, reach: Reach) -> None:
        self._writer, self._target = writer, settings.syslog
        host, _, port = settings.syslog.rpartition(":")
        # Who writes settings is root here: addresses of his own networks are his to choose.
        begin = Begin(
            host=host.strip("[]"),
            port=int(port) if port.isdecimal() else 0,
            node=name,
            reach=msgspec.structs.replace(reach, inside=True),
            ca_file=settings.syslog_ca_file,
            certificate_file=settings.syslog_certificate_file,
            key_file=settings.syslog_key_file,
        )
        self._process: PipedProcess[FromCourier] = PipedProcess(PROGRAM, begin, FromCourier, self._hear, CourierEnded)
        self._ended = False
        self._settled = self._handed = Head()
        self._missed: list[tuple[int, int]] = []
        self._reason = ""
        self._written_at = 0.0
        self._loop = Loop("audit log to syslog", self.once, retry_s=RETRY_S, broken_s=BROKEN_S, least_s=LEAST_S)

    @property
    def wanted(self) -> bool:
        """Whether lines are to be sent from here."""
        return self._target not in ("", OFF)

    @property
    def settled(self) -> int | None:
        """The last line the receiver has; None where there is none to wait for."""
        return self._settled.seq if self.wanted else None

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        unlisten = self._writer.projection.listen(self._heard)
        try:
            await self._loop.run()
        finally:
            unlisten()
            await self._process.close()

    async def once(self) -> float | None:
        """One look. Returns in how many seconds to look again, None: when something changes."""
        if not self.wanted:
            await self._unset()
            return None
        if self._ended:
            self._ended = False
            raise CourierEnded
        if await self._process.start():
            self._settled = self._handed = self._start()
        more = self._hand()
        due = await self._write()
        await self._show(self._reason)
        return 0.0 if more else due

    def _sent(self) -> Sent | None:
        return self._writer.reader.one(SENT, Sent)

    def _start(self) -> Head:
        """Where to go on: behind what is on record, unless the record is of another receiver or another past."""
        sent, trail = self._sent(), self._writer.trail
        if sent is None or sent.target != self._target:
            return self._before_the_first()
        there = trail.line(sent.seq)
        if sent.seq > trail.head.seq or (there is not None and there.hash != sent.hash):
            return self._before_the_first()
        return sent.head

    def _before_the_first(self) -> Head:
        first = self._next_after(0)
        return Head(seq=first.seq - 1 if first else 0)

    def _next_after(self, seq: int) -> AuditLine | None:
        """The first line behind ``seq`` that etcd has."""
        found = (read_line(kv) for kv in self._writer.projection.items(self._writer.key(KIND, "")))
        return next((line for line in found if line is not None and line.seq > seq), None)

    def _hand(self) -> bool:
        """Hand on what has room; whether there is more."""
        newest = self._writer.trail.head.seq
        lines: list[AuditLine] = []
        while self._handed.seq < newest and len(lines) < AT_ONCE:
            if self._handed.seq - self._settled.seq >= MOST_AHEAD:
                break
            line = self._writer.trail.line(self._handed.seq + 1) or self._next_after(self._handed.seq)
            if line is None:
                break
            if line.seq > self._handed.seq + 1:
                self._miss(self._handed.seq + 1, line.seq - 1)
            lines.append(line)
            self._handed = Head(seq=line.seq, hash=line.hash)
        if lines:
            self._process.say(Hand(lines=tuple(lines)))
        return len(lines) == AT_ONCE

    def _miss(self, first: int, last: int) -> None:
        log.error("audit lines %d to %d left etcd before they were sent to %s", first, last, self._target)
        self._missed.append((first, last))
        if self._settled.seq == first - 1:
            self._settled = Head(seq=last, hash=NOTHING)

    async def _write(self) -> float | None:
        """Put on record how far it is; returns in how many seconds that is due, None: nothing is to be written."""
        sent = self._sent()
        if sent is not None and sent.target == self._target and sent.head == self._settled and not self._missed:
            return None
        left = self._written_at + WRITE_S - time.monotonic()
        if left > 0:
            return left
        self._written_at = time.monotonic()
        gone, self._missed = self._missed, []
        told = [_told(first, last, self._target, self._writer.keys.colony) for first, last in gone]
        before = sent.missed if sent and sent.target == self._target else 0
        record = Sent(
            target=self._target,
            term=self._writer.term,
            seq=self._settled.seq,
            hash=self._settled.hash,
            missed=before + sum(last - first + 1 for first, last in gone),
        )
        async with self._writer.writing():
            await self._writer.commit([ops.put(self._writer.key(SENT), msgspec.json.encode(record))], told, COLONY)
        return None

    async def _unset(self) -> None:
        """Here is nobody to send to. Where another queen sent, that is said; ``off`` says that it is meant."""
        sent = self._sent()
        if self._target == OFF and sent is not None:
            async with self._writer.writing():
                await self._writer.commit([ops.delete(self._writer.key(SENT))], [], COLONY)
        forgotten = sent is not None and self._target != OFF
        await self._show(f"{sent.target}: the queen's own settings name no receiver" if sent and forgotten else "")

    async def _show(self, reason: str) -> None:
        """Have the colony show that lines wait, and why; or that none do."""
        shown = self._writer.reader.one(BREAKER, OpenBreaker)
        if bool(reason) == bool(shown) and (shown is None or shown.reason == reason):
            return
        key = self._writer.key(BREAKER)
        since = shown.since if shown else time.time()
        breaker = OpenBreaker(name=SYSLOG, since=since, reason=reason)
        change = ops.put(key, msgspec.json.encode(breaker)) if reason else ops.delete(key)
        async with self._writer.writing():
            await self._writer.commit([change], [], COLONY)

    def _heard(self, batch: ProjectionBatch) -> None:
        prefix = self._writer.key(KIND, "")
        if batch.relisted or any(change.kv.key.startswith(prefix) for change in batch.changes):
            self._loop.refresh()

    def _hear(self, said: FromCourier | None) -> None:
        """What the process tells; None: it is gone."""
        if said is None:
            self._ended = True
        elif isinstance(said, Failing):
            self._reason = f"{self._target}: {said.reason}"
        elif isinstance(said, Settled):
            self._settled, self._reason = said.head, ""
        self._loop.refresh()


def _told(first: int, last: int, target: str, colony: str) -> EventDraft:
    gone = f"audit lines {first} to {last} left etcd before they could be sent to {target}: archives have them"
    return EventDraft(MISSED, colony, gone, Severity.ERROR)
