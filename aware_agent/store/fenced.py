"""Writes that a deposed queen cannot make: every transaction compares the term."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from aware_agent.colony.errors import Conflict, Deposed
from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.model import OpResult


class FencedResult(Struct, frozen=True, kw_only=True):
    """A committed write: its revision and one response per operation."""

    revision: int
    responses: tuple[OpResult, ...] = ()


class FencedWriter:
    """Writes under one term: the create revision of the queen key at the time the crown was won."""

    def __init__(self, client: EtcdClient, queen_key: bytes, term: int) -> None:
        self._client = client
        self._queen_key = queen_key
        self.term = term

    async def commit(self, operations: Sequence[ops.Op], *, compares: Sequence[ops.Compare] = ()) -> FencedResult:
        """Applies all operations, or none.

        :raises Deposed: another term runs, or none; :raises Conflict: the term holds, a compare does not.
        :raises StoreUnreachable: with ``maybe_applied`` when the outcome is unknown; read before you repeat.
        """
        fence = ops.created(self._queen_key, self.term)
        result = await self._client.txn([fence, *compares], operations, [ops.get(self._queen_key)])
        if result.succeeded:
            return FencedResult(revision=result.revision, responses=result.responses)
        queen = result.first()
        if queen is None or queen.create_revision != self.term:
            raise Deposed(self.term)
        raise Conflict("it was changed meanwhile", hint="read it again and repeat")
