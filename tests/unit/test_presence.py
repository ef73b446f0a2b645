"""A good-bye is not taken back by a look at the colony that comes after it."""

from __future__ import annotations

import asyncio
import time

import msgspec

from aware_agent.agent.presence import Presence
from aware_agent.colony.node import Report
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys
from aware_agent.store.lease import HeldLease, LeaseKeeper
from aware_agent.store.model import Grant


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
