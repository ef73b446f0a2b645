"""Carries out accepted orders, for one reign. What an earlier queen left open is taken up again.

Scaling is one transaction with the order's last state, so it happens once whoever dies when. Waiting and verifying
change nothing and may be repeated. Both kinds have a lane of their own: scaling never waits for a playbook.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from aware_agent.colony.errors import AwareError, Conflict, Deposed
from aware_agent.colony.event import Severity
from aware_agent.colony.hook import HookRecord, HookState, Operation, scaled
from aware_agent.colony.node import Status
from aware_agent.colony.view import ColonyView
from aware_agent.queen.hooks import describe
from aware_agent.queen.loop import Loop
from aware_agent.queen.overview import HOOKS
from aware_agent.queen.runner import Outcome
from aware_agent.queen.wishes import spec_change
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.store import ops
from aware_agent.store.errors import StoreError

log = logging.getLogger(__name__)

RETRY_S, BROKEN_S = 0.5, 60.0
LOOK_S = 0.5  # how often a join looks for its nodes
JOIN_S = 900.0  # from the order on, whoever reigns meanwhile
MAX_MESSAGE = 500


class Playbooks(Protocol):
    """Runs the playbook of an operation; :class:`aware_agent.queen.runner.PlaybookRunner` is one."""

    async def run(self, operation: Operation, view: ColonyView) -> Outcome: ...


class HookWorker:
    """Two lanes, each one order at a time, oldest first."""

    def __init__(self, writer: FencedWriter, playbooks: Playbooks) -> None:
        self._writer = writer
        self._playbooks = playbooks
        self._lanes = (
            self._lane("scaling", lambda operation: operation is Operation.SCALE, self._scale),
            self._lane("orders", lambda operation: operation is not Operation.SCALE, self._play),
        )

    def refresh(self) -> None:
        """An order was accepted."""
        for lane in self._lanes:
            lane.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        lanes = [asyncio.ensure_future(lane.run()) for lane in self._lanes]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    def _lane(
        self, what: str, mine: Callable[[Operation], bool], work: Callable[[HookRecord], Awaitable[None]]
    ) -> Loop:
        async def once() -> float | None:
            waiting = [r for r in self._writer.reader.many(HOOKS, HookRecord).values() if r.open]
            record = min((r for r in waiting if mine(r.order.operation)), key=lambda r: r.id, default=None)
            if record is None:
                return None
            await self._carry_out(record, work)
            return 0.0

        return Loop(what, once, retry_s=RETRY_S, broken_s=BROKEN_S)

    async def _carry_out(self, record: HookRecord, work: Callable[[HookRecord], Awaitable[None]]) -> None:
        """Run ``work``. An order that breaks it fails, so that it is not tried for ever."""
        try:
            await work(record)
        except (Conflict, StoreError, Deposed):
            raise
        except AwareError as error:
            await self._finish(record.id, Outcome(ok=False, message=str(error)))
        except Exception:
            log.exception("order %s broke", record.id)
            await self._finish(record.id, Outcome(ok=False, message="this is a bug; the queen's log says more"))

    async def _scale(self, record: HookRecord) -> None:
        """Change the spec and close the order in one transaction."""
        async with self._writer.writing():
            data = self._writer.reader.data()
            if data.spec is None:
                raise Conflict("the colony has no spec yet")
            try:
                after = scaled(data.spec, record.order)
            except AwareError as error:  # it was possible when it was accepted
                await self._close(record.id, Outcome(ok=False, message=str(error)))
                return
            message = f"size {data.spec.size} became {after.size}"
            said = f"{message}: {describe(record.order)}"
            changes, line, guard = spec_change(self._writer, after, record.actor, said)
            await self._close(record.id, Outcome(ok=True, message=message), (changes, [line], [guard]))

    async def _play(self, record: HookRecord) -> None:
        """Wait if the order says so, then run the operation's playbook."""
        async with self._writer.writing():
            await self._put(record, HookState.RUNNING, "")
        if record.order.operation is Operation.JOIN:
            await self._wait_for_nodes(record.created_at + JOIN_S)
        outcome = await self._playbooks.run(record.order.operation, self._writer.reader.view())
        await self._finish(record.id, outcome)

    async def _wait_for_nodes(self, until: float) -> None:
        """Return when as many nodes are ready as the spec wants. Raises AwareError after ``until`` (Unix seconds)."""
        while True:
            data = self._writer.reader.data()
            wanted = data.spec.size if data.spec else 0
            ready = sum(node.status is Status.READY for node in self._writer.reader.view().nodes)
            if ready >= wanted:
                return
            if time.time() >= until:
                raise AwareError(
                    f"only {ready} of {wanted} nodes are ready", hint="look at the consoles of those that are missing"
                )
            await asyncio.sleep(LOOK_S)

    async def _finish(self, hook_id: str, outcome: Outcome) -> None:
        async with self._writer.writing():
            await self._close(hook_id, outcome)

    async def _close(
        self,
        hook_id: str,
        outcome: Outcome,
        more: tuple[list[ops.Op], list[EventDraft], list[ops.Compare]] = ([], [], []),
    ) -> None:
        """Last state and event. Call it inside ``writing()``; an order closed meanwhile stays as it is."""
        record = self._writer.reader.many(HOOKS, HookRecord).get(hook_id)
        if record is None or not record.open:
            return
        state = HookState.DONE if outcome.ok else HookState.FAILED
        severity = Severity.INFO if outcome.ok else Severity.ERROR
        line = EventDraft(
            f"hook.{state}", hook_id, f"{describe(record.order)}: {outcome.message}"[:MAX_MESSAGE], severity
        )
        await self._put(record, state, outcome.message[:MAX_MESSAGE], (more[0], [*more[1], line], more[2]))

    async def _put(
        self,
        record: HookRecord,
        state: HookState,
        message: str,
        more: tuple[list[ops.Op], list[EventDraft], list[ops.Compare]] = ([], [], []),
    ) -> None:
        key = self._writer.key("hooks", record.id)
        stored = self._writer.projection.get(key)
        if stored is None:
            raise Conflict(f"order {record.id} is gone")
        after = msgspec.structs.replace(
            record, state=state, term=self._writer.term, message=message, changed_at=time.time()
        )
        changes, lines, guards = more
        await self._writer.commit(
            [ops.put(key, msgspec.json.encode(after)), *changes],
            lines,
            record.actor,
            [ops.modified(key, stored.mod_revision), *guards],
        )
