"""What a lease promises locally is never more than etcd keeps."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request

import pytest
from store_support import WAIT_S, Proxy, until

from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreUnreachable
from aware_agent.store.failures import Failure, StreamBroken, Verdict
from aware_agent.store.lease import HeldLease, LeaseKeeper
from aware_agent.store.pause import Pause

pytestmark = pytest.mark.etcd


def send_now(keeper: LeaseKeeper, lease: HeldLease) -> None:
    lease.next_send = 0.0
    keeper._wake.set()


def keepalive_streams(etcd: EmbeddedEtcd) -> int:
    with urllib.request.urlopen(f"http://{etcd.endpoints[0]}/metrics", timeout=WAIT_S) as answer:
        text = answer.read().decode()
    match = re.search(r'grpc_server_started_total\{grpc_method="LeaseKeepAlive".*\} (\d+)', text)
    return int(match[1]) if match else 0


async def test_many_leases_live_on_one_stream(client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes) -> None:
    before = await asyncio.to_thread(keepalive_streams, shared_etcd)
    async with LeaseKeeper(client) as keeper:
        renewals: list[float] = []
        held = [await keeper.grant(2, renewals.append) for _ in range(20)]
        for n, lease in enumerate(held):
            await client.put(prefix + b"%02d" % n, b"", lease=lease.id)
        first = [lease.deadline for lease in held]
        # Well beyond the TTL: without keepalives nothing would be left.
        await until(lambda: all(lease.deadline > start + 3 for lease, start in zip(held, first, strict=True)))
        assert all(lease.valid() and lease.ttl == 2 for lease in held)
        assert len((await client.range(prefix, prefix + b"~")).kvs) == 20
        assert len(renewals) >= 20
        assert await asyncio.to_thread(keepalive_streams, shared_etcd) == before + 1
        for lease in held:
            await lease.revoke()
        assert not (await client.range(prefix, prefix + b"~")).kvs
        assert all(lease.lost.is_set() and not lease.valid() for lease in held)


async def test_a_new_lease_is_kept_after_the_first_ones_ended(client: EtcdClient) -> None:
    async with LeaseKeeper(client) as keeper:
        await (await keeper.grant(2)).revoke()
        lease = await keeper.grant(2)
        start = lease.deadline
        await until(lambda: lease.deadline > start + 2)
        assert lease.valid()


async def test_a_lease_revoked_elsewhere_is_lost_at_the_next_keepalive(client: EtcdClient) -> None:
    async with LeaseKeeper(client) as keeper:
        lease, other = await keeper.grant(30), await keeper.grant(2)
        await client.revoke(lease.id)
        send_now(keeper, lease)
        await until(lease.lost.is_set)
        assert not lease.valid()
        assert lease.deadline > time.monotonic()  # it was not the clock that ended it
        assert other.valid()


async def test_a_listener_that_fails_does_not_cost_the_lease(client: EtcdClient) -> None:
    def broken(_: float) -> None:
        raise ValueError("a listener's own fault")

    async with LeaseKeeper(client) as keeper:
        lease = await keeper.grant(2, broken)
        start = lease.deadline
        await until(lambda: lease.deadline > start + 2)
        assert lease.valid()


async def gone_at(client: EtcdClient, key: bytes) -> float:
    """A monotonic time before which etcd had removed ``key``."""
    end = time.monotonic() + WAIT_S
    while await client.get(key) is not None:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    return time.monotonic()


async def holding(keeper: LeaseKeeper, client: EtcdClient, key: bytes) -> HeldLease:
    lease = await keeper.grant(2)
    await client.txn([ops.absent(key)], [ops.put(key, b"mine", lease.id)])
    start = lease.deadline
    await until(lambda: lease.deadline > start)
    return lease


async def test_a_frozen_holder_gives_up_before_etcd_does(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes
) -> None:
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint]) as weak,
        LeaseKeeper(weak) as keeper,
    ):
        lease = await holding(keeper, client, prefix)
        proxy.frozen = True
        gone = await gone_at(client, prefix)
        assert not lease.valid(0.0)
        assert lease.deadline <= gone
        await until(lease.lost.is_set)


async def test_a_cut_off_holder_gives_up_before_etcd_does(
    client: EtcdClient, shared_etcd: EmbeddedEtcd, prefix: bytes
) -> None:
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint], deadline_s=0.5) as weak,
        LeaseKeeper(weak) as keeper,
    ):
        lease = await holding(keeper, client, prefix)
        await proxy.cut()
        gone = await gone_at(client, prefix)
        assert not lease.valid(0.0)
        assert lease.deadline <= gone
        await until(lease.lost.is_set)
        with pytest.raises(StoreUnreachable):
            await lease.revoke(deadline_s=0.2)


async def test_a_sleeping_event_loop_does_not_believe_in_its_lease(client: EtcdClient, prefix: bytes) -> None:
    """The process was stopped: no timer ran, yet the first question after waking gets the truth."""
    async with LeaseKeeper(client) as keeper:
        lease = await keeper.grant(2)
        time.sleep(max(0.0, lease.deadline - time.monotonic()) + 0.1)
        assert not lease.lost.is_set()
        assert not lease.valid()
        await until(lease.lost.is_set)


async def test_silence_at_one_endpoint_moves_the_keepalives_to_another(
    client: EtcdClient, shared_etcd: EmbeddedEtcd
) -> None:
    async with (
        Proxy(shared_etcd.endpoints[0]) as one,
        Proxy(shared_etcd.endpoints[0]) as two,
        EtcdClient([one.endpoint, two.endpoint]) as weak,
        LeaseKeeper(weak) as keeper,
    ):
        lease = await keeper.grant(5)
        start = lease.deadline
        await until(lambda: lease.deadline > start)
        (one if weak.endpoint == one.endpoint else two).frozen = True
        frozen = lease.deadline
        await until(lambda: lease.deadline > frozen + 3)
        assert lease.valid()


class HangingStream:
    """Neither takes a message nor answers, until it is aborted: a connection that is never established."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    @property
    def endpoint(self) -> str:
        return "127.0.0.1:1"

    async def receive(self) -> tuple[int, int]:
        await self.over.wait()
        raise StreamBroken(Failure(verdict=Verdict.UNKNOWN, details="aborted", frozen=True))

    async def send(self, lease: int) -> None:
        await self.receive()

    def abort(self, reason: str) -> None:
        self.over.set()


async def test_a_lease_lost_in_a_write_that_hangs_does_not_hang_the_next_ones(client: EtcdClient) -> None:
    """The overdue keepalive's own lease ends before the silence is noticed: the stream is given up all the same."""
    keeper = LeaseKeeper(client)
    grant = await client.grant(2)
    doomed = HeldLease(keeper, grant, sent=time.monotonic() - 1.5, margin=0.3, on_renewed=None)
    doomed.next_send = 0.0
    keeper._leases[doomed.id] = doomed
    stream = HangingStream()
    with pytest.raises(StreamBroken):
        async with asyncio.timeout(WAIT_S):
            await keeper._keep(stream, Pause())
    assert stream.over.is_set()
    assert doomed.lost.is_set()


async def test_a_lease_outlives_a_restart_of_etcd(prefix: bytes) -> None:
    async with (
        EmbeddedEtcd() as etcd,
        EtcdClient(etcd.endpoints, deadline_s=WAIT_S) as client,
        LeaseKeeper(client) as keeper,
    ):
        lease = await keeper.grant(20)
        await client.put(prefix, b"", lease=lease.id)
        etcd.members[0].kill()
        etcd.members[0].start()
        await etcd.wait_ready(etcd.members[0])
        restarted = time.monotonic()
        await until(lambda: lease.deadline > restarted + 20)
        assert lease.valid()
        assert await client.get(prefix) is not None


async def test_closing_the_keeper_ends_what_it_promised(client: EtcdClient) -> None:
    keeper = LeaseKeeper(client)
    lease = await keeper.grant(2)
    await keeper.aclose()
    assert lease.lost.is_set()
    await client.revoke(lease.id)
