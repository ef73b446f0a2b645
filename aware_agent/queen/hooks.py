"""Orders through hooks: accepted by one fenced transaction before anything is done, then remembered until they are old.

Accepting writes ``hooks/<id>``, spends the signed URL (``hook-nonces/<nonce>``, on a lease that outlives the URL) and
tells of it, all or nothing. So a repeated URL is refused by every later queen too, and what was accepted is carried
out by whoever reigns: see :mod:`aware_agent.queen.hook_worker`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from aware_agent.colony.errors import AwareError, Conflict
from aware_agent.colony.event import Severity
from aware_agent.colony.hook import HookRecord, HookState, Operation, Order, check_order, scaled
from aware_agent.colony.ids import ulid
from aware_agent.colony.quota import require_room
from aware_agent.queen import overview
from aware_agent.queen.commands import Accepted
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.security.signed_url import Permit
from aware_agent.store import ops
from aware_agent.store.protocol import Store

MAX_OPEN = 16  # orders that wait or run
MAX_SPENT = 5000  # signed URLs that were used and have not ended
KEEP = 200  # finished orders that are remembered
FORGET_AT_ONCE = 20  # bounds one transaction
CLOCK_MARGIN_S = 3600  # a later queen's clock may be behind; the nonce is remembered that much longer


class Replayed(AwareError):
    """This signed URL was used as often as it may be; nothing was changed."""

    code = "replayed"
    exit_code = 5
    status = 409


class _Spent(NamedTuple):
    """What a use of a signed URL writes, guarded."""

    op: ops.Op
    guard: ops.Compare


class HookCommands:
    """Reads and writes of orders. ``require_runner`` raises for an operation this node cannot carry out."""

    def __init__(
        self,
        writer: FencedWriter,
        client: Store,
        require_runner: Callable[[Operation], None],
        refresh: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._client = client
        self._require_runner = require_runner
        self._refresh = refresh

    async def accept_hook(self, order: Order, *, actor: str, permit: Permit | None) -> Accepted:
        """Take an order. What cannot succeed is refused here and costs no use of a signed URL.

        Raises Replayed, InvalidInput, Conflict and what ``require_runner`` does.
        """
        check_order(order)
        async with self._writer.writing():
            given_before = self._given_before(order, permit)
            if given_before:
                return Accepted(given_before, new=False)
            self._check_possible(order)
            now = time.time()
            record = HookRecord(
                id=ulid(now, os.urandom(10)),
                order=order,
                state=HookState.ACCEPTED,
                term=self._writer.term,
                actor=actor,
                created_at=now,
                changed_at=now,
            )
            key = self._writer.key("hooks", record.id)
            changes, guards = [ops.put(key, msgspec.json.encode(record)), *self._forget()], [ops.absent(key)]
            if permit is not None:
                spent = await self._spend(permit, order.reference, record.id, now)
                changes.append(spent.op)
                guards.append(spent.guard)
            accepted = Accepted(record, new=True)
            await self._writer.commit(changes, [_accepted(record)], actor, guards, answer=accepted)
        self._refresh()
        return accepted

    async def record_signed(self, permit: Permit, *, actor: str) -> Permit:
        """Put on record that a URL is signed, and say which permit; the URL itself is kept nowhere."""
        order = permit.order
        check_order(order)
        times = "once" if permit.uses == 1 else f"{permit.uses} times"
        line = EventDraft(
            "hook.signed",
            str(order.operation),
            f"{actor} signed a URL for {describe(order)}, to be used {times}",
            Severity.NOTICE,
            {"expires_at": permit.expires_at},
        )
        async with self._writer.writing():
            await self._writer.commit([], [line], actor, answer=permit)
        return permit

    def _given_before(self, order: Order, permit: Permit | None) -> HookRecord | None:
        """What this caller gave before under this URL. Raises :class:`Replayed` when the URL is used up."""
        if permit is None:
            return None
        spent = self._writer.reader.vital(f"hook-nonces/{permit.nonce}", dict[str, str]) or {}
        again = [hook_id for hook_id, reference in spent.items() if reference and reference == order.reference]
        record = self._writer.reader.many(overview.HOOKS, HookRecord).get(again[0]) if again else None
        if record is not None and permit.uses > 1:
            return record
        if again or len(spent) >= permit.uses:
            raise Replayed("this signed URL was used already", hint="make a new one: aware hooks sign")
        return None

    def _check_possible(self, order: Order) -> None:
        self._require_runner(order.operation)
        if sum(record.open for record in overview.hooks(self._writer.reader)) >= MAX_OPEN:
            raise Conflict(f"{MAX_OPEN} orders wait already", hint="wait until some are done: aware hooks list")
        spec = self._writer.reader.data().spec
        if spec is None:
            raise Conflict("the colony has no spec yet", hint="aware spec apply FILE")
        if order.operation is Operation.SCALE:
            scaled(spec, order)

    async def _spend(self, permit: Permit, reference: str, hook_id: str, now: float) -> _Spent:
        """One more use. The nonce's key lives on a lease until nobody can take the URL for valid any more."""
        key = self._writer.key("hook-nonces", permit.nonce)
        stored = self._writer.projection.get(key)
        if stored is None:
            there = sum(1 for _ in self._writer.projection.items(self._writer.key("hook-nonces", "")))
            require_room("used signed URLs", there, MAX_SPENT, "they are forgotten an hour after they ended")
            lease = (await self._client.grant(int(permit.expires_at - now) + CLOCK_MARGIN_S)).id
            return _Spent(ops.put(key, msgspec.json.encode({hook_id: reference}), lease=lease), ops.absent(key))
        before = self._writer.reader.vital(f"hook-nonces/{permit.nonce}", dict[str, str]) or {}
        spent = {**before, hook_id: reference}
        op = ops.put(key, msgspec.json.encode(spent), lease=stored.lease)
        return _Spent(op, ops.modified(key, stored.mod_revision))

    def _forget(self) -> list[ops.Op]:
        """Deletes of finished orders that are too many, the oldest first."""
        finished = [record for record in overview.hooks(self._writer.reader) if not record.open]
        surplus = finished[: max(0, len(finished) - KEEP + 1)][:FORGET_AT_ONCE]
        return [ops.delete(self._writer.key("hooks", record.id)) for record in surplus]


def describe(order: Order) -> str:
    """An order in a few words."""
    if order.operation is not Operation.SCALE:
        return str(order.operation)
    limit = f", to {order.max_size} at most" if order.max_size else ""
    return f"scale by {order.delta:+d}{f' in caste {order.caste}' if order.caste else ''}{limit}"


def _accepted(record: HookRecord) -> EventDraft:
    order = record.order
    reference = f" for {order.reference}" if order.reference else ""
    message = f"{record.actor} asked for {describe(order)}{reference}"
    return EventDraft("hook.accepted", record.id, message, payload=msgspec.to_builtins(order))
