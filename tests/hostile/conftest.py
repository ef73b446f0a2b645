"""Fixtures of the suite in which one member lies, floods and cheats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aware_agent.store.embedded import EmbeddedEtcd
from tests.hostile.reign_support import Reign


@pytest.fixture(scope="module")
def etcd() -> Iterator[EmbeddedEtcd]:
    etcd = EmbeddedEtcd()
    asyncio.run(etcd.__aenter__())
    yield etcd
    etcd.close()


@pytest.fixture
async def reign(etcd: EmbeddedEtcd, tmp_path: Path) -> AsyncIterator[Reign]:
    async with Reign(etcd, tmp_path) as reign:
        yield reign
