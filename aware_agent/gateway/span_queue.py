"""Spans on their way to a collector: a bounded queue, and a process of its own that exports.

The OpenTelemetry SDK takes 15 MiB and a sixth of a second to load, turns spans into protobuf and waits for a
collector: none of that is for a process that answers requests, still less for one that takes part in an election. So
the agent hands spans to its gateway over the socket they have, the gateway keeps at most :data:`MOST` of them, and one
batch at a time goes through a pipe. What finds no room is counted and lost; nobody ever waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable, Sequence

from aware_agent.agent.settings import TracingSettings
from aware_agent.colony.errors import AwareError
from aware_agent.colony.trace import Span
from aware_agent.gateway.span_export import Begin, Export, Exported, FromExporter, NotExported
from aware_agent.queen.piped import PipedProcess
from aware_agent.telemetry import Family, counter, gauge

log = logging.getLogger(__name__)

PROGRAM = "aware_agent.gateway.span_export"
MOST = 4096
BATCH = 256
GATHER_S = 1.0  # spans of one trace end one after the other: they go together
ANSWER_S = 30.0  # an exporter gives a batch up long before
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
FULL, FAILED = "queue-full", "not-exported"


class ExporterEnded(AwareError):
    """The process that exports is gone; it is started again."""

    code = "exporter-ended"
    status = 503

    def __init__(self) -> None:
        super().__init__("the process that exports spans ended")


class SpanQueue:
    """:meth:`put` from anywhere in the process; :meth:`run` as long as it lives."""

    def __init__(self, settings: TracingSettings, node: str, colony: str) -> None:
        begin = Begin(
            endpoint=settings.endpoint,
            headers_file=settings.headers_file,
            ca_file=settings.ca_file,
            node=node,
            colony=colony,
        )
        self._target = settings.endpoint
        self._process: PipedProcess[FromExporter] = PipedProcess(
            PROGRAM, begin, FromExporter, self._hear, ExporterEnded
        )
        self._waiting: deque[Span] = deque()
        self._some = asyncio.Event()
        self._answer: asyncio.Future[FromExporter | None] | None = None
        self._reason = ""
        self.exported = 0
        self.dropped: Counter[str] = Counter({FULL: 0, FAILED: 0})

    def put(self, spans: Sequence[Span]) -> None:
        """Queue them as far as there is room."""
        room = MOST - len(self._waiting)
        self._waiting.extend(spans[:room])
        self.dropped[FULL] += len(spans[room:])
        self._some.set()

    def mostly_free(self) -> bool:
        """Whether there is room even for what may be lost: less than a quarter is taken."""
        return len(self._waiting) < MOST // 4

    async def run(self) -> None:
        """Export until cancelled. Raises nothing else."""
        pause = FIRST_PAUSE_S
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(GATHER_S)
                while self._waiting:
                    batch = tuple(self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting))))
                    reason = await self._export(batch)
                    self._count(len(batch), reason)
                    if reason:
                        await asyncio.sleep(pause)
                        pause = min(2 * pause, LONGEST_PAUSE_S)
                    else:
                        pause = FIRST_PAUSE_S
                self._some.clear()
        finally:
            await self._process.close()

    def families(self) -> Iterable[Family]:
        """What became of spans."""
        yield gauge("aware_trace_spans_waiting", "Spans that wait to be exported.", len(self._waiting))
        yield counter("aware_trace_spans_exported_total", "Spans that a collector took.", self.exported)
        lost = [({"reason": reason}, float(count)) for reason, count in sorted(self.dropped.items())]
        yield Family("aware_trace_spans_dropped_total", "counter", "Spans that were lost, by reason.", lost)

    async def _export(self, batch: tuple[Span, ...]) -> str:
        """Have one batch exported; why it was not, if it was not."""
        self._answer = asyncio.get_running_loop().create_future()
        try:
            await self._process.start()
            self._process.say(Export(spans=batch))
            async with asyncio.timeout(ANSWER_S):
                said = await self._answer
        except (TimeoutError, AwareError, OSError) as error:
            await self._process.close()
            return str(error) or f"the exporter said nothing for {ANSWER_S:g} s"
        finally:
            self._answer = None
        if said is None:
            return "the process that exports spans ended"
        return said.reason if isinstance(said, NotExported) else ""

    def _count(self, spans: int, reason: str) -> None:
        if reason:
            self.dropped[FAILED] += spans
        else:
            self.exported += spans
        if reason and not self._reason:
            log.warning("spans do not reach %s and are lost: %s", self._target, reason)
        elif self._reason and not reason:
            log.info("spans reach %s again", self._target)
        self._reason = reason

    def _hear(self, said: FromExporter | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(said)


__all__ = ["Exported", "SpanQueue"]
