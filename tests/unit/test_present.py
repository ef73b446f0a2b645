"""Who is here as a queen sees it, and what workers are told: over a real mirror's reader, with records of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from channel_support import node_id, report

from aware_agent.agent.member.news import News, Told
from aware_agent.agent.reader import ColonyReader
from aware_agent.channel.frames import Announcement, NewConfig, NewRecord, NewTrust
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.node import AgentConfig, Config, Record, Report, Status
from aware_agent.colony.rotation import Trust
from aware_agent.queen.present import SETTLE_S, Present
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.memory import MemoryEtcd, MemoryStore
from aware_agent.store.subscription import ProjectionBatch
from tests.memory_colony import FollowingProjection

KEYS = Keys("lab")
QUEEN, HEIR, WORKER, OTHER = (node_id(number) for number in range(4))


class Colony:
    """A colony in the etcd in memory, as a reader reads it."""

    def __init__(self) -> None:
        self.etcd = MemoryEtcd()
        self.projection = FollowingProjection(MemoryStore(self.etcd), KEYS.everything())
        self.reader = ColonyReader(self.projection, KEYS)
        self.projection.listen(self._changed)
        for node, name in ((QUEEN, "queen"), (HEIR, "heir")):
            self.put(("nodes", node), Record(id=node, name=name, joined_at=1.0, eligible=True))
            self.put(("presence", node), report(name, channel=f"{name}:8444", joined_at=1.0))
        self.record(WORKER, "worker", Status.READY)
        queen_record = QueenRecord(
            id=QUEEN, name="queen", url="https://q", incarnation="i", since=1.0, channel="queen:8444"
        )
        self.put(("queen",), queen_record)

    def put(self, parts: tuple[str, ...], value: Any) -> None:
        self.etcd.txn([], [ops.put(KEYS.key(*parts), msgspec.json.encode(value))])

    def _changed(self, batch: ProjectionBatch) -> None:
        self.reader.changed(batch.revision, [change.kv.key for change in batch.changes])

    def record(self, node: str, name: str, status: Status) -> None:
        self.put(("nodes", node), Record(id=node, name=name, joined_at=2.0, status=status, report=report(name)))


class Channels:
    """What a member's channels say of workers."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}

    def present(self) -> Mapping[str, Report]:
        return self.reports

    def take_twins(self) -> Mapping[str, str]:
        return {}

    def take_absurd(self) -> Mapping[str, str]:
        return {}


def test_members_are_here_by_their_lease_and_workers_by_their_channel() -> None:
    colony, channels, now = Colony(), Channels(), 1000.0
    present = Present(colony.reader, channels, lambda: now)  # type: ignore[arg-type]
    colony.record(OTHER, "other", Status.SUSPECT)
    colony.put(("presence", OTHER), report("other"))  # a worker that wrote to etcd is not here for it
    # A new queen does not miss at once whoever was ready.
    assert present.reports().keys() == {QUEEN, HEIR, WORKER}
    assert present.settles_in() > SETTLE_S
    now += 3600.0
    assert present.settles_in() == 0.0
    assert present.reports().keys() == {QUEEN, HEIR}
    channels.reports = {WORKER: report("worker", leaving=True), OTHER: report("other")}
    here = present.reports()
    assert here.keys() == {QUEEN, HEIR, WORKER, OTHER}
    assert here[WORKER].leaving


def test_a_worker_is_told_everything_once_and_then_what_changes() -> None:
    colony = Colony()
    news, told = News(colony.reader), Told()
    first = news.pending(WORKER, told, news.announcement())
    assert [type(frame) for frame in first] == [NewRecord, NewConfig, NewTrust, Announcement]
    announcement = first[-1]
    assert isinstance(announcement, Announcement)
    assert announcement.queen is not None
    assert announcement.heir is not None
    assert (announcement.queen.channel, announcement.heir.channel) == ("queen:8444", "heir:8444")
    assert announcement.size == 3
    assert news.pending(WORKER, told, news.announcement()) == []
    config = Config(agent=AgentConfig(log_level="debug"))
    colony.put(("config", WORKER), config)
    assert news.pending(WORKER, told, news.announcement()) == [NewConfig(version=1, config=config)]
    colony.put(("config", OTHER), config)
    assert news.pending(WORKER, told, news.announcement()) == []
    trust = Trust(generation=2)
    colony.put(("pki",), trust)
    assert news.pending(WORKER, told, news.announcement()) == [NewTrust(trust)]


def test_a_node_more_in_a_large_colony_is_no_news_to_all_the_others() -> None:
    colony = Colony()
    names = [f"01HZZZZZZZZZZZZZZZZZZZZ{number:03d}" for number in range(70)]
    for name in names[:20]:
        colony.record(name, name, Status.READY)
    news, told = News(colony.reader), Told()
    news.pending(WORKER, told, news.announcement())
    assert news.announcement().size == 32
    told_of = []
    for name in names[20:]:
        colony.record(name, name, Status.READY)
        told_of += news.pending(WORKER, told, news.announcement())
    assert [frame.size for frame in told_of if isinstance(frame, Announcement)] == [64, 128]


def test_while_nobody_reigns_the_last_term_stands() -> None:
    colony = Colony()
    news = News(colony.reader)
    term = news.announcement().term
    assert term > 0
    colony.etcd.txn([], [ops.delete(KEYS.queen)])
    vacant = news.announcement()
    assert (vacant.queen, vacant.term) == (None, term)
    assert vacant.heir is not None
    assert msgspec.msgpack.encode(vacant)
