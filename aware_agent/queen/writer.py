"""The one way a queen writes: every change is a fenced transaction together with the events that tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from aware_agent import tracing
from aware_agent.agent.history import put_event
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.audit import Entry
from aware_agent.colony.errors import AwareError, Conflict, Deposed
from aware_agent.colony.event import EventDraft
from aware_agent.queen import rehearsal
from aware_agent.queen.audit import COLONY, AuditTrail, Seals
from aware_agent.queen.commands import Written
from aware_agent.queen.once import pending
from aware_agent.queen.standing_guard import take_guards
from aware_agent.store import ops
from aware_agent.store.errors import Changed, StoreUnreachable
from aware_agent.store.fenced import FencedTransactions
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue
from aware_agent.store.projection import Projection
from aware_agent.store.protocol import Store

CATCH_UP_S = 5.0  # how long a write waits to see itself in the projection
TRIES = 8  # of one command against somebody who writes the same all the time

P = ParamSpec("P")
T = TypeVar("T")


class Contended(AwareError):
    """Somebody else wrote the same again and again; nothing was changed."""

    code = "contended"
    exit_code = 5
    status = 503

    def __init__(self) -> None:
        super().__init__(f"somebody else wrote the same {TRIES} times meanwhile", hint="repeat it in a moment")
        self.retry_after = 1


class RevisionChanged(Conflict):
    """The value has another revision than the caller insists on: ``current``, 0 when there is none."""

    code = "revision-changed"

    def __init__(self, wanted: int, current: int) -> None:
        super().__init__(f"it changed: you read revision {wanted}, now it is {current}", hint="read again and repeat")
        self.current = current


class FencedWriter:
    """Writes for one reign. After :meth:`close` every write raises :class:`Deposed` and nothing is sent."""

    def __init__(self, client: Store, reader: ColonyReader, term: int, seals: Seals | None = None) -> None:
        self.trail = AuditTrail(reader.keys, reader.projection, term, seals)
        self._fenced = FencedTransactions(client, reader.keys.queen, term)
        self._lock = asyncio.Lock()
        self._closed = False
        self.last_written = 0  # revision of the newest write of this reign
        self.reader = reader
        self.term = term

    @property
    def projection(self) -> Projection:
        """Where the outcome of writes is read."""
        return self.reader.projection

    @property
    def keys(self) -> Keys:
        """Key names of the colony."""
        return self.reader.keys

    def close(self) -> None:
        """The reign is over."""
        self._closed = True

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Hold the write lock: read, decide and commit without another write of this queen in between."""
        async with self._lock:
            if self._closed:
                raise Deposed(self.term)
            yield

    async def commit(
        self,
        changes: Sequence[ops.Op],
        lines: Sequence[EventDraft],
        actor: str,
        compares: Sequence[ops.Compare] = (),
        *,
        answer: object | None = None,
        note: str = "",
    ) -> Written:
        """Write ``changes``, their events and their line of the audit log in one transaction, and wait until the
        projection shows them.

        ``answer``: what the command will answer where that is not this Written and the change makes it true; it is
        kept with the request's Idempotency-Key. ``note``: what the audit log tells where no event does. Call it inside
        :meth:`writing`. Raises Deposed, Changed (``compares`` do not hold) and StoreError; after a StoreUnreachable
        with ``maybe_applied`` nobody knows, and the caller has to read before it writes again.
        """
        if self._closed:
            raise Deposed(self.term)
        rehearsal.about_to(*(line.message for line in lines))
        run = pending()
        kept, absent = run.begin(answer) if run else ([], [])
        entries = self.trail.entries(lines, actor, note)
        changes = [*changes, *self._told(lines, actor), *kept]
        return await self._write(changes, [*compares, *absent, *take_guards()], entries)

    async def audit(self, entries: Sequence[Entry], changes: Sequence[ops.Op] = ()) -> Written:
        """Lines of the audit log about what changes nothing else, such as refusals. Raises what :meth:`commit` does."""
        async with self.writing():
            return await self._write(changes, [], entries)

    async def confirm(self) -> None:
        """Raise Deposed unless this reign goes on, and write nothing: before what etcd does outside of transactions."""
        if self._closed:
            raise Deposed(self.term)
        await self._fenced.confirm()

    async def read(self, key: bytes) -> KeyValue | None:
        """``key`` as etcd has it, in a transaction that needs this reign to go on. Raises Deposed, StoreError."""
        if self._closed:
            raise Deposed(self.term)
        return await self._fenced.read(key)

    async def remember(self, result: object) -> None:
        """Keep ``result`` for the Idempotency-Key of this command, when it has one and that is not written yet.

        Raises what :meth:`commit` does.
        """
        run = pending()
        kept, absent = run.end(result) if run else ([], [])
        if kept:
            async with self.writing():
                await self._write(kept, absent)

    def _told(self, lines: Sequence[EventDraft], actor: str) -> list[ops.Op]:
        return [put_event(self.reader.keys, line, term=self.term, actor=actor) for line in lines]

    async def _write(
        self, changes: Sequence[ops.Op], compares: Sequence[ops.Compare], entries: Sequence[Entry] = ()
    ) -> Written:
        with tracing.span("write") as span:
            written = await self._tried(changes, compares, entries)
            span.set("aware.revision", written.revision)
            if entries:
                span.set("aware.audit.line", self.trail.head.seq)
            return written

    async def _tried(
        self, changes: Sequence[ops.Op], compares: Sequence[ops.Compare], entries: Sequence[Entry]
    ) -> Written:
        for _ in range(TRIES):
            step = self.trail.step(entries)
            alarm = self._told(self.trail.alarm_event(), COLONY) if entries else []
            try:
                result = await self._fenced.commit(
                    [*changes, *step.changes, *alarm], compares=[*compares, *step.compares]
                )
            except Changed as changed:
                if not self.trail.refused(changed.seen):
                    raise
                await self.trail.recover(self.read)
                continue
            self.trail.wrote(step.head, result.revision)
            self.last_written = max(self.last_written, result.revision)
            if not await self.projection.wait_revision(result.revision, CATCH_UP_S):
                raise StoreUnreachable("the write was made, but etcd is too slow to show it", maybe_applied=True)
            return Written(result.revision, self.term, True)
        raise Contended

    def repeated(self, command: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """``command``, run again from its first read when somebody else's write came between its read and its write.

        Who stated no precondition is not told of a race that he could not know of. One who did (``if_revision``) is:
        the repeated command compares it with the new value. Raises :class:`Contended` after too many tries.
        """

        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            for _ in range(TRIES):
                try:
                    return await command(*args, **kwargs)
                except Changed as changed:
                    for key, revision in changed.seen:
                        await self.projection.wait_key(key, revision, CATCH_UP_S)
            raise Contended

        return run

    def guard(self, key: bytes) -> ops.Compare:
        """Holds while ``key`` is as the projection has it."""
        return ops.modified(key, self.revision(key))

    def revision(self, key: bytes) -> int:
        """Of the last write of ``key`` that the projection has; 0 while there is none."""
        stored = self.projection.get(key)
        return stored.mod_revision if stored else 0

    def unchanged(self, revision: int = 0) -> Written:
        """It is like that already, since ``revision``; 0 where nothing is kept that has one."""
        return Written(revision or self.projection.revision, self.term, False)

    def key(self, *parts: str) -> bytes:
        """A key of this colony."""
        return self.reader.keys.key(*parts)


def require_revision(current: int, wanted: int | None) -> None:
    """Raise :class:`RevisionChanged` unless the thing is still as it was read."""
    if wanted is not None and wanted != current:
        raise RevisionChanged(wanted, current)


__all__ = ["Contended", "EventDraft", "FencedWriter", "StoreUnreachable", "Written", "require_revision"]
