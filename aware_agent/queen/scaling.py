"""Castes that scale: how many nodes each wants, from what nodes tell and what is posted, into what castes are made of.

What is decided lies in ``elastic`` and changes seldom. What the next decision needs to know of the past lies in
``elastic-memory``, written once a minute and with each change, so that a queen that follows forgets a minute at most.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import msgspec

from aware_agent.colony.elastic import ELASTIC, MEMORY, ElasticRecord, missing_servers, on_the_way_out, wanted
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.load import Load
from aware_agent.colony.node import Record, Status
from aware_agent.colony.plan import nodes
from aware_agent.colony.scale import Bounds, Scale, bounds
from aware_agent.colony.scaling import Effect, Inputs, Memory, Posted, Serving, State, begun, decide, needs
from aware_agent.colony.spec import Spec
from aware_agent.queen.demand import DEMAND
from aware_agent.queen.loop import Loop
from aware_agent.queen.writer import FencedWriter
from aware_agent.store import ops

log = logging.getLogger(__name__)

ACTOR = "colony"
LOOK_S = 5.0
KEEP_S = 60.0  # what is remembered is written so often
_KINDS = {"blind": Severity.WARNING, "seeing": Severity.INFO, "scaled": Severity.NOTICE}


class ScalingDuty:
    """For one reign. ``loads``: what is known now, by node id; ``wall`` shows Unix time."""

    def __init__(
        self,
        writer: FencedWriter,
        loads: Callable[[], Mapping[str, Load]],
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._writer, self._loads, self._wall = writer, loads, wall
        self._memories: dict[str, Memory] | None = None  # None: as etcd has it
        self._kept_at = 0.0
        self._unknown_zones: set[str] = set()
        self._looked_for: object = None
        self._loop = Loop("scaling", self.once, retry_s=LOOK_S, broken_s=30.0, least_s=1.0)

    def refresh(self) -> None:
        """Something changed: look again if it is what is wanted; for all else it looks often enough."""
        if self._writer.reader.data().spec != self._looked_for:
            self._loop.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def once(self) -> float | None:
        """One look. Returns the seconds until the next; None when no caste scales."""
        spec, record = self._writer.reader.data().spec, self._writer.reader.elastic()
        self._looked_for = spec
        if spec is None or not (_scales(spec) or record.castes or self._posted()):
            return None
        async with self._writer.writing():
            try:
                await self._look(spec)
            except BaseException:
                self._memories = None  # whether it was written is not known
                raise
        return LOOK_S

    async def _look(self, spec: Spec) -> None:
        now, before = self._wall(), self._writer.reader.elastic()
        memories = self._memories
        if memories is None:
            memories = self._writer.reader.one(MEMORY, dict[str, Memory]) or {}
        records = self._writer.reader.records()
        states: dict[str, State] = {}
        lines: list[EventDraft] = []
        for name, scale in _scales(spec).items():
            chosen, memory = before.castes.get(name), memories.get(name)
            state = begun(spec.castes[name].count, now)
            state = State(chosen or state.elastic, memory or state.memory)
            state, effects = self._decided(name, scale, state, records, now)
            states[name] = self._with_leaving(name, spec, state, now)
            lines += [_line(name, effect) for effect in effects]
        castes = {name: state.elastic for name, state in states.items()}
        missing = missing_servers(spec, castes, records) if castes else 0
        if missing > before.missing_servers or (castes and missing == 0 < before.missing_servers):
            lines.append(_missing(spec.colony, missing))
        after = ElasticRecord(term=before.term, castes=castes, missing_servers=missing)
        await self._write(before, after, {name: state.memory for name, state in states.items()}, lines, now)

    def _decided(
        self, name: str, scale: Scale, state: State, records: Mapping[str, Record], now: float
    ) -> tuple[State, tuple[Effect, ...]]:
        loads, members = self._loads(), self._writer.reader.data().castes.get(name, ())
        serving = []
        for node in members:
            record = records.get(node)
            if record is not None and record.status is Status.READY:
                vcpus = record.report.capabilities.vcpus if record.report else 0
                serving.append(Serving(vcpus, loads.get(node)))
        posted = self._writer.reader.one(f"{DEMAND}{name}", Posted)
        inputs = Inputs(scale, self._bounds(name, scale, now), needs(scale, serving, posted, now))
        return decide(state, inputs, now)

    def _bounds(self, name: str, scale: Scale, now: float) -> Bounds:
        """Of now. A zone that only another member knows leaves those that hold outside of the schedule."""
        try:
            found = bounds(scale, now)
        except InvalidInput as error:
            if name not in self._unknown_zones:
                log.warning("caste %s has no schedule here: %s", name, error)
            self._unknown_zones.add(name)
            return Bounds(scale.min, scale.max)
        self._unknown_zones.discard(name)
        return found

    def _with_leaving(self, name: str, spec: Spec, state: State, now: float) -> State:
        members, scale = self._writer.reader.data().castes.get(name, ()), spec.castes[name].scale
        count = wanted(spec, {name: state.elastic}, name)
        going = on_the_way_out(
            members,
            count,
            state.elastic.leaving,
            self._writer.reader.records(),
            drain_s=scale.in_.drain_s if scale else 0.0,
            now=now,
        )
        return State(msgspec.structs.replace(state.elastic, leaving=going), state.memory)

    async def _write(
        self,
        before: ElasticRecord,
        after: ElasticRecord,
        memories: dict[str, Memory],
        lines: list[EventDraft],
        now: float,
    ) -> None:
        changes = []
        if after != before or (after.castes and not before.term):  # no term: what was written could not be read
            after = msgspec.structs.replace(after, term=self._writer.term)
            changes.append(ops.put(self._writer.key(ELASTIC), msgspec.json.encode(after)))
        if changes or lines or abs(now - self._kept_at) >= KEEP_S:
            changes.append(ops.put(self._writer.key(MEMORY), msgspec.json.encode(memories)))
        changes += [ops.delete(self._writer.key("demand", name)) for name in self._posted() - _demanded(self._spec())]
        if not changes:
            self._memories = memories
            return
        guards = [self._writer.guard(self._writer.key(name)) for name in (ELASTIC, MEMORY)]
        await self._writer.commit(changes, lines, ACTOR, guards)
        self._memories, self._kept_at = memories, now
        for line in lines:
            log.info("%s", line.message)

    def _posted(self) -> set[str]:
        return set(self._writer.reader.many(DEMAND, Posted))

    def _spec(self) -> Spec | None:
        return self._writer.reader.data().spec


def _scales(spec: Spec) -> dict[str, Scale]:
    return {name: caste.scale for name, caste in spec.castes.items() if caste.scale is not None}


def _demanded(spec: Spec | None) -> set[str]:
    return {name for name, scale in _scales(spec).items() if scale.demand is not None} if spec else set()


def _line(name: str, effect: Effect) -> EventDraft:
    payload = {"before": effect.before, "after": effect.after} if effect.kind == "scaled" else {}
    return EventDraft(f"caste.{effect.kind}", name, f"caste {name}: {effect.message}", _KINDS[effect.kind], payload)


def _missing(colony: str, missing: int) -> EventDraft:
    if not missing:
        return EventDraft("servers.missing", colony, "no server is missing any more", payload={"missing": 0})
    said = f"{nodes(missing)} missing for what castes want: servers have to be made"
    return EventDraft("servers.missing", colony, said, Severity.WARNING, {"missing": missing})
