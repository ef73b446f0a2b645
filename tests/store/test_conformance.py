"""The etcd in memory does what etcd does: the same operations against both, and every answer compared."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import aclosing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from store_support import WAIT_S, until

from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import Compacted, LeaseGone, StoreError
from aware_agent.store.keys import prefix_end
from aware_agent.store.memory import MemoryEtcd, MemoryStore
from aware_agent.store.model import Change, ChangeKind, KeyValue, RangeResult, TxnResult
from aware_agent.store.protocol import Store

pytestmark = pytest.mark.etcd

NAMES = (b"a", b"b", b"b\0", b"c")
ROOT = b"/conform/"
_serial = itertools.count()


# Operations, as values ------------------------------------------------------------------------------------------


class Read(Struct, frozen=True):
    """One key, or all from it up to ``end``; ``back`` revisions ago."""

    key: bytes
    end: bytes = b""
    back: int = 0
    limit: int = 0
    keys_only: bool = False


class Do(Struct, frozen=True):
    """A transaction. Leases in it are numbers of this run's grants, revisions count from the run's beginning."""

    compares: tuple[ops.Compare, ...] = ()
    success: tuple[ops.Op, ...] = ()
    failure: tuple[ops.Op, ...] = ()


class PutAlone(Struct, frozen=True):
    key: bytes
    value: bytes
    lease: int = 0


class DeleteAlone(Struct, frozen=True):
    key: bytes


class NewLease(Struct, frozen=True):
    ttl: int


class Keep(Struct, frozen=True):
    lease: int


class EndLease(Struct, frozen=True):
    lease: int


class Forget(Struct, frozen=True):
    """Compact; ``back`` revisions are kept."""

    back: int


Step = Read | Do | PutAlone | DeleteAlone | NewLease | Keep | EndLease | Forget


class Side:
    """One of the two stores, with what has to be translated for it."""

    def __init__(self, store: Store, prefix: bytes, base: int) -> None:
        self.store = store
        self.prefix = prefix
        self.base = base
        self.revision = base
        self.leases = [0]

    def lease(self, number: int) -> int:
        # A number beyond the grants is a lease that never was.
        return self.leases[number] if number < len(self.leases) else 7_777_777 + number

    def op(self, op: ops.Op) -> ops.Op:
        match op:
            case ops.Put(key, value, lease):
                return ops.Put(self.prefix + key, value, self.lease(lease))
            case ops.Delete(key, end):
                return ops.Delete(self.prefix + key, self.prefix + end if end else b"")
            case ops.Get(key):
                return ops.Get(self.prefix + key)

    def compare(self, compare: ops.Compare) -> ops.Compare:
        number = compare.number
        if compare.target in (ops.Target.CREATED, ops.Target.MODIFIED) and number:
            number += self.base
        if compare.target is ops.Target.LEASE:
            number = self.lease(number)
        return replace(compare, key=self.prefix + compare.key, number=number)

    def kv(self, kv: KeyValue) -> KeyValue:
        return replace(kv, lease=self.leases.index(kv.lease)) if kv.lease else kv

    def result(self, result: RangeResult) -> RangeResult:
        return replace(result, kvs=tuple(self.kv(kv) for kv in result.kvs))

    async def run(self, step: Step) -> object:
        """The answer, or the error."""
        try:
            return await self._run(step)
        except StoreError as error:
            # Which lease is gone etcd does not say.
            return type(error), "" if isinstance(error, LeaseGone) else error.message

    async def _run(self, step: Step) -> object:
        match step:
            case Read(key, end, back, limit, keys_only):
                # What was before the run, other runs may have compacted.
                revision = max(self.base, self.revision - back) if back else 0
                if not end:
                    found = await self.store.get(self.prefix + key, revision=revision)
                    return found and self.kv(found)
                span = (self.prefix + key, self.prefix + end)
                options = {"revision": revision, "limit": limit, "keys_only": keys_only}
                return self.result(await self.store.range(*span, **options))  # type: ignore[arg-type]
            case Do():
                return await self._txn(step)
            case PutAlone(key, value, lease):
                self.revision = await self.store.put(self.prefix + key, value, lease=self.lease(lease))
                return self.revision
            case DeleteAlone(key):
                return await self.store.delete(self.prefix + key), await self.now()
            case NewLease(ttl):
                grant = await self.store.grant(ttl)
                self.leases.append(grant.id)
                return grant.ttl
            case Keep(lease):
                return await self.keep(lease)
            case EndLease(lease):
                await self.store.revoke(self.lease(lease))
                return await self.now()
            case Forget(back):
                await self.store.compact(max(self.base + 1, await self.now() - back))
                return None

    async def keep(self, lease: int) -> int:
        async with self.store.keepalives() as stream, asyncio.timeout(WAIT_S):
            await stream.send(self.lease(lease))
            known, ttl = await stream.receive()
            assert known == self.lease(lease)
            return max(0, ttl)

    async def _txn(self, step: Do) -> TxnResult:
        result = await self.store.txn(
            [self.compare(one) for one in step.compares],
            [self.op(one) for one in step.success],
            [self.op(one) for one in step.failure],
        )
        self.revision = result.revision
        responses = tuple(self.result(r) if isinstance(r, RangeResult) else r for r in result.responses)
        return replace(result, responses=responses)

    async def now(self) -> int:
        self.revision = (await self.store.range(self.prefix, self.prefix + b"\xff")).revision
        return self.revision

    async def seen(self, since: int, ranges: list[tuple[bytes, bytes]]) -> list[tuple[int, Change]]:
        """What a watch of ``ranges`` shows from ``since`` on, each range for itself, up to now."""
        marks = [ops.put(self.prefix + (start + b"~" if end else start), b"end") for start, end in ranges]
        last = (await self.store.txn([], marks)).revision
        spans = [(self.prefix + start, self.prefix + end if end else b"") for start, end in ranges]
        found: list[tuple[int, Change]] = []
        missing = set(range(len(ranges)))  # each range arrives on its own
        async with asyncio.timeout(WAIT_S), aclosing(self.store.watch(spans, since)) as batches:
            async for batch in batches:
                found += [(batch.index, replace(c, kv=self.kv(c.kv))) for c in batch.events]
                if batch.events and batch.revision >= last:
                    missing.discard(batch.index)
                if not missing:
                    break
        return sorted(found, key=lambda item: item[0])


class Both:
    """Runs every step on both and insists that the answers are the same."""

    def __init__(self, real: Side, memory: Side) -> None:
        self.real = real
        self.memory = memory

    async def run(self, *steps: Step) -> object:
        answer: object = None
        for step in steps:
            answer, modelled = await self.real.run(step), await self.memory.run(step)
            assert modelled == answer, step
        return answer

    async def watch(self, since: int, ranges: list[tuple[bytes, bytes]]) -> list[tuple[int, Change]]:
        real, memory = await self.real.seen(since, ranges), await self.memory.seen(since, ranges)
        assert memory == real
        return real


class Rig:
    """One loop and one etcd for all cases."""

    def __init__(self, runner: asyncio.Runner, client: EtcdClient) -> None:
        self.runner = runner
        self.client = client

    async def both(self) -> Both:
        """An etcd in memory that stands where the real one stands now, and a prefix that is empty in both."""
        prefix = ROOT + b"%d/" % next(_serial)
        base = (await self.client.range(prefix, prefix_end(prefix))).revision
        real = Side(self.client, prefix, base)
        return Both(real, Side(MemoryStore(MemoryEtcd(base)), prefix, base))


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """An etcd of its own: nobody else may write meanwhile, because revisions are compared."""
    etcd = EmbeddedEtcd()
    with asyncio.Runner() as runner:
        runner.run(etcd.__aenter__())

        async def connect() -> EtcdClient:
            return EtcdClient(etcd.endpoints, deadline_s=WAIT_S)

        client = runner.run(connect())
        yield Rig(runner, client)
        runner.run(client.aclose())
    etcd.close()


# Any sequence ---------------------------------------------------------------------------------------------------

keys = st.sampled_from(NAMES)
ends = st.sampled_from((b"a\0", b"b\0", b"c", b"d"))
values = st.sampled_from((b"", b"1", b"2"))
leases = st.integers(0, 3)
revisions = st.integers(0, 12)
operations = st.one_of(
    st.builds(ops.Put, keys, values, leases),
    st.builds(ops.Delete, keys, st.one_of(st.just(b""), ends)),
    st.builds(ops.Get, keys),
)
compares = st.one_of(
    st.builds(ops.Compare, keys, st.just(ops.Target.VALUE), value=values, greater=st.booleans()),
    st.builds(
        ops.Compare, keys, st.sampled_from((ops.Target.CREATED, ops.Target.MODIFIED)), revisions, greater=st.booleans()
    ),
    st.builds(ops.Compare, keys, st.just(ops.Target.VERSION), st.integers(0, 3), greater=st.booleans()),
    st.builds(ops.Compare, keys, st.just(ops.Target.LEASE), leases),
)
branches = st.lists(operations, max_size=3).map(tuple)
steps = st.one_of(
    st.builds(PutAlone, keys, values, leases),
    st.builds(DeleteAlone, keys),
    st.builds(Do, st.lists(compares, max_size=2).map(tuple), branches, branches),
    st.builds(Do, st.just(()), branches),
    st.builds(Read, keys, st.one_of(st.just(b""), ends), st.integers(0, 6), st.integers(0, 2), st.booleans()),
    st.builds(NewLease, st.integers(3000, 3090)),  # longer than all runs: none ends in another's
    st.builds(EndLease, st.integers(1, 3)),
    st.builds(Keep, st.integers(1, 3)),
    st.builds(Forget, st.integers(0, 4)),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=1, max_size=25))
def test_any_sequence_of_operations_has_the_same_answers_and_the_same_history(rig: Rig, sequence: list[Step]) -> None:
    async def play() -> list[tuple[int, Change]]:
        both = await rig.both()
        await both.run(*sequence)
        kept = [step for step in sequence if isinstance(step, Forget)]
        since = both.real.base + 1
        if kept:
            # Right at the compacted revision etcd shows a deletion or not, as its clean-up goes.
            memory = both.memory.store
            assert isinstance(memory, MemoryStore)
            since = max(since, memory.etcd.history.compacted + 1)
        return await both.watch(since, [(b"a", b"c"), (b"c", b"")])

    seen = rig.runner.run(play())
    assert all(change.kv.mod_revision for _, change in seen)


# What is worth a name -------------------------------------------------------------------------------------------


def test_a_transaction_that_changes_nothing_is_no_revision(rig: Rig) -> None:
    async def play() -> None:
        both = await rig.both()
        result = await both.run(Do(success=(ops.delete(b"a"), ops.get(b"b"))))
        assert isinstance(result, TxnResult)
        assert result.revision == both.real.base

    rig.runner.run(play())


def test_operations_of_a_transaction_see_those_before_them(rig: Rig) -> None:
    async def play() -> None:
        both = await rig.both()
        steps = Do(success=(ops.put(b"a", b"1"), ops.get(b"a"), ops.delete(b"c"), ops.put(b"b", b"2"), ops.get(b"b")))
        result = await both.run(steps)
        assert isinstance(result, TxnResult)
        seen = result.first(1)
        assert seen is not None
        assert seen.mod_revision == result.revision

    rig.runner.run(play())


@pytest.mark.parametrize(
    "branch",
    [
        (ops.put(b"a", b"1"), ops.put(b"a", b"2")),
        (ops.put(b"a", b"1"), ops.delete(b"a")),
        (ops.delete(b"a"), ops.put(b"a", b"1")),
        (ops.delete_range(b"a", b"c"), ops.put(b"b", b"1")),
    ],
)
def test_a_branch_that_writes_a_key_twice_is_refused_also_when_it_would_not_run(
    rig: Rig, branch: tuple[ops.Op, ...]
) -> None:
    async def play() -> None:
        both = await rig.both()
        refused = StoreError, "etcd: etcdserver: duplicate key given in txn request"
        assert await both.run(Do(success=branch)) == refused
        assert await both.run(Do(compares=(ops.exists(b"a"),), success=branch)) == refused
        await both.run(Do(success=(ops.delete(b"a"), ops.delete_range(b"a", b"c"))))

    rig.runner.run(play())


def test_a_key_moves_from_lease_to_lease_and_goes_with_the_last(rig: Rig) -> None:
    async def play() -> None:
        both = await rig.both()
        await both.run(NewLease(3000), NewLease(3000), PutAlone(b"a", b"", 1), PutAlone(b"b", b"", 1))
        await both.run(PutAlone(b"a", b"", 2), EndLease(1), Read(b"a", b"d"), PutAlone(b"a", b""), EndLease(2))
        assert await both.run(Read(b"a", b"d", keys_only=True))
        await both.run(EndLease(1), EndLease(9), PutAlone(b"c", b"", 2), Keep(2), Keep(9))
        shown = await both.watch(both.real.base + 1, [(b"a", b"d")])
        assert [c.kind for _, c in shown if c.kv.key.endswith(b"/b")] == [ChangeKind.PUT, ChangeKind.DELETE]

    rig.runner.run(play())


def test_keys_of_one_lease_go_in_one_revision_in_order(rig: Rig) -> None:
    async def play() -> None:
        both = await rig.both()
        await both.run(NewLease(3000), *(PutAlone(name, b"", 1) for name in (b"c", b"a", b"b")), EndLease(1))
        shown = await both.watch(both.real.base + 4, [(b"a", b"d")])
        gone = [change.kv for _, change in shown if change.kind is ChangeKind.DELETE]
        assert [kv.key[-1:] for kv in gone] == [b"a", b"b", b"c"]
        assert len({kv.mod_revision for kv in gone}) == 1

    rig.runner.run(play())


def test_the_past_is_read_until_it_is_compacted(rig: Rig) -> None:
    async def play() -> None:
        both = await rig.both()
        await both.run(PutAlone(b"a", b"1"), PutAlone(b"a", b"2"), DeleteAlone(b"a"), PutAlone(b"b", b"3"))
        await both.run(Read(b"a", b"d", back=3), Forget(2), Read(b"a", back=2))
        assert await both.run(Read(b"a", b"d", back=3)) == (Compacted, Compacted(0).message)
        await both.run(Forget(2), Forget(3))
        ahead = await both.run(Read(b"a", b"d", back=-1))
        assert isinstance(ahead, tuple), "an error"
        assert await both.run(Forget(-1)) == ahead

    rig.runner.run(play())


@pytest.mark.parametrize("ahead", [-3, 1])
def test_a_watch_from_a_compacted_or_a_future_that_was_lost_says_so(rig: Rig, ahead: int) -> None:
    async def play() -> None:
        both = await rig.both()
        await both.run(*(PutAlone(b"a", b"%d" % n) for n in range(5)), Forget(1))
        errors = []
        for side in (both.real, both.memory):
            revision = await side.now() + 1 + ahead
            async with asyncio.timeout(WAIT_S), aclosing(side.store.watch([(side.prefix, b"")], revision)) as batches:
                with pytest.raises(StoreError) as raised:
                    async for _ in batches:
                        pass
            errors.append((type(raised.value), raised.value.message))
        assert errors[0] == errors[1]

    rig.runner.run(play())


def test_a_lease_that_nobody_keeps_ends_and_one_that_is_kept_does_not(rig: Rig) -> None:
    """etcd's time is the wall clock's; in memory it is a value. Both find it over after its time, never before."""

    async def play() -> None:
        both = await rig.both()
        real, memory = both.real, both.memory
        assert await both.run(NewLease(1)) == 2, "the shortest that etcd grants"
        await both.run(NewLease(3000), PutAlone(b"a", b"", 1), PutAlone(b"b", b"", 2), Keep(1))

        async def gone() -> bool:
            return await real.store.get(real.prefix + b"a") is None

        await until(gone)
        store = memory.store
        assert isinstance(store, MemoryStore)
        store.etcd.advance(1.99)
        assert await store.get(memory.prefix + b"a") is not None
        store.etcd.advance(2.5)
        await both.run(Read(b"a"), Read(b"b"), Keep(1), Keep(2), PutAlone(b"c", b"", 1))
        await both.watch(real.base + 1, [(b"a", b"d")])

    rig.runner.run(play())
