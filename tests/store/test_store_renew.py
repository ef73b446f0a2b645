"""New credentials for a client that works: leases, watches and requests go on."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from pathlib import Path

import pytest
from store_support import WAIT_S, Authority, Proxy, until

from aware_agent.store import rpc
from aware_agent.store.calls import CallFailed, one_call
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreUnreachable
from aware_agent.store.failures import Verdict, classify
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.projection import Projection
from aware_agent.store.watch import Watcher

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


async def test_a_change_of_certificates_is_no_failure_to_be_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What reads the log for trouble would find "cancelled" in every colony that forms."""
    authority = Authority(tmp_path)
    first = authority.credentials("root")
    contacts: list[bool] = []
    async with (
        EmbeddedEtcd(tls=authority.server_files(), credentials=first) as etcd,
        EtcdClient(etcd.endpoints, first, timeout_s=0.2, deadline_s=WAIT_S) as client,
        LeaseKeeper(client) as keeper,
        aclosing(Watcher(client, [(b"/x/", b"/x0")], on_contact=contacts.append).batches()) as batches,
    ):
        lease = await keeper.grant(3)
        with caplog.at_level(logging.DEBUG, logger="aware_agent.store"):
            seen = asyncio.ensure_future(anext(batches))
            await until(lambda: bool(contacts))
            client.renew(authority.credentials("root"))
            await until(lambda: "watch is opened again" in caplog.text)
            await until(lambda: "keepalive stream is opened again" in caplog.text)
            await client.put(b"/x/1", b"1", lease=lease.id)
            while (batch := await seen).progress:
                seen = asyncio.ensure_future(anext(batches))
        assert [event.kv.value for event in batch.events] == [b"1"]
        assert lease.valid()
    assert [line.message for line in caplog.records if line.levelno > logging.DEBUG] == []
    assert all(contacts)


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_request_that_outlives_its_connection_is_repeated_or_fails_by_name(
    shared_etcd: EmbeddedEtcd, prefix: bytes, repeatable: bool
) -> None:
    """It waits for an answer that never comes, for longer than an old connection may end its work."""
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint], timeout_s=0.1, deadline_s=WAIT_S) as client,
    ):
        await client.put(prefix, b"before")
        proxy.mute_present()
        put = rpc.pb.PutRequest(key=prefix, value=b"after")
        waiting = asyncio.create_task(client.call(rpc.PUT, put, repeatable=repeatable, timeout_s=WAIT_S))
        await until(lambda: any(line is not None and line.users for line in client.ring._lines))
        client.renew(Credentials())
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert not waiting.cancelled()
        if repeatable:
            assert outcome.header.revision
        else:
            assert isinstance(outcome, StoreUnreachable)
            assert outcome.maybe_applied


async def test_a_request_on_a_connection_that_is_closed_was_surely_not_sent(shared_etcd: EmbeddedEtcd) -> None:
    async with EtcdClient(shared_etcd.endpoints, deadline_s=WAIT_S) as client:
        with client.ring.borrow() as line:
            await line.close()
            with pytest.raises(CallFailed) as failed, one_call():
                await line.unary(rpc.STATUS)(rpc.pb.StatusRequest(), timeout=WAIT_S)
    assert classify(failed.value.code, failed.value.details).verdict is Verdict.ELSEWHERE


async def test_a_task_that_is_cancelled_in_a_call_stays_so(shared_etcd: EmbeddedEtcd, prefix: bytes) -> None:
    async with (
        Proxy(shared_etcd.endpoints[0]) as proxy,
        EtcdClient([proxy.endpoint], timeout_s=WAIT_S, deadline_s=WAIT_S) as client,
    ):
        await client.put(prefix, b"before")
        proxy.mute_present()
        waiting = asyncio.create_task(client.put(prefix, b"after"))
        await until(lambda: any(line is not None and line.users for line in client.ring._lines))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
