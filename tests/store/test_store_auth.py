"""Who may do what: tokens that expire, certificates whose CN is the user, and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from store_support import WAIT_S, Authority, until

from aware_agent.store import ops
from aware_agent.store.access import ROOT, Access
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreError, StoreRefused, StoreUnreachable
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.projection import Projection
from aware_agent.store.watch import watch

pytestmark = pytest.mark.etcd

MINE, MINE_END = b"/a/mine/", b"/a/mine0"
PASSWORD = "open sesame"


async def set_up(client: EtcdClient, password: str = "") -> None:
    """User ``node`` may do everything below MINE; twice, because every step may be repeated."""
    access = Access(client)
    for _ in range(2):
        await access.add_user(ROOT, password)
        await access.assign(ROOT, ROOT)
        await access.add_user("node", password)
        await access.add_role("nodes")
        await access.allow("nodes", MINE, MINE_END, write=True)
        await access.assign("node", "nodes")
    await access.enable()


@asynccontextmanager
async def guarded(*extra: str) -> AsyncIterator[tuple[EmbeddedEtcd, EtcdClient]]:
    """An etcd with passwords, and a client of user ``node``."""
    async with EmbeddedEtcd(extra=extra) as etcd:
        async with EtcdClient(etcd.endpoints, deadline_s=WAIT_S) as founder:
            await set_up(founder, PASSWORD)
        async with EtcdClient(etcd.endpoints, Credentials(user="node", password=PASSWORD), deadline_s=WAIT_S) as client:
            yield etcd, client


async def expire(client: EtcdClient) -> None:
    """Until etcd no longer knows the token in use. Asking would renew it, so this waits; the TTL is 1 s."""
    assert client.tokens._metadata is not None
    await asyncio.sleep(3.5)


async def test_expired_tokens_are_renewed_for_requests_and_streams() -> None:
    async with guarded("--auth-token-ttl=1") as (_, client), LeaseKeeper(client) as keeper:
        projection = Projection(client, [(MINE, MINE_END)])
        await projection.start()
        await client.put(MINE + b"a", b"1")
        token = client.tokens._metadata
        await expire(client)
        revision = await client.put(MINE + b"a", b"2")
        assert client.tokens._metadata != token
        assert await projection.wait_revision(revision, WAIT_S)
        await projection.aclose()

        lease = await keeper.grant(9)
        token = client.tokens._metadata
        await expire(client)  # now with a new watch, and the keepalive that comes next
        async with aclosing(watch(client, MINE, MINE_END, revision)) as batches, asyncio.timeout(WAIT_S):
            async for batch in batches:
                assert [change.kv.value for change in batch.events] == [b"2"]
                break
        assert client.tokens._metadata != token
        start = lease.deadline
        await until(lambda: lease.deadline > start)
        assert (await client.txn([ops.exists(MINE + b"a")], [ops.put(MINE + b"b", b"", lease.id)])).succeeded


async def test_a_restart_that_forgets_all_tokens_is_survived() -> None:
    async with guarded() as (etcd, client), LeaseKeeper(client) as keeper:
        lease = await keeper.grant(20)
        await client.put(MINE, b"1", lease=lease.id)
        projection = Projection(client, [(MINE, MINE_END)])
        await projection.start()
        start = lease.deadline
        etcd.members[0].kill()
        etcd.members[0].start()
        revision = await client.put(MINE, b"2", lease=lease.id)
        assert await projection.wait_revision(revision, WAIT_S)
        await until(lambda: lease.deadline > start)
        await projection.aclose()


async def test_refusals_are_told_apart_from_outages() -> None:
    async with guarded() as (etcd, client):
        with pytest.raises(StoreRefused):
            await client.put(b"/a/other", b"")
        with pytest.raises(StoreRefused):
            await client.txn([], [ops.put(MINE, b""), ops.put(b"/a/other", b"")])
        assert await client.get(MINE) is None
        with pytest.raises(StoreRefused):
            async with aclosing(watch(client, b"/a/", b"/a0")) as batches, asyncio.timeout(WAIT_S):
                await anext(batches)
        wrong = Credentials(user="node", password="guessed")
        async with EtcdClient(etcd.endpoints, wrong, deadline_s=WAIT_S) as stranger:
            with pytest.raises(StoreRefused) as error:
                await stranger.get(MINE)
            assert "guessed" not in str(error.value)
        async with EtcdClient(etcd.endpoints) as nobody:
            with pytest.raises(StoreRefused):
                await nobody.put(MINE, b"")
            with pytest.raises(StoreRefused):
                async with aclosing(watch(nobody, MINE, MINE_END)) as batches, asyncio.timeout(WAIT_S):
                    await anext(batches)


async def test_a_password_is_harmless_where_auth_is_off(client: EtcdClient, shared_etcd: EmbeddedEtcd) -> None:
    async with EtcdClient(shared_etcd.endpoints, Credentials(user="node", password=PASSWORD)) as eager:
        await eager.put(b"/x", b"1")
    assert await client.get(b"/x") is not None


async def test_the_common_name_of_a_certificate_is_the_user(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    root, node = authority.credentials(ROOT), authority.credentials("node")
    async with EmbeddedEtcd(tls=authority.server_files(), credentials=root) as etcd:
        async with EtcdClient(etcd.endpoints, root) as founder:
            await set_up(founder)
            await founder.put(b"/a/other", b"secret")
        async with EtcdClient(etcd.endpoints, node) as client, LeaseKeeper(client) as keeper:
            lease = await keeper.grant(2)
            await client.put(MINE, b"1", lease=lease.id)
            projection = Projection(client, [(MINE, MINE_END)])
            await projection.start()
            assert projection.get(MINE) is not None
            start = lease.deadline
            await until(lambda: lease.deadline > start + 2)
            await projection.aclose()
            for attempt in (
                client.put(b"/a/other", b""),
                client.get(b"/a/other"),
                client.delete(b"/a/other"),
                client.txn([], [ops.put(b"/a/other", b"")]),
                Access(client).add_user("friend"),
            ):
                with pytest.raises(StoreRefused):
                    await attempt
        async with EtcdClient(etcd.endpoints, root) as founder:
            kv = await founder.get(b"/a/other")
            assert kv is not None
            assert kv.value == b"secret"
            await Access(founder).delete_user("node")
            await Access(founder).delete_user("node")
        async with EtcdClient(etcd.endpoints, node) as client:
            with pytest.raises(StoreError):
                await client.put(MINE, b"2")


async def test_no_certificate_or_one_of_a_stranger_gets_no_connection(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    authority = Authority(mine)
    root = authority.credentials(ROOT)
    stranger = Authority(other).credentials(ROOT)
    async with EmbeddedEtcd(tls=authority.server_files(), credentials=root) as etcd:
        table = [
            Credentials(ca=authority.ca),  # shows nothing
            Credentials(ca=authority.ca, cert=stranger.cert, key=stranger.key),  # shows a foreign certificate
            stranger,  # does not trust the server either
        ]
        for credentials in table:
            async with EtcdClient(etcd.endpoints, credentials, deadline_s=1.5) as client:
                with pytest.raises(StoreUnreachable):
                    await client.get(MINE)


def test_credentials_do_not_show_their_secrets() -> None:
    credentials = Credentials(ca=b"CA", cert=b"CERT", key=b"PRIVATE", user="node", password=PASSWORD)
    for text in (repr(credentials), str(credentials), f"{credentials}"):
        assert "PRIVATE" not in text
        assert PASSWORD not in text
