"""A deposed queen writes nothing."""

from __future__ import annotations

import pytest
from store_support import Proxy

from aware_agent.colony.errors import Conflict, Deposed
from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreUnreachable
from aware_agent.store.fenced import FencedTransactions
from aware_agent.store.model import PutResult

pytestmark = pytest.mark.etcd


async def queen_record(client: EtcdClient, queen: bytes, name: bytes) -> int:
    result = await client.txn([ops.absent(queen)], [ops.put(queen, name)])
    assert result.succeeded
    return result.revision


async def test_the_reigning_queen_writes_and_others_do_not(client: EtcdClient, prefix: bytes) -> None:
    queen, key = prefix + b"queen", prefix + b"key"
    old = FencedTransactions(client, queen, await queen_record(client, queen, b"old"))
    done = await old.commit([ops.put(key, b"1"), ops.put(key + b"2", b"")])
    assert done.responses == (PutResult(revision=done.revision),) * 2
    await client.delete(queen)
    with pytest.raises(Deposed) as nobody:
        await old.commit([ops.put(key, b"2")])
    assert nobody.value.term == old.term
    new = FencedTransactions(client, queen, await queen_record(client, queen, b"new"))
    with pytest.raises(Deposed):
        await old.commit([ops.put(key, b"2")])
    await new.commit([ops.put(key, b"3")], compares=[ops.modified(key, done.revision)])
    kv = await client.get(key)
    assert kv is not None
    assert (kv.value, kv.version) == (b"3", 2)


async def test_whose_term_it_is_can_be_confirmed_without_a_write(client: EtcdClient, prefix: bytes) -> None:
    queen = prefix + b"queen"
    nobody = FencedTransactions(client, queen, 0)
    await nobody.confirm()
    reigning = FencedTransactions(client, queen, await queen_record(client, queen, b"me"))
    await reigning.confirm()
    with pytest.raises(Deposed):
        await nobody.confirm()
    await client.delete(queen)
    with pytest.raises(Deposed):
        await reigning.confirm()
    assert (await nobody.commit([ops.put(prefix + b"key", b"1")])).revision > 0


async def test_a_value_that_moved_is_a_conflict_not_a_deposition(client: EtcdClient, prefix: bytes) -> None:
    queen, key = prefix + b"queen", prefix + b"key"
    writer = FencedTransactions(client, queen, await queen_record(client, queen, b"me"))
    read = await client.put(key, b"1")
    await client.put(key, b"2")
    with pytest.raises(Conflict):
        await writer.commit([ops.put(key, b"3")], compares=[ops.modified(key, read)])
    await client.put(queen, b"the same queen, new face")  # the term is the creation, not the value
    await writer.commit([ops.put(key, b"4")])
    await client.delete(queen)
    with pytest.raises(Deposed):  # both are wrong: the term counts
        await writer.commit([ops.put(key, b"5")], compares=[ops.modified(key, read)])


async def test_an_unanswered_write_says_that_it_may_be_there(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes
) -> None:
    queen, key = prefix + b"queen", prefix + b"key"
    term = await queen_record(client, queen, b"me")
    async with Proxy(shared_etcd.endpoints[0]) as proxy, EtcdClient([proxy.endpoint], timeout_s=0.5) as weak:
        await weak.get(queen)
        proxy.mute = True
        with pytest.raises(StoreUnreachable) as error:
            await FencedTransactions(weak, queen, term).commit([ops.put(key, b"1")])
    assert error.value.maybe_applied
    kv = await client.get(key)
    assert kv is not None
    assert kv.version == 1
