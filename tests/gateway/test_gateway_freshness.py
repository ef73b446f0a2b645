"""A read that names a revision is answered from nothing older."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from aware_agent.store.errors import StoreUnreachable
from tests.gateway.conftest import eventually
from tests.gateway.memory import MemoryContext, node_id

HEADER = "X-Aware-Min-Revision"


async def test_a_copy_that_is_behind_waits_until_it_is_not(
    admin: httpx.AsyncClient, context: MemoryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    came = asyncio.Event()
    ahead = context.projection.revision + 1

    async def wait_revision(revision: int, limit_s: float = 5.0) -> None:
        waited.append(revision)
        await came.wait()

    async def has_been(revision: int) -> bool:
        return True

    monkeypatch.setattr(context, "wait_revision", wait_revision)
    monkeypatch.setattr(context, "has_been", has_been)
    asking = asyncio.create_task(admin.get("/v1/nodes", headers={HEADER: str(ahead)}))
    await eventually(lambda: waited == [ahead])
    assert not asking.done()
    context.delete(context.keys.key("nodes", node_id(4)))
    came.set()
    assert len((await asking).json()["nodes"]) == 4


async def test_one_that_stays_behind_says_so(
    admin: httpx.AsyncClient, context: MemoryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait_revision(revision: int, limit_s: float = 5.0) -> None:
        raise StoreUnreachable("not yet")

    monkeypatch.setattr(context, "wait_revision", wait_revision)
    refused = await admin.get("/v1/cluster", headers={HEADER: str(context.projection.revision)})
    assert (refused.status_code, refused.json()["code"]) == (503, "behind")
    assert refused.headers["retry-after"] == "1"


async def test_a_stranger_has_nobody_wait(
    anonymous: httpx.AsyncClient, context: MemoryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def has_been(revision: int) -> bool:
        raise AssertionError("etcd was asked")

    monkeypatch.setattr(context, "has_been", has_been)
    for path in ("/v1/nodes", "/v1/users"):
        answer = await anonymous.get(path, headers={HEADER: str(context.projection.revision + 1000)})
        assert answer.status_code == 401
    assert (await anonymous.get("/healthz", headers={HEADER: "99999999"})).status_code == 200


async def test_what_is_there_is_answered_and_what_cannot_come_refused(
    admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    now = context.projection.revision
    for path in ("/v1/cluster", "/v1/users"):
        assert (await admin.get(path, headers={HEADER: str(now)})).status_code == 200
        ahead = await admin.get(path, headers={HEADER: str(now + 1000)})
        assert (ahead.status_code, ahead.json()["code"]) == (410, "revision-ahead")
        for text in ("x", "-1", "1_0", ""):
            refused = await admin.get(path, headers={HEADER: text})
            assert (refused.status_code, refused.json()["field"]) == (422, HEADER)
