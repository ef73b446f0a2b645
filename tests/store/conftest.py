"""One etcd for all tests that do not harm it; each test has a prefix of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.keys import prefix_end


@pytest.fixture(scope="session")
def shared_etcd() -> Iterator[EmbeddedEtcd]:
    etcd = EmbeddedEtcd()
    asyncio.run(etcd.__aenter__())
    yield etcd
    etcd.close()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> bytes:
    return f"/test/{request.node.name}/".encode()


@pytest.fixture
def span(prefix: bytes) -> tuple[bytes, bytes]:
    return prefix, prefix_end(prefix)


@pytest.fixture
async def client(shared_etcd: EmbeddedEtcd) -> AsyncIterator[EtcdClient]:
    async with EtcdClient(shared_etcd.endpoints, deadline_s=20.0) as client:
        yield client
