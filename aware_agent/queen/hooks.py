"""Orders through hooks: each becomes a job, by one fenced transaction before anything is done.

Accepting queues the job, spends the signed URL (``hook-nonces/<nonce>``, on a lease that outlives the URL) and tells of
it, all or nothing. So a repeated URL is refused by every later queen too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from aware_agent.colony.errors import AwareError
from aware_agent.colony.event import Severity
from aware_agent.colony.hook import Order, check_order
from aware_agent.colony.jobs import Job
from aware_agent.colony.quota import require_room
from aware_agent.queen.commands import JobAccepted
from aware_agent.queen.jobs.book import JobBook, describe
from aware_agent.queen.jobs.builtin import parameters_of
from aware_agent.queen.rehearsal import about_to
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.security.signed_url import Permit
from aware_agent.store import ops
from aware_agent.store.protocol import Store

MAX_SPENT = 5000  # signed URLs that were used and have not ended
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
    """Takes orders and signs for them."""

    def __init__(self, writer: FencedWriter, client: Store, book: JobBook, refresh: Callable[[], None]) -> None:
        self._writer = writer
        self._client = client
        self._book = book
        self._refresh = refresh

    async def accept_hook(self, order: Order, *, actor: str, permit: Permit | None) -> JobAccepted:
        """Take an order as a job. What cannot succeed is refused here and costs no use of a signed URL.

        Raises Replayed, InvalidInput, Conflict, RunnerMissing, Unconfined.
        """
        check_order(order)
        async with self._writer.writing():
            given_before = self._given_before(order, permit)
            if given_before:
                return JobAccepted(given_before.id, new=False)
            operation = self._book.operation(order.operation)
            parameters = self._book.check(operation, parameters_of(order), ())
            draft = self._book.draft(operation, parameters, actor=actor, reference=order.reference)
            about_to(draft.line.message)
            changes, guards = list(draft.ops), list(draft.guards)
            if permit is not None:
                spent = await self._spend(permit, order.reference, draft.job.id, time.time())
                changes.append(spent.op)
                guards.append(spent.guard)
            accepted = JobAccepted(draft.job.id, new=True)
            await self._writer.commit(changes, [draft.line], actor, guards, answer=accepted)
        self._refresh()
        return accepted

    async def record_signed(self, permit: Permit, *, actor: str) -> Permit:
        """Put on record that a URL is signed, and say which permit; the URL itself is kept nowhere."""
        order = permit.order
        check_order(order)
        said = describe(self._book.operation(order.operation), parameters_of(order))
        times = "once" if permit.uses == 1 else f"{permit.uses} times"
        line = EventDraft(
            "hook.signed",
            str(order.operation),
            f"{actor} signed a URL for {said}, to be used {times}",
            Severity.NOTICE,
            {"expires_at": permit.expires_at},
        )
        async with self._writer.writing():
            await self._writer.commit([], [line], actor, answer=permit)
        return permit

    def _given_before(self, order: Order, permit: Permit | None) -> Job | None:
        """What this caller gave before under this URL. Raises :class:`Replayed` when the URL is used up."""
        if permit is None:
            return None
        spent = self._writer.reader.vital(f"hook-nonces/{permit.nonce}", dict[str, str]) or {}
        again = [job_id for job_id, reference in spent.items() if reference and reference == order.reference]
        job = self._book.all().get(again[0]) if again else None
        if job is not None and permit.uses > 1:
            return job
        if again or len(spent) >= permit.uses:
            raise Replayed("this signed URL was used already", hint="make a new one: aware hooks sign")
        return None

    async def _spend(self, permit: Permit, reference: str, job_id: str, now: float) -> _Spent:
        """One more use. The nonce's key lives on a lease until nobody can take the URL for valid any more."""
        key = self._writer.key("hook-nonces", permit.nonce)
        stored = self._writer.projection.get(key)
        if stored is None:
            there = sum(1 for _ in self._writer.projection.items(self._writer.key("hook-nonces", "")))
            require_room("used signed URLs", there, MAX_SPENT, "they are forgotten an hour after they ended")
            lease = (await self._client.grant(int(permit.expires_at - now) + CLOCK_MARGIN_S)).id
            return _Spent(ops.put(key, msgspec.json.encode({job_id: reference}), lease=lease), ops.absent(key))
        before = self._writer.reader.vital(f"hook-nonces/{permit.nonce}", dict[str, str]) or {}
        spent = {**before, job_id: reference}
        op = ops.put(key, msgspec.json.encode(spent), lease=stored.lease)
        return _Spent(op, ops.modified(key, stored.mod_revision))
