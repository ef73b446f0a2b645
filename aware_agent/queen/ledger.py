"""The one pen of the queen: every change is a fenced transaction together with the events that tell of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.errors import Conflict, Deposed
from aware_agent.colony.event import Event, Severity
from aware_agent.colony.ids import ulid
from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreUnreachable
from aware_agent.store.fenced import FencedWriter
from aware_agent.store.projection import Projection

CATCH_UP_S = 5.0  # how long a write waits to see itself in the projection


class Written(msgspec.Struct, frozen=True):
    """Outcome of a write: the revision it was written at (or read at, when nothing had to change)."""

    revision: int
    term: int
    changed: bool


class Line(msgspec.Struct, frozen=True):
    """An event to be, without what the ledger fills in."""

    type: str
    subject: str
    message: str
    severity: Severity = Severity.INFO
    payload: dict[str, Any] = {}


class Ledger:
    """Writes for one reign. After :meth:`close` every write raises :class:`Deposed` and nothing is sent."""

    def __init__(self, client: EtcdClient, reader: ColonyReader, term: int) -> None:
        self._writer = FencedWriter(client, reader.keys.queen, term)
        self._lock = asyncio.Lock()
        self._closed = False
        self.reader = reader
        self.term = term

    @property
    def projection(self) -> Projection:
        """Where the outcome of writes is read."""
        return self.reader.projection

    def close(self) -> None:
        """The reign is over."""
        self._closed = True

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Hold the pen: read, decide and commit without another write of this queen in between."""
        async with self._lock:
            if self._closed:
                raise Deposed(self.term)
            yield

    async def commit(
        self, changes: Sequence[ops.Op], lines: Sequence[Line], actor: str, compares: Sequence[ops.Compare] = ()
    ) -> Written:
        """Write ``changes`` and their events in one transaction and wait until the projection shows them.

        Call it inside :meth:`writing`. Raises Deposed, Conflict (``compares`` do not hold) and StoreError; after a
        StoreUnreachable with ``maybe_applied`` nobody knows, and the caller has to read before it writes again.
        """
        if self._closed:
            raise Deposed(self.term)
        history = [self._event(line, actor) for line in lines]
        result = await self._writer.commit([*changes, *history], compares=compares)
        if not await self.projection.wait_revision(result.revision, CATCH_UP_S):
            raise StoreUnreachable("the write was made, but etcd is too slow to show it", maybe_applied=True)
        return Written(result.revision, self.term, True)

    def unchanged(self) -> Written:
        """Everything is like that already."""
        return Written(self.reader.view().revision, self.term, False)

    def key(self, *parts: str) -> bytes:
        """A key of this colony."""
        return self.reader.keys.key(*parts)

    def _event(self, line: Line, actor: str) -> ops.Op:
        now = time.time()
        event = Event(
            id=ulid(now, os.urandom(10)),
            time=now,
            term=self.term,
            actor=actor,
            type=line.type,
            subject=line.subject,
            message=line.message,
            severity=line.severity,
            payload=line.payload,
        )
        return ops.put(self.key("events", event.id), msgspec.json.encode(event))


def require_revision(current: int, wanted: int | None) -> None:
    """Raise :class:`Conflict` unless the thing is still as it was read."""
    if wanted is not None and wanted != current:
        raise Conflict(f"it changed: you read revision {wanted}, now it is {current}", hint="read again and repeat")


__all__ = ["Ledger", "Line", "StoreUnreachable", "Written", "require_revision"]
