"""A watch delivers every change once and in order, whatever happens to its connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from store_support import WAIT_S, Proxy, until

from aware_agent.store import watch as watching
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import Compacted
from aware_agent.store.model import Change, ChangeKind
from aware_agent.store.watch import watch

pytestmark = pytest.mark.etcd

Span = tuple[bytes, bytes]


class Seen:
    """Collects a watch in the background."""

    def __init__(self) -> None:
        self.events: list[Change] = []
        self.revision = 0
        self.progress = 0
        self.error: Exception | None = None

    async def follow(self, client: EtcdClient, span: Span, revision: int) -> None:
        try:
            async with aclosing(watch(client, *span, revision)) as batches:
                async for batch in batches:
                    self.events += batch.events
                    self.progress += batch.progress
                    self.revision = max(self.revision, batch.revision)
        except Exception as error:  # the test looks at it
            self.error = error

    def values(self) -> list[bytes]:
        return [change.kv.value for change in self.events]


@asynccontextmanager
async def following(client: EtcdClient, span: Span, revision: int) -> AsyncIterator[Seen]:
    seen = Seen()
    task = asyncio.create_task(seen.follow(client, span, revision))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_changes_come_in_order_from_the_asked_revision(client: EtcdClient, prefix: bytes, span: Span) -> None:
    await client.put(prefix + b"before", b"not seen")
    first = await client.put(prefix + b"a", b"1")
    await client.put(prefix + b"b", b"2")
    async with following(client, span, first) as seen:
        await until(lambda: len(seen.events) == 2)
        last = await client.put(prefix + b"a", b"3")
        await client.delete(prefix + b"b")
        await until(lambda: len(seen.events) == 4)
    assert seen.values() == [b"1", b"2", b"3", b""]
    assert [change.kind for change in seen.events] == [ChangeKind.PUT] * 3 + [ChangeKind.DELETE]
    assert [change.kv.mod_revision for change in seen.events] == [first, first + 1, last, last + 1]
    assert seen.events[3].kv.key == prefix + b"b"


async def test_one_transaction_comes_as_one_batch(client: EtcdClient, prefix: bytes, span: Span) -> None:
    from aware_agent.store import ops

    before = await client.put(prefix, b"")
    await client.txn([], [ops.put(prefix + b"%d" % n, b"") for n in range(50)])
    async with aclosing(watch(client, *span, before + 1)) as batches, asyncio.timeout(WAIT_S):
        async for batch in batches:
            assert len(batch.events) == 50
            break


async def test_a_compacted_start_says_from_where_history_is_kept(client: EtcdClient, prefix: bytes, span: Span) -> None:
    first = await client.put(prefix, b"1")
    last = await client.put(prefix, b"2")
    await client.compact(last)
    async with following(client, span, first) as seen:
        await until(lambda: seen.error is not None)
    assert isinstance(seen.error, Compacted)
    assert seen.error.revision == last


async def test_catching_up_over_a_breaking_line_loses_nothing(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes, span: Span
) -> None:
    """etcd sends old events in portions whose header is ahead of them: resuming there would skip."""
    first = await client.put(prefix, b"0")
    for _ in range(23):
        await asyncio.gather(*(client.put(prefix + b"%d" % n, b"x" * 500) for n in range(100)))
    last = await client.put(prefix, b"end")
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint]) as weak,
        following(weak, span, first) as seen,
    ):
        for _ in range(5):
            have = len(seen.events)
            await until(lambda: len(seen.events) > have or seen.revision >= last)  # noqa: B023
            await proxy.cut()
            await proxy.open()
        await until(lambda: seen.revision >= last)
    # Nobody else writes to this etcd, so every revision is one of this range.
    assert [change.kv.mod_revision for change in seen.events] == list(range(first, last + 1))


async def test_kill_and_restart_loses_and_repeats_nothing(prefix: bytes, span: Span) -> None:
    async with EmbeddedEtcd() as etcd, EtcdClient(etcd.endpoints, deadline_s=WAIT_S) as client:
        member = etcd.members[0]
        async with following(client, span, 1) as seen:
            written = []
            for n in range(60):
                if n in (20, 40):
                    member.kill()
                    member.start()
                written.append(await client.put(prefix + b"%d" % n, b"%d" % n))
            await until(lambda: seen.revision >= written[-1])
    # A put whose reply was lost is repeated, so a value may stand twice; no revision does, and none is missing.
    revisions = [change.kv.mod_revision for change in seen.events]
    assert revisions == sorted(set(revisions))
    assert set(written) <= set(revisions)


async def test_a_frozen_line_is_noticed_by_silence(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "QUIET_S", 0.2)
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint]) as weak,
        following(weak, span, 0) as seen,
    ):
        await until(lambda: seen.progress > 1, "etcd answers progress requests")
        line = weak.ring._lines[0]
        proxy.frozen = True
        revision = await client.put(prefix, b"meanwhile")
        await until(lambda: weak.ring._lines[0] is not line, "the dead line is given up")
        proxy.frozen = False
        await until(lambda: seen.revision >= revision)
        assert seen.values() == [b"meanwhile"]


async def test_a_frozen_endpoint_is_left_for_another(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "QUIET_S", 0.2)
    async with (
        Proxy(shared_etcd.endpoints[0]) as one,
        Proxy(shared_etcd.endpoints[0]) as two,
        EtcdClient([one.endpoint, two.endpoint]) as weak,
        following(weak, span, 0) as seen,
    ):
        await until(lambda: seen.progress > 0)
        (one if weak.endpoint == one.endpoint else two).frozen = True
        revision = await client.put(prefix, b"meanwhile")
        await until(lambda: seen.revision >= revision)
        assert seen.values() == [b"meanwhile"]


async def test_a_store_that_went_back_is_not_waited_for(prefix: bytes, span: Span) -> None:
    """etcd was wiped: its revision is far behind, and a plain watch would be silent until it has caught up."""
    async with EmbeddedEtcd() as etcd, EtcdClient(etcd.endpoints, deadline_s=WAIT_S) as client:
        for _ in range(20):
            last = await client.put(prefix, b"old")
        async with following(client, span, last + 1) as seen:
            await until(lambda: seen.error is None)
            member = etcd.members[0]
            member.kill()
            data = next(arg for arg in member.argv if arg.startswith("--data-dir=")).removeprefix("--data-dir=")
            import shutil

            shutil.rmtree(f"{data}/member")
            member.start()
            await until(lambda: seen.error is not None)
        assert isinstance(seen.error, Compacted)
        assert seen.error.rewound
        assert seen.error.revision < last
