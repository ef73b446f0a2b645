"""Requests against a real etcd: what they return, what they raise, where they go."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from store_support import WAIT_S, Proxy, until

from aware_agent.colony.errors import InvalidInput
from aware_agent.ports import free_port, free_ports
from aware_agent.store import ops
from aware_agent.store import watch as watching
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import Compacted, LeaseGone, StoreError, StoreUnreachable
from aware_agent.store.model import DeleteResult, PutResult, RangeResult
from aware_agent.store.watch import watch

pytestmark = pytest.mark.etcd


async def test_a_key_is_written_read_changed_and_removed(client: EtcdClient, prefix: bytes) -> None:
    first = await client.put(prefix, b"one")
    second = await client.put(prefix, b"two")
    kv = await client.get(prefix)
    assert kv is not None
    assert (kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version) == (prefix, b"two", first, second, 2)
    old = await client.get(prefix, revision=first)
    assert old is not None
    assert old.value == b"one"
    assert await client.delete(prefix) == 1
    assert await client.delete(prefix) == 0
    assert await client.get(prefix) is None


async def test_a_range_is_ordered_limited_and_pinned(
    client: EtcdClient, prefix: bytes, span: tuple[bytes, bytes]
) -> None:
    for name in (b"c", b"a", b"b"):
        revision = await client.put(prefix + name, name * 2)
    whole = await client.range(*span)
    assert [kv.value for kv in whole.kvs] == [b"aa", b"bb", b"cc"]
    assert (whole.revision, whole.more) == (revision, False)
    part = await client.range(*span, limit=2, keys_only=True)
    assert [kv.key for kv in part.kvs] == [prefix + b"a", prefix + b"b"]
    assert part.more
    assert not part.kvs[0].value
    await client.delete(prefix + b"a")
    assert len((await client.range(*span, revision=revision)).kvs) == 3


async def test_reading_before_a_compaction_says_so(client: EtcdClient, prefix: bytes) -> None:
    first = await client.put(prefix, b"1")
    last = await client.put(prefix, b"2")
    await client.compact(last)
    with pytest.raises(Compacted):
        await client.get(prefix, revision=first)


async def test_a_transaction_runs_one_branch_whole(client: EtcdClient, prefix: bytes) -> None:
    key, other = prefix + b"k", prefix + b"o"
    won = await client.txn([ops.absent(key)], [ops.put(key, b"1"), ops.put(other, b"2")], [ops.get(key)])
    assert won.succeeded
    assert won.responses == (PutResult(revision=won.revision),) * 2
    lost = await client.txn([ops.absent(key)], [ops.delete(other)], [ops.get(key), ops.get(other)])
    assert not lost.succeeded
    holder = lost.first()
    assert holder is not None
    assert holder.create_revision == won.revision
    assert isinstance(lost.responses[1], RangeResult)
    assert [kv.key for kv in lost.responses[1].kvs] == [other]
    gone = await client.txn([], [ops.delete_range(prefix, prefix + b"z")])
    assert gone.responses == (DeleteResult(deleted=2),)
    empty = await client.txn([], [ops.get(key)])
    assert empty.first() is None


async def test_every_compare_holds_and_fails_as_named(client: EtcdClient, prefix: bytes) -> None:
    created = await client.put(prefix, b"a")
    modified = await client.put(prefix, b"b")
    missing = prefix + b"none"
    table = [
        (ops.created(prefix, created), True),
        (ops.created(prefix, modified), False),
        (ops.modified(prefix, modified), True),
        (ops.modified(prefix, created), False),
        (ops.version(prefix, 2), True),
        (ops.version(prefix, 1), False),
        (ops.value(prefix, b"b"), True),
        (ops.value(prefix, b"a"), False),
        (ops.exists(prefix), True),
        (ops.exists(missing), False),
        (ops.absent(missing), True),
        (ops.absent(prefix), False),
        (ops.modified(missing, 0), True),
        (ops.version(missing, 0), True),
    ]
    for compare, holds in table:
        assert (await client.txn([compare], [], [])).succeeded is holds, compare


async def test_keys_go_with_their_lease(client: EtcdClient, prefix: bytes) -> None:
    grant = await client.grant(60)
    assert grant.ttl == 60
    await client.put(prefix, b"", lease=grant.id)
    kv = await client.get(prefix)
    assert kv is not None
    assert kv.lease == grant.id
    await client.revoke(grant.id)
    assert await client.get(prefix) is None
    await client.revoke(grant.id)  # gone already is as good
    with pytest.raises(LeaseGone) as put:
        await client.put(prefix, b"", lease=grant.id)
    assert put.value.lease == grant.id
    with pytest.raises(LeaseGone):
        await client.txn([], [ops.put(prefix, b"", lease=grant.id)])
    assert await client.get(prefix) is None


async def test_status_names_version_and_leader(client: EtcdClient, shared_etcd: EmbeddedEtcd) -> None:
    status = await client.status()
    assert status.version == shared_etcd.binary.version
    assert status.leader == status.member_id != 0
    assert status.endpoint == shared_etcd.endpoints[0]


async def test_a_dead_endpoint_is_passed_over(shared_etcd: EmbeddedEtcd, prefix: bytes) -> None:
    dead = [f"127.0.0.1:{port}" for port in free_ports(4)]
    async with EtcdClient([*dead, *shared_etcd.endpoints], deadline_s=20.0) as client:
        result = await client.txn([ops.absent(prefix)], [ops.put(prefix, b"1")])
        assert result.succeeded
        assert client.endpoint == shared_etcd.endpoints[0]


async def test_when_nobody_listens_surely_nothing_was_written() -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    async with EtcdClient([endpoint], deadline_s=0.5) as client:
        for attempt in (client.put(b"k", b"v"), client.txn([], [ops.put(b"k", b"v")]), client.grant(5)):
            with pytest.raises(StoreUnreachable, match=endpoint) as error:
                await attempt
            assert not error.value.maybe_applied


async def test_a_lost_reply_to_a_transaction_is_an_unknown_outcome(shared_etcd: EmbeddedEtcd, prefix: bytes) -> None:
    async with Proxy(shared_etcd.endpoints[0]) as proxy, EtcdClient([proxy.endpoint], timeout_s=1.0) as client:
        await client.put(prefix, b"0")
        proxy.mute_present()
        with pytest.raises(StoreUnreachable) as error:
            await client.txn([], [ops.put(prefix, b"1")])
        assert error.value.maybe_applied
        kv = await client.get(prefix)
        assert kv is not None
        assert (kv.value, kv.version) == (b"1", 2)  # applied, and not repeated


async def test_a_lost_reply_to_a_put_is_repeated(shared_etcd: EmbeddedEtcd, prefix: bytes) -> None:
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint], timeout_s=1.0, deadline_s=20.0) as client,
    ):
        await client.put(prefix, b"0")
        proxy.mute_present()
        await client.put(prefix, b"1")
        kv = await client.get(prefix)
        assert kv is not None
        assert (kv.value, kv.version) == (b"1", 3)


async def test_a_transaction_of_reads_is_repeated(shared_etcd: EmbeddedEtcd, prefix: bytes) -> None:
    async with Proxy(shared_etcd.endpoints[0]) as proxy:
        endpoints = [proxy.endpoint, shared_etcd.endpoints[0]]
        async with EtcdClient(endpoints, timeout_s=0.5, deadline_s=20.0) as client:
            await client.put(prefix, b"0")
            proxy.frozen = True
            for _ in endpoints:  # whichever endpoint is current
                assert (await client.txn([ops.exists(prefix)], [ops.get(prefix)])).succeeded


async def test_a_black_holed_connection_is_replaced(
    shared_etcd: EmbeddedEtcd, prefix: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only endpoint: the old connection stays dead, also while a stream still hopes for it; a new one works."""
    monkeypatch.setattr(watching, "QUIET_S", 1000.0)
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint], timeout_s=0.5, deadline_s=20.0) as client,
    ):
        revision = await client.put(prefix, b"0")
        async with aclosing(watch(client, prefix, b"", revision)) as batches, asyncio.timeout(WAIT_S):
            await anext(batches)
            proxy.freeze_present()
            assert await client.get(prefix) is not None
        await until(lambda: not client.ring._retired and not client.ring._closing, "dead lines are closed")


async def test_closing_ends_requests_under_way(shared_etcd: EmbeddedEtcd) -> None:
    async with Proxy(shared_etcd.endpoints[0]) as proxy:
        client = EtcdClient([proxy.endpoint], timeout_s=20.0, deadline_s=20.0)
        await client.get(b"k")
        proxy.frozen = True
        request = asyncio.create_task(client.put(b"k", b"v"))
        await asyncio.sleep(0.1)
        await client.aclose()
        with pytest.raises(StoreUnreachable):
            await request
        with pytest.raises(StoreError, match="closed"):
            await client.get(b"k")


async def test_a_cancelled_request_stays_cancelled_when_the_client_closes(shared_etcd: EmbeddedEtcd) -> None:
    async with Proxy(shared_etcd.endpoints[0]) as proxy:
        client = EtcdClient([proxy.endpoint], timeout_s=20.0, deadline_s=20.0)
        await client.get(b"k")
        proxy.frozen = True
        request = asyncio.create_task(client.get(b"k"))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(client.aclose())
        request.cancel()
        await closing
        with pytest.raises(asyncio.CancelledError):
            await request


async def test_cancelling_a_request_is_a_cancellation(shared_etcd: EmbeddedEtcd) -> None:
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint], timeout_s=20.0, deadline_s=20.0) as client,
    ):
        await client.get(b"k")
        proxy.frozen = True
        request = asyncio.create_task(client.get(b"k"))
        await asyncio.sleep(0.1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request


def test_a_client_needs_an_endpoint() -> None:
    with pytest.raises(InvalidInput):
        EtcdClient([])
