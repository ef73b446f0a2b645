"""Writes that a deposed queen cannot make: every transaction compares the term."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from aware_agent.colony.errors import Deposed
from aware_agent.store import ops
from aware_agent.store.errors import Changed
from aware_agent.store.model import KeyValue, OpResult, RangeResult
from aware_agent.store.protocol import Store


class FencedResult(Struct, frozen=True, kw_only=True):
    """A committed write: its revision and one response per operation."""

    revision: int
    responses: tuple[OpResult, ...] = ()


class FencedTransactions:
    """Writes under one term: the create revision of the queen key at the time the queen_record was won.

    Term 0 holds while nobody reigns.
    """

    def __init__(self, client: Store, queen_key: bytes, term: int) -> None:
        self._client = client
        self._queen_key = queen_key
        self.term = term

    async def confirm(self) -> None:
        """Reads whose term it is, of a majority. A full etcd refuses transactions, also those that write nothing.

        :raises Deposed: another term runs, or none; :raises StoreError:
        """
        queen = await self._client.get(self._queen_key)
        if (queen.create_revision if queen else 0) != self.term:
            raise Deposed(self.term)

    async def read(self, key: bytes) -> KeyValue | None:
        """``key``, of a majority, while the term holds. Raises as :meth:`commit`."""
        result = await self.commit([ops.get(key)])
        found = result.responses[0]
        assert isinstance(found, RangeResult)
        return found.kvs[0] if found.kvs else None

    async def commit(self, operations: Sequence[ops.Op], *, compares: Sequence[ops.Compare] = ()) -> FencedResult:
        """Applies all operations, or none.

        :raises Deposed: another term runs, or none; :raises Changed: the term holds, a compare does not.
        :raises StoreUnreachable: with ``maybe_applied`` when the outcome is unknown; read before you repeat.
        """
        keys = [compare.key for compare in compares]
        fence = ops.created(self._queen_key, self.term)
        result = await self._client.txn(
            [fence, *compares], operations, [ops.get(key) for key in (self._queen_key, *keys)]
        )
        if result.succeeded:
            return FencedResult(revision=result.revision, responses=result.responses)
        queen, *others = (result.first(number) for number in range(len(keys) + 1))
        if queen is None or queen.create_revision != self.term:
            raise Deposed(self.term)
        raise Changed([(key, kv.mod_revision if kv else 0) for key, kv in zip(keys, others, strict=True)])
