"""A node's view of a real etcd: two of three members killed, all killed, full. Nothing waits for a majority."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from store_support import until

from aware_agent.agent.store_watch import StoreWatch
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreError, StoreUnreachable
from aware_agent.store.health import Trouble

pytestmark = pytest.mark.etcd


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedEtcd]:
    async with EmbeddedEtcd(3, extra=["--heartbeat-interval=100", "--election-timeout=1000"]) as etcd:
        yield etcd


async def fill(client: EtcdClient) -> None:
    """Write until etcd refuses."""
    for number in range(100):
        await client.put(b"/fill/%d" % number, b"x" * 200_000)


async def becomes(watch: StoreWatch, trouble: Trouble) -> None:
    """Look until etcd is seen like that."""

    async def seen() -> bool:
        return (await watch.look()).trouble is trouble

    await until(seen, f"etcd is seen as {trouble or 'well'}")


async def test_a_lost_majority_is_told_member_by_member_and_forgotten_when_it_is_back(cluster: EmbeddedEtcd) -> None:
    contact = True
    async with EtcdClient(cluster.endpoints, timeout_s=2.0) as client:
        watch = StoreWatch(client, lambda: contact)
        await becomes(watch, Trouble.NONE)
        assert len(watch.state.members) >= 1
        first, second, third = cluster.members
        second.kill()
        third.kill()
        contact = False
        await becomes(watch, Trouble.NO_QUORUM)
        state = watch.state
        assert (state.reachable, state.quorum) == (True, False)
        assert {m.endpoint: m.answers for m in state.members} == {
            first.endpoint: True,
            second.endpoint: False,
            third.endpoint: False,
        }
        assert f"{second.endpoint} (connection refused)" in state.detail
        assert f"{first.endpoint} (it answers, but knows no leader)" in state.detail
        with pytest.raises(StoreUnreachable) as refused:
            await client.put(b"/x", b"")
        for member in cluster.members:
            assert member.endpoint in refused.value.message
        assert "connection refused" in refused.value.message
        began = state.since
        await becomes(watch, Trouble.NO_QUORUM)
        assert watch.state.since == began
        first.kill()
        await becomes(watch, Trouble.UNREACHABLE)
        assert not watch.state.reachable
        for member in cluster.members:
            member.start()
        for member in cluster.members:
            await cluster.wait_ready(member)
        await becomes(watch, Trouble.NONE)
        assert watch.state.since is None


async def test_a_full_etcd_is_seen_although_it_answers_and_has_a_leader() -> None:
    async with (
        EmbeddedEtcd(extra=["--quota-backend-bytes=1048576"]) as etcd,
        EtcdClient(etcd.endpoints, deadline_s=20.0) as client,
    ):
        watch = StoreWatch(client, lambda: True)
        await becomes(watch, Trouble.NONE)
        with pytest.raises(StoreError, match="full"):
            await fill(client)
        await becomes(watch, Trouble.FULL)
        assert (watch.state.reachable, watch.state.quorum, watch.state.alarms) == (True, True, ("NOSPACE",))
        assert "takes no writes" in watch.state.detail
        assert "council.quota_mib" in watch.state.hint
        task = asyncio.create_task(watch.run())
        await asyncio.sleep(0)
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
