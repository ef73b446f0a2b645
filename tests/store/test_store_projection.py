"""The copy in memory equals etcd, also after outages and compactions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from store_support import WAIT_S, Proxy, until

from aware_agent.store import listing, ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreUnreachable
from aware_agent.store.listing import list_ranges
from aware_agent.store.model import ChangeKind
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch

pytestmark = pytest.mark.etcd

Span = tuple[bytes, bytes]


@asynccontextmanager
async def projecting(client: EtcdClient, *spans: Span) -> AsyncIterator[Projection]:
    projection = Projection(client, spans)
    await projection.start()
    try:
        yield projection
    finally:
        await projection.aclose()


async def test_it_shows_what_is_there_and_what_comes(client: EtcdClient, prefix: bytes, span: Span) -> None:
    await client.put(prefix + b"b", b"2")
    await client.put(prefix + b"a", b"1")
    async with projecting(client, span) as projection:
        assert [kv.value for kv in projection.items()] == [b"1", b"2"]
        await client.put(prefix + b"c/1", b"3")
        await client.put(prefix + b"a", b"4")
        revision = (await client.txn([], [ops.delete(prefix + b"b")])).revision
        assert await projection.wait_revision(revision, WAIT_S)
        assert projection.revision == revision
        assert [kv.key for kv in projection.items(prefix)] == [prefix + b"a", prefix + b"c/1"]
        assert [kv.key for kv in projection.items(prefix + b"c/")] == [prefix + b"c/1"]
        assert len(projection) == 2
        assert projection.get(prefix + b"a") == await client.get(prefix + b"a")
        assert projection.get(prefix + b"b") is None
        assert projection.stale_since is None
        assert not await projection.wait_revision(revision + 1, 0.05)


async def test_listeners_and_readers_get_each_batch_with_the_value_before(
    client: EtcdClient, prefix: bytes, span: Span
) -> None:
    await client.put(prefix, b"1")
    async with projecting(client, span) as projection:
        heard: list[ProjectionBatch] = []

        def broken(_: ProjectionBatch) -> None:
            raise ValueError("a listener's own fault")

        projection.listen(broken)
        stop = projection.listen(heard.append)
        reader = projection.subscribe()
        await client.put(prefix, b"2")
        changed = await asyncio.wait_for(anext(reader), WAIT_S)
        await client.delete(prefix)
        deleted = await asyncio.wait_for(anext(reader), WAIT_S)
        assert heard == [changed, deleted]
        (change,) = changed.changes
        assert (change.prev.value if change.prev else None, change.kv.value) == (b"1", b"2")
        (gone,) = deleted.changes
        assert gone.kind is ChangeKind.DELETE
        assert gone.prev == change.kv
        stop()
        stop()
        await client.put(prefix, b"3")
        assert (await asyncio.wait_for(anext(reader), WAIT_S)).changes[0].prev is None
        assert len(heard) == 2
        reader.close()
        await client.put(prefix, b"4")
    assert [batch async for batch in reader] == []


async def test_pages_belong_to_one_revision(client: EtcdClient, prefix: bytes, span: Span) -> None:
    await asyncio.gather(*(client.put(prefix + b"%03d" % n, b"") for n in range(25)))
    other = (prefix + b"~", prefix + b"~~")
    revision, (whole, empty) = await list_ranges(client, [span, other], page=10)
    assert sorted(whole) == [prefix + b"%03d" % n for n in range(25)]
    assert not empty
    assert revision >= max(kv.mod_revision for kv in whole.values())


async def test_several_ranges_start_at_one_revision_and_follow(client: EtcdClient, prefix: bytes) -> None:
    one, two = (prefix + b"1", prefix + b"2"), (prefix + b"3", prefix + b"3\0")
    async with projecting(client, one, two) as projection:
        revision = await client.put(prefix + b"3", b"in")
        assert await projection.wait_revision(revision, WAIT_S, key=prefix + b"3")
        await client.put(prefix + b"2", b"between the ranges")
        revision = await client.put(prefix + b"11", b"in")
        assert await projection.wait_revision(revision, WAIT_S, key=prefix + b"11")
        assert [kv.key for kv in projection.items()] == [prefix + b"11", prefix + b"3"]
        assert not await projection.wait_revision(revision, 0.05, key=prefix + b"3")


async def test_after_a_compaction_the_difference_comes_as_one_batch(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes, span: Span
) -> None:
    async with Proxy(shared_etcd.endpoints[0]) as proxy, EtcdClient([proxy.endpoint]) as weak:
        for name in (b"kept", b"changed", b"removed"):
            await client.put(prefix + name, b"old")
        async with projecting(weak, span) as projection:
            reader = projection.subscribe()
            await proxy.cut()
            await until(lambda: projection.stale_since is not None, "the outage is noticed")
            await client.put(prefix + b"changed", b"new")
            await client.put(prefix + b"added", b"new")
            last = (await client.txn([], [ops.delete(prefix + b"removed")])).revision
            await client.compact(last)
            await proxy.open()
            batch = await asyncio.wait_for(anext(reader), WAIT_S)
            assert batch.relisted
            assert batch.revision == projection.revision >= last
            seen = {change.kv.key.removeprefix(prefix): change for change in batch.changes}
            assert {name: change.kind for name, change in seen.items()} == {
                b"changed": ChangeKind.PUT,
                b"added": ChangeKind.PUT,
                b"removed": ChangeKind.DELETE,
            }
            assert seen[b"added"].prev is None
            assert seen[b"removed"].prev is not None
            await until(lambda: projection.stale_since is None)
            await client.put(prefix + b"kept", b"goes on")
            assert (await asyncio.wait_for(anext(reader), WAIT_S)).changes[0].kv.value == b"goes on"
            reader.close()


async def test_it_equals_etcd_after_a_stormy_connection(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 7)
    chance = random.Random(20)
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint]) as weak,
        projecting(weak, span) as projection,
    ):
        replica: dict[bytes, bytes] = {}

        def replay(batch: ProjectionBatch) -> None:
            for change in batch.changes:
                assert replica.get(change.kv.key) == (change.prev.value if change.prev else None)
                if change.kind is ChangeKind.DELETE:
                    del replica[change.kv.key]
                else:
                    replica[change.kv.key] = change.kv.value

        projection.listen(replay)
        for n in range(300):
            key = prefix + b"%d" % chance.randrange(20)
            if chance.random() < 0.3:
                await client.delete(key)
            else:
                await client.put(key, b"%d" % n)
            if n % 60 == 30:
                await proxy.cut()
            if n % 60 == 50:
                if n % 120 == 50:
                    await client.compact((await client.range(*span)).revision)
                await proxy.open()
        last = await client.put(prefix + b"end", b"")
        assert await projection.wait_revision(last, WAIT_S)
        truth = (await client.range(*span)).kvs
        assert tuple(projection.items()) == truth
        assert replica == {kv.key: kv.value for kv in truth}


async def test_start_fails_clearly_and_may_be_repeated(shared_etcd: EmbeddedEtcd, span: Span) -> None:
    async with Proxy(shared_etcd.endpoints[0]) as proxy, EtcdClient([proxy.endpoint], deadline_s=0.3) as weak:
        await proxy.cut()
        projection = Projection(weak, [span])
        with pytest.raises(StoreUnreachable):
            await projection.start()
        assert projection.stale_since is not None
        await proxy.open()
        weak.deadline_s = WAIT_S
        await projection.start()
        assert projection.stale_since is None
        await projection.aclose()
