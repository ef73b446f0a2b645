"""A good-bye is not taken back by a look at the colony that comes after it."""

from __future__ import annotations

import msgspec

from aware_agent.agent.presence import Presence
from aware_agent.colony.node import Report
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys
from aware_agent.store.lease import LeaseKeeper


async def test_an_update_after_the_good_bye_changes_nothing() -> None:
    report = Report(name="n", address="127.0.0.1", url="https://127.0.0.1:1", incarnation="i")
    async with EtcdClient(["127.0.0.1:9"]) as client:
        presence = Presence(client, LeaseKeeper(client), Keys("lab"), node="n", ttl_s=5, report=report)
        presence.update(msgspec.structs.replace(report, priority=7))
        assert presence.report.priority == 7
        presence.report = msgspec.structs.replace(report, leaving=True)
        presence.update(report)
        assert presence.report.leaving
