"""The failure detector's transactions against etcd in memory: what it sees may be old, what etcd counts is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from aware_agent.agent.member.detector import Around, FailureDetector
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.connection import Connection, Phase
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.event import Event
from aware_agent.colony.node import Record, Report
from aware_agent.colony.suspicion import Suspicion
from aware_agent.colony.timing import Timing
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.lease import HeldLease, LeaseKeeper
from aware_agent.store.memory import MemoryEtcd, MemoryStore
from aware_agent.store.projection import Projection

KEYS = Keys("demo")


class Peer:
    """A channel to the queen, as it is made to be."""

    def __init__(self) -> None:
        self.state = Connection(phase=Phase.OPEN)
        self.probes = 0

    @property
    def is_open(self) -> bool:
        return self.state.phase is Phase.OPEN

    def probe(self) -> None:
        self.probes += 1


class Bench:
    """Member b of a, b and c, whose queen is a; its clock stands still, its copy of etcd is a real one."""

    def __init__(self) -> None:
        self.etcd = MemoryEtcd()
        self.store = MemoryStore(self.etcd)
        self.keeper = LeaseKeeper(self.store)
        self.projection = Projection(self.store, [KEYS.everything()])
        self.peer = Peer()
        self.lease: HeldLease | None = None
        self.now = 100.0
        self.term = 0

    async def start(self) -> FailureDetector:
        for number, node in enumerate("abc"):
            record = Record(id=node, name=node, joined_at=float(number), eligible=True)
            report = Report(name=node, address="", url="", incarnation=node, joined_at=float(number))
            self.etcd.txn([], [ops.put(KEYS.key("nodes", node), msgspec.json.encode(record))])
            self.etcd.txn([], [ops.put(KEYS.key("presence", node), msgspec.json.encode(report))])
        self.elect("a")
        self.lease = await self.keeper.grant(60)
        await self.projection.start()
        around = Around(lambda _member: self.peer, lambda: self.lease, lambda: 0)
        self.detector = FailureDetector(
            self.store,
            KEYS,
            ColonyReader(self.projection, KEYS),
            around,
            Suspicion(me="b", timing=Timing()),
            clock=lambda: self.now,
        )
        self.detector.changed()
        return self.detector

    def elect(self, node: str) -> None:
        """``node`` reigns from now on."""
        record = QueenRecord(id=node, name=node, url="", incarnation=node, since=0.0)
        self.etcd.txn([], [ops.delete(KEYS.queen)])
        self.term = self.etcd.txn([], [ops.put(KEYS.queen, msgspec.json.encode(record))]).revision

    def say(self, member: str, term: int) -> None:
        self.etcd.txn([], [ops.put(KEYS.suspicions(term) + member.encode(), b"{}")])

    def break_channel(self) -> None:
        """It was well a moment ago, and ends."""
        self.hear()
        self.now += 0.1
        self.peer.state = Connection(broken=True)
        self.detector.look()

    def hear(self) -> None:
        self.now += 0.1
        self.peer.state = Connection(phase=Phase.OPEN, heard_at=self.now)
        self.detector.look()

    def keys(self) -> list[str]:
        return [KEYS.relative(kv.key) for kv in self.etcd.range(*KEYS.below("suspect")).kvs]

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not happened():
                await asyncio.sleep(0.001)

    async def copied(self) -> None:
        """The copy shows what etcd has."""
        await self.projection.wait_revision(self.etcd.revision, 20)
        self.detector.changed()

    async def close(self) -> None:
        await self.projection.aclose()
        await self.keeper.aclose()
        await self.store.aclose()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.start()
    yield made
    await made.close()


async def test_what_is_said_hangs_on_the_members_lease_and_is_taken_back(bench: Bench) -> None:
    bench.break_channel()
    await bench.until(bench.keys)
    assert bench.keys() == [f"suspect/{bench.term}/b"]
    assert bench.lease is not None
    assert bench.etcd.range(*KEYS.below("suspect")).kvs[0].lease == bench.lease.id
    bench.hear()
    await bench.until(lambda: not bench.keys())
    assert bench.detector.state.suspects is False


async def test_without_a_lease_of_its_own_a_member_says_nothing_and_with_a_new_one_says_it_again(bench: Bench) -> None:
    lease, bench.lease = bench.lease, None
    bench.break_channel()
    await asyncio.sleep(0)
    assert bench.keys() == []
    assert lease is not None
    bench.lease = lease
    task = asyncio.create_task(bench.detector.run())
    await bench.until(bench.keys)
    bench.lease = await bench.keeper.grant(60)
    await lease.revoke()
    await bench.until(lambda: [kv.lease for kv in bench.etcd.range(*KEYS.below("suspect")).kvs] == [bench.lease.id])
    assert bench.keys() == [f"suspect/{bench.term}/b"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_of_a_queen_who_is_gone_nothing_is_said(bench: Bench) -> None:
    bench.elect("c")  # the copy does not show it yet
    bench.break_channel()
    await bench.copied()
    assert bench.keys() == []
    assert bench.detector.state.term == bench.term


async def test_the_majority_deposes_and_the_history_says_so(bench: Bench) -> None:
    bench.break_channel()
    bench.say("c", bench.term)
    await bench.until(lambda: len(bench.keys()) == 2)
    await bench.copied()
    await bench.until(lambda: not bench.etcd.range(KEYS.queen).kvs)
    assert bench.keys() == []
    events = [msgspec.json.decode(kv.value, type=Event) for kv in bench.etcd.range(*KEYS.below("events")).kvs]
    assert [(event.type, event.subject, event.term) for event in events] == [("queen.deposed", "a", bench.term)]
    assert "2 of 3 members suspect a" in events[0].message


async def test_one_who_took_it_back_a_moment_ago_is_not_counted(bench: Bench) -> None:
    """The copy still shows two; etcd has one."""
    bench.break_channel()
    bench.say("c", bench.term)
    await bench.until(lambda: len(bench.keys()) == 2)
    await bench.projection.wait_revision(bench.etcd.revision, 20)
    bench.etcd.txn([], [ops.delete(KEYS.suspicions(bench.term) + b"c")])
    bench.detector.changed()
    assert bench.detector._deposing is not None
    await bench.detector._deposing
    await asyncio.sleep(0)
    assert bench.etcd.range(KEYS.queen).kvs
    assert bench.detector.state.seen == ("b",), "it knows now who is left"


async def test_a_successor_is_not_deposed_for_what_was_said_of_the_last_one(bench: Bench) -> None:
    """The copy still shows the old queen and who suspects her; another reigns already."""
    bench.break_channel()
    old = bench.term
    bench.say("c", old)
    await bench.until(lambda: len(bench.keys()) == 2)
    await bench.projection.wait_revision(bench.etcd.revision, 20)
    bench.elect("c")
    bench.detector.changed()
    assert bench.detector._deposing is not None
    await bench.detector._deposing
    assert [kv.create_revision for kv in bench.etcd.range(KEYS.queen).kvs] == [bench.term]
    assert bench.term > old


async def test_what_lies_under_the_prefix_by_hand_does_not_count(bench: Bench) -> None:
    for name in ("x", "a", "\xff", *(f"n{number}" for number in range(150))):
        bench.say(name, bench.term)
    bench.break_channel()
    await bench.copied()
    assert bench.detector._deposing is None
    assert bench.etcd.range(KEYS.queen).kvs
