"""A simulated agent's way to the etcd in memory: a real :class:`store.protocol.Store`, over wires that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from aware_agent.colony.decoding import from_json
from aware_agent.colony.election import Handover
from aware_agent.store import ops
from aware_agent.store.errors import Compacted, LeaseGone, StoreError, StoreUnreachable
from aware_agent.store.memory.answers import Answers
from aware_agent.store.memory.history import inside
from aware_agent.store.model import Change, Grant, KeyValue, RangeResult, TxnResult, WatchBatch
from aware_agent.store.protocol import KeyRange, OnContact

if TYPE_CHECKING:
    from aware_agent.simulator.agent import Agent

T = TypeVar("T")
BATCHED = 0.2  # share of deliveries that come as one


class WireStore:
    """The store as agent ``agent`` reaches it. An answer that is lost is :class:`StoreUnreachable`, maybe applied."""

    closed = False

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._world = agent.world
        self._arrivals: list[asyncio.Event] = []  # one for each watch
        self._relists = 0

    async def get(self, key: bytes, *, revision: int = 0, serializable: bool = False) -> KeyValue | None:
        """See the protocol."""
        del serializable
        found = (await self.ask(lambda: self._world.etcd.range(key, revision=revision))).kvs
        return found[0] if found else None

    async def range(
        self, start: bytes, end: bytes, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> RangeResult:
        """See the protocol."""
        options: dict[str, Any] = {"revision": revision, "limit": limit, "keys_only": keys_only}
        return await self.ask(lambda: self._world.etcd.range(start, end, **options))

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> int:
        """See the protocol."""
        return (await self.txn([], [ops.put(key, value, lease)])).revision

    async def delete(self, key: bytes) -> int:
        """See the protocol."""
        return 1 if (await self.txn([], [ops.get(key), ops.delete(key)])).first() else 0

    async def txn(
        self, compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult:
        """See the protocol."""
        return await self.ask(lambda: self._apply(compares, success, failure))

    async def grant(self, ttl: int) -> Grant:
        """See the protocol."""
        return await self.ask(lambda: self._world.etcd.grant(ttl))

    async def revoke(self, lease: int, *, deadline_s: float | None = None) -> None:
        """See the protocol."""
        del deadline_s
        try:
            await self.ask(lambda: self._world.etcd.revoke(lease))
        except LeaseGone:
            return

    async def compact(self, revision: int) -> None:
        """See the protocol."""
        await self.ask(lambda: self._world.etcd.compact(revision))

    def keepalives(self) -> WireKeepAlives:
        """See the protocol."""
        return WireKeepAlives(self._agent)

    async def watch(
        self, ranges: Sequence[KeyRange], revision: int = 0, *, on_contact: OnContact | None = None
    ) -> AsyncGenerator[WatchBatch, None]:
        """See the protocol. What was committed comes after the delay of the wire, now and then as one batch."""
        del on_contact  # nobody asks how stale the copy is
        etcd = self._world.etcd
        coming = revision or etcd.revision + 1
        arrived, relists = asyncio.Event(), self._relists
        self._arrivals.append(arrived)
        self._world.deliver_later(self._agent)
        try:
            while True:
                await arrived.wait()
                arrived.clear()
                if relists != self._relists:
                    raise Compacted(etcd.revision)
                news = etcd.history.since(coming)
                if not news:
                    continue
                coming = news[-1][0] + 1
                if self._world.random.random() < BATCHED:
                    news = [(news[-1][0], tuple(change for _, changes in news for change in changes))]
                for at, changes in news:
                    for batch in _batches(at, changes, ranges):
                        yield batch
        finally:
            self._arrivals.remove(arrived)

    def arrived(self) -> None:
        """The wire brought what was committed up to now."""
        if self._agent.relist:
            self._agent.relist = False
            self._relists += 1
        for arrived in self._arrivals:
            arrived.set()

    def _apply(
        self, compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op]
    ) -> TxnResult:
        """At the store; the checker sees what is tried and what came of it."""
        world = self._world
        queen = world.keys.queen
        if compares and compares[0] == ops.absent(queen):
            world.checker.campaigned()
        with world.checker.deposing(ops.delete(queen) in success and ops.Delete in map(type, success[1:])):
            result = world.etcd.txn(compares, success, failure)
        for op in success:
            if isinstance(op, ops.Put) and op.key.startswith(world.log_prefix):
                world.checker.wrote(self._agent, from_json(op.value, int), result.succeeded)
            if isinstance(op, ops.Put) and op.key == world.keys.handover and result.succeeded:
                world.checker.handed_over(from_json(op.value, Handover).to)
        return result

    async def ask(self, operation: Callable[[], T]) -> T:
        """Have etcd do something when the request arrives. Raises StoreUnreachable without an answer."""
        answer: asyncio.Future[tuple[T] | StoreError | None] = asyncio.get_running_loop().create_future()

        def replied(result: tuple[T] | StoreError | None) -> None:
            if not answer.done():
                answer.set_result(result)

        self._world.call(self._agent, _outcome(operation), replied)
        result = await answer
        if result is None:
            raise StoreUnreachable("etcd does not answer", maybe_applied=True)
        if isinstance(result, StoreError):
            raise result
        return result[0]


class WireKeepAlives(Answers):
    """Implements :class:`store.protocol.KeepAlives`. After one lost answer nothing comes any more, as on a dead TCP."""

    endpoint = "etcd"

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self._agent = agent
        self._mute = False

    async def __aenter__(self) -> WireKeepAlives:
        """Itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still comes, nobody hears."""
        self._mute = True

    async def send(self, lease: int) -> None:
        """See the protocol."""
        self._check()
        world = self._agent.world

        def replied(result: tuple[int] | StoreError | None) -> None:
            self._mute = self._mute or not isinstance(result, tuple)
            if isinstance(result, tuple) and not self._mute:
                self._answers.put_nowait((lease, result[0]))

        world.call(self._agent, _outcome(lambda: world.etcd.keep(lease)), replied)


def _outcome(operation: Callable[[], T]) -> Callable[[], tuple[T] | StoreError]:
    """What etcd sends back: a result, or that it said no."""

    def run() -> tuple[T] | StoreError:
        try:
            return (operation(),)
        except StoreError as error:
            return error

    return run


def _batches(revision: int, changes: tuple[Change, ...], ranges: Sequence[KeyRange]) -> list[WatchBatch]:
    batches = []
    for index, (start, end) in enumerate(ranges):
        events = tuple(change for change in changes if inside(change.kv.key, start, end))
        if events:
            batches.append(WatchBatch(revision=revision, events=events, index=index))
    return batches
