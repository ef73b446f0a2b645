"""A proxy of the environment is never between a node and etcd."""

from __future__ import annotations

import pytest

from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "grpc_proxy", "all_proxy"])
async def test_etcd_is_not_asked_through_a_proxy(
    shared_etcd: EmbeddedEtcd, prefix: bytes, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    async with EtcdClient(shared_etcd.endpoints, deadline_s=5.0) as client:
        await client.put(prefix, b"here")
        found = await client.get(prefix)
        assert found is not None
