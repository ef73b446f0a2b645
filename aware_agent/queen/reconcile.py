"""The queen's steady work: make records and castes agree with who is alive and what the spec wants."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from aware_agent.colony.castes import assign, moves
from aware_agent.colony.elastic import wanted_size
from aware_agent.colony.event import Severity
from aware_agent.colony.liveness import Verdict, judge
from aware_agent.colony.node import Status
from aware_agent.colony.spec import Policies
from aware_agent.queen.history import TRIMMED, History, Trimmed
from aware_agent.queen.loop import Loop
from aware_agent.queen.present import Present
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.store import ops

log = logging.getLogger(__name__)

T = TypeVar("T")

ACTOR = "colony"
CHUNK = 40  # verdicts in one transaction; etcd takes 128 operations by default
RETRY_S = 0.5
SWEEP_S = 600.0  # between two looks at Idempotency-Keys and sessions that are too old
FORMING_S = 15.0  # how long a new queen waits for others before she serves in a caste herself

_SEVERITY = {
    Status.READY: Severity.INFO,
    Status.LEFT: Severity.NOTICE,
    Status.SUSPECT: Severity.WARNING,
    Status.DEAD: Severity.ERROR,
    Status.AWAY: Severity.INFO,
}


class Reconciler:
    """Runs for one reign. :meth:`refresh` it whenever something changed. ``wall`` shows Unix time."""

    def __init__(
        self,
        writer: FencedWriter,
        history: History,
        me: str,
        present: Present,
        outdated: Callable[[float], list[ops.Op]],
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._outdated = outdated
        self._sweep_at = 0.0
        self._history = history
        self._me = me
        self._present = present
        # A bug here goes up: a queen who reigns and does nothing is worse than the next one.
        self._loop = Loop("reconcile", self.once, retry_s=RETRY_S, broken_s=None)
        self._wall, self._clock = wall, clock
        self._began = clock()
        self._reported: dict[bytes, int] = {}  # records that cannot be read, and the revision that was complained of

    def refresh(self) -> None:
        """Something changed: look again."""
        self._loop.refresh()

    async def run(self) -> None:
        """Reconcile until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def once(self) -> float | None:
        """One pass. Returns in how many seconds to look again though nothing changed, None for never."""
        policies = self._policies()
        # Asked before the pass: what it holds to be not yet due may be due when a slow etcd lets it end.
        settles_in, forming = self._present.settles_in(), self._forming()
        async with self._writer.writing():
            again_at = await self._liveness(policies)
            await self._twins()
            await self._absurd()
            await self._unreadable()
            short = await self._castes(forming)
            await self._trim(policies)
            await self._sweep()
        waits = [max(0.05, again_at - self._wall())] if again_at is not None else []
        if settles_in > 0:
            waits.append(settles_in)
        if short and forming:
            waits.append(FORMING_S)
        return min(waits, default=None)

    def _policies(self) -> Policies:
        spec = self._writer.reader.data().spec
        return spec.policies if spec else Policies()

    async def _liveness(self, policies: Policies) -> float | None:
        data = self._writer.reader.data()
        records = self._writer.reader.records()
        now = self._wall()
        judgement = judge(records, self._present.reports(), now, policies.dead_after_s, self._present.expected)
        for chunk in _chunks(judgement.verdicts, CHUNK):
            changes, lines, compares = [], [], []
            for verdict in chunk:
                key = self._writer.key("nodes", verdict.node)
                record = msgspec.structs.replace(
                    records[verdict.node],
                    status=verdict.status,
                    status_since=now if verdict.changed_status else records[verdict.node].status_since,
                    report=verdict.report,
                    away=verdict.away,
                    term=self._writer.term,
                )
                changes.append(ops.put(key, msgspec.json.encode(record)))
                compares.append(ops.modified(key, data.entries[verdict.node].revision))
                if verdict.changed_status or verdict.told:
                    lines.append(_line(verdict))
                    log.info(verdict.message)
            await self._writer.commit(changes, lines, ACTOR, compares)
        return judgement.again_at

    async def _twins(self) -> None:
        """The history tells of a disk that was copied; the copy itself is refused where it calls."""
        records = self._writer.reader.records()
        lines = [
            EventDraft("node.duplicate", node, _duplicate(records[node].name, source), Severity.WARNING)
            for node, source in self._present.twins().items()
            if node in records
        ]
        for chunk in _chunks(lines, CHUNK):
            await self._writer.commit([], chunk, ACTOR)

    async def _absurd(self) -> None:
        """A node that says impossible things of itself is broken, or somebody else's."""
        records = self._writer.reader.records()
        lines = [
            EventDraft(
                "node.load-refused", node, f"{records[node].name} tells a load that cannot be: {what}", Severity.WARNING
            )
            for node, what in self._present.absurd().items()
            if node in records
        ]
        for chunk in _chunks(lines, CHUNK):
            await self._writer.commit([], chunk, ACTOR)

    async def _unreadable(self) -> None:
        """A record that nobody can decode stands for a node that nobody sees: told once for each of its writes."""
        found = self._writer.reader.unreadable
        nodes = [node for node in self._writer.reader.unreadable_nodes() if self._is_news(node, found)]
        lines = [EventDraft("node.unreadable", node, _unreadable(node), Severity.ERROR) for node in nodes]
        for chunk in _chunks(lines, CHUNK):
            await self._writer.commit([], chunk, ACTOR)

    def _is_news(self, node: str, found: Mapping[bytes, int]) -> bool:
        key = self._writer.key("nodes", node)
        before, self._reported[key] = self._reported.get(key), found[key]
        return before != found[key]

    def _forming(self) -> bool:
        return self._clock() - self._began < FORMING_S

    async def _castes(self, forming: bool) -> bool:
        """Assign; returns whether a caste stays short. ``forming``: the queen waits for others to serve."""
        data = self._writer.reader.data()
        if data.spec is None:
            return False
        records = self._writer.reader.records()
        # Who is away does not come while she waits.
        alive = sum(record.status in (Status.READY, Status.AWAY) for record in records.values())
        spare_queen = forming and alive < wanted_size(data.spec, data.elastic)
        outcome = assign(data.spec, records, data.castes, self._me, spare_queen=spare_queen, elastic=data.elastic)
        if outcome.castes == {name: list(members) for name, members in data.castes.items()}:
            return bool(outcome.missing)
        told = {"castes": moves(data.castes, outcome.castes)}  # the first event tells all, however many follow
        first, *others = outcome.sentences[:CHUNK] or ("nobody changes castes, which are others now",)
        lines = [
            EventDraft("caste.assigned", data.colony, first, payload=told),
            *(EventDraft("caste.assigned", data.colony, sentence) for sentence in others),
        ]
        await self._writer.commit(
            [ops.put(self._writer.key("castes"), msgspec.json.encode(outcome.castes))], lines, ACTOR
        )
        for sentence in outcome.sentences:
            log.info(sentence)
        return bool(outcome.missing)

    async def _trim(self, policies: Policies) -> None:
        """Who reads meanwhile is told so before anything goes: the first transaction has the mark."""
        surplus = self._history.surplus(policies.keep_events)
        if surplus is None:
            return
        mark = ops.put(self._writer.key(TRIMMED), msgspec.json.encode(Trimmed(surplus.newest)))
        for chunk in _chunks(surplus.ranges, CHUNK):
            spans = [(self._writer.key("events", first), self._writer.key("events", last)) for first, last in chunk]
            changes = [ops.delete_range(first, last + b"\0") for first, last in spans]
            await self._writer.commit([mark, *changes], [], ACTOR)

    async def _sweep(self) -> None:
        """Forget Idempotency-Keys of yesterday, and sessions that are over, of whoever does not come back himself."""
        if self._clock() < self._sweep_at:
            return
        old = self._outdated(self._wall())
        if old:
            await self._writer.commit(old, [], ACTOR)
        else:
            self._sweep_at = self._clock() + SWEEP_S


def _line(verdict: Verdict) -> EventDraft:
    return EventDraft(f"node.{verdict.status}", verdict.node, verdict.message, _SEVERITY[verdict.status])


def _duplicate(name: str, source: str) -> str:
    return f"a second process with the identity of {name} called from {source} and was refused: was its disk copied?"


def _unreadable(node: str) -> str:
    return f"the record of node {node} cannot be read; it counts for nothing until it is removed: aware nodes remove"


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
