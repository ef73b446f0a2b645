"""A node's report in etcd: claimed against copies of the node, kept, and not taken back after the good-bye."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from aware_agent.agent import presence as presences
from aware_agent.agent.parts import IdentityInUse
from aware_agent.agent.presence import Presence
from aware_agent.colony.event import Event
from aware_agent.colony.node import Report
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreUnreachable
from aware_agent.store.keys import Keys
from aware_agent.store.lease import HeldLease, LeaseKeeper
from aware_agent.store.memory import MemoryStore
from aware_agent.store.model import Grant, KeyValue

KEYS = Keys("lab")


async def test_an_update_after_the_good_bye_changes_nothing() -> None:
    report = Report(name="n", address="127.0.0.1", url="https://127.0.0.1:1", incarnation="i")
    async with EtcdClient(["127.0.0.1:9"]) as client:
        presence = Presence(client, LeaseKeeper(client), Keys("lab"), node="n", ttl_s=5, report=report)
        presence.update(msgspec.structs.replace(report, priority=7))
        assert presence.report.priority == 7
        presence.report = msgspec.structs.replace(report, leaving=True)
        presence.update(report)
        assert presence.report.leaving


class NeverKept(LeaseKeeper):
    """Grants leases as etcd would, and keeps none while ``hangs``."""

    hangs = True

    async def grant(self, ttl_s: int, on_renewed: object = None, *, margin_s: float = 0.3) -> HeldLease:
        await asyncio.sleep(0)
        grant = Grant(id=1, ttl=ttl_s)
        lease = HeldLease(self, grant, sent=time.monotonic(), margin=margin_s, on_renewed=None)
        if self.hangs:
            lease.lose()
        else:
            asyncio.get_running_loop().call_soon(lease.renewed, time.monotonic() + 1, ttl_s)
        return lease


async def test_leases_that_nobody_keeps_are_a_stall_and_one_that_is_kept_ends_it() -> None:
    report = Report(name="n", address="127.0.0.1", url="https://127.0.0.1:1", incarnation="i")
    async with EtcdClient(["127.0.0.1:9"], deadline_s=0.2) as client:
        keeper = NeverKept(client)
        presence = Presence(client, keeper, Keys("lab"), node="n", ttl_s=5, report=report)
        task = asyncio.ensure_future(presence.run())
        async with asyncio.timeout(20):
            while not presence.stalled():
                await asyncio.sleep(0.001)
            assert "not one was renewed" in presence.stalled()
            keeper.hangs = False
            while presence.stalled():
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


REPORT = Report(name="n", address="10.0.0.1", url="https://10.0.0.1:8443", incarnation="first", home="here")


async def _run(presence: Presence) -> None:
    async with asyncio.timeout(20):
        await presence.run()


async def _shown(store: MemoryStore) -> Report | None:
    found = await store.get(KEYS.key("presence", "n"))
    return msgspec.json.decode(found.value, type=Report) if found else None


@asynccontextmanager
async def living(store: MemoryStore, report: Report) -> AsyncIterator[tuple[Presence, asyncio.Task[None]]]:
    """A presence that runs, with a keeper of its own."""
    keeper = LeaseKeeper(store)
    presence = Presence(store, keeper, KEYS, node="n", ttl_s=2, report=report, term=lambda: 7)
    task = asyncio.create_task(_run(presence))
    try:
        yield presence, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await keeper.aclose()


async def test_a_second_process_gives_way_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its report is never shown, it campaigns for nothing, and the history says what happened."""
    monkeypatch.setattr(presences, "GRACE_S", 0.2)
    store = MemoryStore(clock=time.monotonic)
    copy = msgspec.structs.replace(REPORT, url="https://10.0.0.2:8443", incarnation="copy", home="there")
    async with living(store, REPORT) as (first, _):
        await asyncio.wait_for(first.claimed.wait(), 20)
        async with living(store, copy) as (second, ending):
            with pytest.raises(IdentityInUse, match=r"identity of n is in the colony at 10\.0\.0\.1"):
                await ending
            assert not second.claimed.is_set()
        assert await _shown(store) == REPORT
        (said,) = (await store.range(*KEYS.below("events"))).kvs
        event = msgspec.json.decode(said.value, type=Event)
        assert (event.type, event.subject, event.term) == ("node.duplicate", "n", 7)


@pytest.mark.parametrize(
    "left",
    [
        msgspec.structs.replace(REPORT, incarnation="its predecessor, whose lock it has"),
        msgspec.structs.replace(REPORT, incarnation="elsewhere", url="https://10.0.0.9:1", leaving=True),
        {"name": 1},
        "[" * 5000,
    ],
)
async def test_what_nobody_can_be_alive_behind_is_taken_over_at_once(left: object) -> None:
    store = MemoryStore(clock=time.monotonic)
    raw = left.encode() if isinstance(left, str) else msgspec.json.encode(left)
    grant = await store.grant(3600)
    await store.put(KEYS.key("presence", "n"), raw, lease=grant.id)
    async with living(store, REPORT) as (presence, _):
        await asyncio.wait_for(presence.claimed.wait(), 20)
        assert await _shown(store) == REPORT


@pytest.mark.parametrize("home", ["there", ""])
async def test_two_copies_of_one_disk_with_one_address_do_not_take_turns(
    monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """Behind a translated address, or in two containers, the copy is configured with the very same URL."""
    monkeypatch.setattr(presences, "GRACE_S", 0.2)
    store = MemoryStore(clock=time.monotonic)
    first_report = msgspec.structs.replace(REPORT, home=home and "here")
    copy = msgspec.structs.replace(REPORT, incarnation="copy", home=home)
    async with living(store, first_report) as (first, _):
        await asyncio.wait_for(first.claimed.wait(), 20)
        async with living(store, copy) as (second, ending):
            with pytest.raises(IdentityInUse):
                await ending
            assert not second.claimed.is_set()
        assert await _shown(store) == first_report


async def test_a_copy_that_is_stopped_early_does_not_sign_the_original_off() -> None:
    store = MemoryStore(clock=time.monotonic)
    copy = msgspec.structs.replace(REPORT, url="https://10.0.0.2:8443", incarnation="copy", home="there")
    async with living(store, REPORT) as (first, _):
        await asyncio.wait_for(first.claimed.wait(), 20)
        async with living(store, copy) as (second, _):
            async with asyncio.timeout(20):
                while second._other_since is None:
                    await asyncio.sleep(0.01)
            await second.say_goodbye()
        assert await _shown(store) == REPORT
        await first.say_goodbye()
        assert await _shown(store) == msgspec.structs.replace(REPORT, leaving=True)


async def test_a_dead_process_at_another_address_is_waited_for_as_long_as_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presences, "GRACE_S", 10.0)
    store = MemoryStore(clock=time.monotonic)
    before = msgspec.structs.replace(REPORT, incarnation="before the move", home="on another host")
    grant = await store.grant(1)
    await store.put(KEYS.key("presence", "n"), msgspec.json.encode(before), lease=grant.id)
    async with living(store, REPORT) as (presence, _):
        await asyncio.wait_for(presence.claimed.wait(), 20)
        assert await _shown(store) == REPORT


async def test_a_report_that_somebody_removed_is_shown_again() -> None:
    store = MemoryStore(clock=time.monotonic)
    async with living(store, REPORT) as (presence, _):
        await asyncio.wait_for(presence.claimed.wait(), 20)
        await store.delete(KEYS.key("presence", "n"))
        changed = msgspec.structs.replace(REPORT, priority=7)
        presence.update(changed)
        async with asyncio.timeout(20):
            while await _shown(store) != changed:
                await asyncio.sleep(0.01)


class Silent(MemoryStore):
    """Grants leases, and does not answer the next ``times`` reads."""

    times = 3
    granted = 0

    async def grant(self, ttl: int) -> Grant:
        self.granted += 1
        return await super().grant(ttl)

    async def get(self, key: bytes, *, revision: int = 0, serializable: bool = False) -> KeyValue | None:
        if self.times:
            self.times -= 1
            raise StoreUnreachable("etcd does not answer", maybe_applied=False)
        return await super().get(key, revision=revision, serializable=serializable)


async def test_requests_that_etcd_does_not_answer_leave_no_leases_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper would keep each of them alive for as long as the agent lives."""
    monkeypatch.setattr(presences, "RETRY_S", 0.01)
    store = Silent(clock=time.monotonic)
    async with living(store, REPORT) as (presence, _):
        await asyncio.wait_for(presence.claimed.wait(), 20)
        assert (store.times, store.granted) == (0, 1)


async def test_a_lease_that_etcd_has_forgotten_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presences, "RETRY_S", 0.01)
    store = Silent(clock=time.monotonic)
    async with living(store, REPORT) as (presence, _):
        while not store.granted:
            await asyncio.sleep(0)
        await store.revoke(1)
        await asyncio.wait_for(presence.claimed.wait(), 20)
        assert store.granted == 2
        assert await _shown(store) == REPORT
