"""Three members: the loss of one is survived, the loss of the quorum is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from store_support import WAIT_S, until

from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreUnreachable
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch

pytestmark = pytest.mark.etcd

SPAN = (b"/w/", b"/w0")


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedEtcd]:
    async with EmbeddedEtcd(3, extra=["--heartbeat-interval=100", "--election-timeout=1000"]) as etcd:
        yield etcd


async def test_a_frozen_or_killed_leader_is_survived(cluster: EmbeddedEtcd) -> None:
    """Nothing acknowledged is lost, no revision is delivered twice, and a held lease lives on."""
    async with EtcdClient(cluster.endpoints, deadline_s=WAIT_S) as client, LeaseKeeper(client) as keeper:
        lease = await keeper.grant(20)
        revisions: list[int] = []

        def note(batch: ProjectionBatch) -> None:
            assert not batch.relisted
            revisions.extend(change.kv.mod_revision for change in batch.changes)

        projection = Projection(client, [SPAN])
        await projection.start()
        projection.listen(note)
        acked = [await client.put(b"/w/%d" % n, b"%d" % n) for n in range(10)]

        frozen = await cluster.leader()
        frozen.freeze()
        acked += [await client.put(b"/w/%d" % n, b"%d" % n) for n in range(10, 20)]
        frozen.thaw()

        await until(lambda: _has_leader(cluster), "there is one leader again")
        killed = await cluster.leader()
        killed.kill()
        acked += [await client.put(b"/w/%d" % n, b"%d" % n) for n in range(20, 30)]
        killed.start()
        await cluster.wait_ready(killed)

        acked.append(await client.put(b"/w/end", b""))
        assert await projection.wait_revision(acked[-1], WAIT_S)
        assert revisions == sorted(set(revisions))
        assert set(acked) <= set(revisions)
        assert {kv.key: kv.value for kv in projection.items()} == {
            kv.key: kv.value for kv in (await client.range(*SPAN)).kvs
        }
        assert lease.valid()
        start = lease.deadline
        await until(lambda: lease.deadline > start)
        await projection.aclose()


async def test_without_a_quorum_nothing_is_promised(cluster: EmbeddedEtcd) -> None:
    async with EtcdClient(cluster.endpoints, deadline_s=WAIT_S) as client:
        await client.put(b"/w/a", b"1")
        projection = Projection(client, [SPAN])
        await projection.start()
        for member in cluster.members[:2]:
            member.freeze()
        with pytest.raises(StoreUnreachable):
            await client.revoke(1, deadline_s=3.0)
        await until(lambda: projection.stale_since is not None, "the projection knows that it is old")
        assert projection.get(b"/w/a") is not None
        # The member that is left says at once that it has no leader, but still answers for itself.
        async with EtcdClient([cluster.endpoints[2]], deadline_s=1.0) as alone:
            status = await alone.status()
            assert status.leader != status.member_id
        for member in cluster.members[:2]:
            member.thaw()
        revision = await client.put(b"/w/a", b"2")
        assert await projection.wait_revision(revision, WAIT_S)
        assert projection.stale_since is None
        await projection.aclose()


async def _has_leader(cluster: EmbeddedEtcd) -> bool:
    from aware_agent.store.errors import StoreError

    try:
        leader = await cluster.leader()
        await asyncio.wait_for(cluster.wait_ready(leader), 5)
    except (StoreError, TimeoutError):
        return False
    return True
