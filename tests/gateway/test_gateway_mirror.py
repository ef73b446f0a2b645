"""The gateway's own copy of a real etcd: which revisions there have been, also when this copy has not heard of them."""

from __future__ import annotations

import asyncio

from aware_agent.gateway.mirror import Mirror
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.keys import Keys

LIMIT_S = 20.0


async def _read(mirror: Mirror) -> None:
    async with asyncio.timeout(LIMIT_S):
        while mirror.projection.revision == 0:
            await asyncio.sleep(0.01)


async def test_a_revision_is_judged_by_etcd_not_by_the_copy() -> None:
    async with EmbeddedEtcd() as etcd, EtcdClient(etcd.endpoints, deadline_s=LIMIT_S) as client:
        mirror = Mirror(client, Keys("demo"))
        running = asyncio.create_task(mirror.run())
        try:
            await _read(mirror)
            elsewhere = await client.put(b"/somebody/else", b"")
            assert mirror.projection.revision < elsewhere, "no key of the colony, so the copy does not hear of it"
            assert await mirror.has_been(elsewhere)
            assert not await mirror.has_been(elsewhere + 1)
            etcd.close()
            assert await mirror.has_been(elsewhere + 1), "nobody can be asked: nothing speaks against it"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
