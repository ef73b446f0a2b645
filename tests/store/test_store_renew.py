"""New credentials for a client that works: leases, watches and requests go on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from store_support import WAIT_S, Authority, until

from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.projection import Projection

pytestmark = pytest.mark.etcd


async def test_leases_and_watches_outlive_a_change_of_certificates(tmp_path: Path) -> None:
    """A lease of 3 s is held over three changes of credentials, each of which ends the old connections."""
    authority = Authority(tmp_path)
    first = authority.credentials("root")
    async with (
        EmbeddedEtcd(tls=authority.server_files(), credentials=first) as etcd,
        EtcdClient(etcd.endpoints, first, timeout_s=0.5, deadline_s=WAIT_S) as client,
        LeaseKeeper(client) as keeper,
    ):
        lease = await keeper.grant(3)
        projection = Projection(client, [(b"/x/", b"/x0")])
        await projection.start()
        for number in range(3):
            old = client.ring._lines[0]
            assert old is not None
            client.renew(authority.credentials("root"))
            requests = [client.put(b"/x/%d" % i, b"%d" % number, lease=lease.id) for i in range(20)]
            revision = max(await asyncio.gather(*requests))
            await until(lambda: not client.ring._closing)
            assert client.ring._lines[0] is not old
            assert await projection.wait_revision(revision, WAIT_S)
            start = lease.deadline
            await until(lambda start=start: lease.deadline > start)
        assert lease.valid()
        assert lease.deadline > time.monotonic()
        kv = projection.get(b"/x/1")
        assert kv is not None
        assert kv.value == b"2"
        await projection.aclose()
