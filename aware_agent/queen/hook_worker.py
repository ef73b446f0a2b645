"""Carries out accepted orders, for one reign. What an earlier queen left open is taken up again.

Scaling is one transaction with the order's last state, so it happens once whoever dies when. Waiting and verifying
change nothing and may be repeated. Both kinds have a lane of their own: scaling never waits for a playbook.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from aware_agent.colony.errors import AwareError, Conflict, Deposed
from aware_agent.colony.event import Severity
from aware_agent.colony.hook import HookRecord, HookState, Operation, scaled
from aware_agent.colony.node import Status
from aware_agent.colony.view import ColonyView
from aware_agent.queen.hooks import PREFIX, describe
from aware_agent.queen.ledger import Ledger, Line
from aware_agent.queen.runner import Outcome
from aware_agent.store import ops
from aware_agent.store.errors import StoreError

log = logging.getLogger(__name__)

RETRY_S = 0.5
LOOK_S = 0.5  # how often a join looks for its nodes
JOIN_S = 900.0  # from the order on, whoever reigns meanwhile
MAX_MESSAGE = 500


class Playbooks(Protocol):
    """Runs the playbook of an operation; :class:`aware_agent.queen.runner.PlaybookRunner` is one."""

    async def run(self, operation: Operation, view: ColonyView) -> Outcome: ...


class HookWorker:
    """Two lanes, each one order at a time, oldest first."""

    def __init__(self, ledger: Ledger, playbooks: Playbooks) -> None:
        self._ledger = ledger
        self._playbooks = playbooks
        self._nudges = (asyncio.Event(), asyncio.Event())

    def nudge(self) -> None:
        """An order was accepted."""
        for event in self._nudges:
            event.set()

    async def run(self) -> None:
        """Work until cancelled; returns when deposed."""
        spec, play = self._nudges
        lanes = (
            asyncio.ensure_future(self._lane(spec, lambda operation: operation is Operation.SCALE, self._scale)),
            asyncio.ensure_future(self._lane(play, lambda operation: operation is not Operation.SCALE, self._play)),
        )
        try:
            await asyncio.gather(*lanes)
        except Deposed as error:
            log.info("orders wait for the next queen: %s", error.message)
        except Exception:
            log.exception("orders are not carried out any more in this reign")
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(
        self, nudged: asyncio.Event, mine: Callable[[Operation], bool], work: Callable[[HookRecord], Awaitable[None]]
    ) -> None:
        while True:
            nudged.clear()
            waiting = [r for r in self._ledger.reader.many(PREFIX, HookRecord).values() if r.open]
            record = min((r for r in waiting if mine(r.order.operation)), key=lambda r: r.id, default=None)
            if record is None:
                await nudged.wait()
                continue
            try:
                await self._carry_out(record, work)
            except (Conflict, StoreError) as error:
                log.warning("order %s: %s; trying again", record.id, error.message)
                with suppress(TimeoutError):
                    await asyncio.wait_for(nudged.wait(), RETRY_S)

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
        async with self._ledger.writing():
            data = self._ledger.reader.data()
            if data.spec is None:
                raise Conflict("the colony has no spec yet")
            key = self._ledger.key("spec")
            try:
                after = scaled(data.spec, record.order)
            except AwareError as error:  # it was possible when it was accepted
                await self._close(record.id, Outcome(ok=False, message=str(error)))
                return
            message = f"size {data.spec.size} became {after.size}"
            line = Line("spec.changed", after.colony, f"{message}: {describe(record.order)}", Severity.NOTICE)
            change = ops.put(key, msgspec.json.encode(after))
            guard = ops.modified(key, data.spec_revision)
            await self._close(record.id, Outcome(ok=True, message=message), ([change], [line], [guard]))

    async def _play(self, record: HookRecord) -> None:
        """Wait if the order says so, then run the operation's playbook."""
        async with self._ledger.writing():
            await self._put(record, HookState.RUNNING, "")
        if record.order.operation is Operation.JOIN:
            await self._wait_for_nodes(record.created_at + JOIN_S)
        outcome = await self._playbooks.run(record.order.operation, self._ledger.reader.view())
        await self._finish(record.id, outcome)

    async def _wait_for_nodes(self, until: float) -> None:
        """Return when as many nodes are ready as the spec wants. Raises AwareError after ``until`` (Unix seconds)."""
        while True:
            data = self._ledger.reader.data()
            wanted = data.spec.size if data.spec else 0
            ready = sum(node.status is Status.READY for node in self._ledger.reader.view().nodes)
            if ready >= wanted:
                return
            if time.time() >= until:
                raise AwareError(
                    f"only {ready} of {wanted} nodes are ready", hint="look at the consoles of those that are missing"
                )
            await asyncio.sleep(LOOK_S)

    async def _finish(self, hook_id: str, outcome: Outcome) -> None:
        async with self._ledger.writing():
            await self._close(hook_id, outcome)

    async def _close(
        self,
        hook_id: str,
        outcome: Outcome,
        more: tuple[list[ops.Op], list[Line], list[ops.Compare]] = ([], [], []),
    ) -> None:
        """Last state and event. Call it inside ``writing()``; an order closed meanwhile stays as it is."""
        record = self._ledger.reader.many(PREFIX, HookRecord).get(hook_id)
        if record is None or not record.open:
            return
        state = HookState.DONE if outcome.ok else HookState.FAILED
        severity = Severity.INFO if outcome.ok else Severity.ERROR
        line = Line(f"hook.{state}", hook_id, f"{describe(record.order)}: {outcome.message}"[:MAX_MESSAGE], severity)
        await self._put(record, state, outcome.message[:MAX_MESSAGE], (more[0], [*more[1], line], more[2]))

    async def _put(
        self,
        record: HookRecord,
        state: HookState,
        message: str,
        more: tuple[list[ops.Op], list[Line], list[ops.Compare]] = ([], [], []),
    ) -> None:
        key = self._ledger.key("hooks", record.id)
        stored = self._ledger.projection.get(key)
        if stored is None:
            raise Conflict(f"order {record.id} is gone")
        after = msgspec.structs.replace(
            record, state=state, term=self._ledger.term, message=message, changed_at=time.time()
        )
        changes, lines, guards = more
        await self._ledger.commit(
            [ops.put(key, msgspec.json.encode(after)), *changes],
            lines,
            record.actor,
            [ops.modified(key, stored.mod_revision), *guards],
        )
