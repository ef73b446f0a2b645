"""Puts nodes that do not run into a colony, so that a real queen serves many: their records and presence in etcd."""

from __future__ import annotations

import hashlib
import os
import time

import msgspec

from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Capabilities, Record, Report
from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys

ZONES = ("az1", "az2", "az3")
TIERS = ("gold", "silver", "bronze")
_PER_TXN = 60  # operations; etcd allows 128 in one transaction


async def populate(client: EtcdClient, keys: Keys, count: int, *, first: int = 1) -> None:
    """Add ``count`` nodes named ``bench-<number>``; their presence keys hang on no lease, so they stay ready.

    They are eligible, for a worker is there by its channel alone, and no candidates, so none of them can reign.
    """
    now = time.time()
    puts: list[ops.Op] = []
    for number in range(first, first + count):
        record = _record(number, now)
        assert record.report is not None
        puts.append(ops.put(keys.key("nodes", record.id), msgspec.json.encode(record)))
        puts.append(ops.put(keys.key("presence", record.id), msgspec.json.encode(record.report)))
        if len(puts) >= _PER_TXN:
            await client.txn([], puts)
            puts = []
    if puts:
        await client.txn([], puts)


def _record(number: int, now: float) -> Record:
    name = f"bench-{number}"
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    report = Report(
        name=name,
        address=address,
        url=f"https://{address}:8443",
        incarnation=ulid(now, os.urandom(10)),
        version="0.1.0",
        joined_at=now + number,
        candidate=False,
        capabilities=Capabilities(vcpus=4, ram_mib=8192, disk_gib=80, zone=ZONES[number % len(ZONES)]),
        labels={"tier": TIERS[number // 3 % len(TIERS)]},
        origin="seed",
    )
    identity = ulid(now, hashlib.sha256(name.encode()).digest()[:10])
    return Record(id=identity, name=name, joined_at=now + number, status_since=now, report=report, eligible=True)
