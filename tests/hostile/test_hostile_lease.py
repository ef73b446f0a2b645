"""A worker at etcd's door: etcd asks for no permission where leases are kept alive, so it must not let him in at all.

Real etcd with the colony's real material and permissions; certificates are those the queen hands out.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from aware_agent.security import pki
from aware_agent.store import rpc
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from tests.hostile.reign_support import Guarded, guarded

pytestmark = pytest.mark.etcd

TTL_S = 2
LIMIT_S = 60.0


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(tmp_path, "lease") as made:
        yield made


def ask(url: str, credentials: Credentials, directory: Path) -> int:
    """HTTP status of a request over mutual TLS. Raises OSError (of which ssl.SSLError is one) without a handshake."""
    for name, pem in (("c.crt", credentials.cert), ("c.key", credentials.key)):
        (directory / name).write_bytes(pem or b"")
    context = ssl.create_default_context(cadata=(credentials.ca or b"").decode())
    context.load_cert_chain(directory / "c.crt", directory / "c.key")
    host, _, port = url.partition(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
    try:
        connection.request("GET", "/version")
        return connection.getresponse().status
    finally:
        connection.close()


def peer_address(etcd: EmbeddedEtcd) -> str:
    told = next(part for part in etcd.members[0].argv if part.startswith("--listen-peer-urls="))
    return told.rpartition("://")[2]


async def keep_alive(scene: Guarded, credentials: Credentials, lease: int) -> int:
    """Time to live of ``lease`` after one keepalive, 0 when it is gone. Raises AioRpcError for who is not let in."""
    tls = grpc.ssl_channel_credentials(credentials.ca, credentials.key, credentials.cert)
    async with grpc.aio.secure_channel(scene.etcd.endpoints[0], tls) as channel:
        method = rpc.KEEPALIVE
        stream = channel.stream_stream(method.path, method.encode, method.decode)(timeout=5)
        await stream.write(rpc.pb.LeaseKeepAliveRequest(ID=lease))
        return int((await stream.read()).TTL)


async def queens_lease(scene: Guarded) -> int:
    """A queen reigned on it, and is dead: she renews it no more."""
    async with EtcdClient(scene.etcd.endpoints, scene.member, deadline_s=20.0) as queen:
        lease = (await queen.grant(TTL_S)).id
        await queen.put(scene.reign.keys.key("queen"), b"{}", lease=lease)
    return lease


async def test_a_workers_certificate_completes_no_handshake_with_etcd(scene: Guarded, tmp_path: Path) -> None:
    for address in (scene.etcd.endpoints[0], peer_address(scene.etcd)):
        with pytest.raises(OSError, match=r"alert|reset|EOF|aborted|Broken pipe"):
            await asyncio.to_thread(ask, address, scene.worker, tmp_path)
        assert await asyncio.to_thread(ask, address, scene.member, tmp_path) == 200, "the council's does"


async def test_a_worker_keeps_no_dead_queens_lease_alive(scene: Guarded) -> None:
    lease = await queens_lease(scene)
    end = time.monotonic() + LIMIT_S
    while await scene.reign.client.get(scene.reign.keys.queen) is not None:
        assert time.monotonic() < end, "the lease outlives its queen"
        with pytest.raises(grpc.aio.AioRpcError):
            await keep_alive(scene, scene.worker, lease)
        await asyncio.sleep(0.2)
    assert await keep_alive(scene, scene.member, lease) == 0, "it is gone for everybody"


async def test_etcd_itself_would_let_anybody_do_it(scene: Guarded) -> None:
    """Why permissions do not help: a user who may read nothing keeps every lease alive once he is let in."""
    ca = scene.reign.material.council_ca
    stranger = pki.issue(ca, pki.make_key(), common_name="nobody", sans=[], now=time.time())
    lease = (await scene.reign.client.grant(600)).id
    nobody = Credentials(ca=ca.certificate, cert=stranger.certificate, key=stranger.key)
    assert await keep_alive(scene, nobody, lease) == 600
