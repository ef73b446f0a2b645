"""What a council member tells workers, who cannot read etcd: each what concerns it, once for each change."""

from __future__ import annotations

import msgspec

from aware_agent.agent.reader import ColonyReader
from aware_agent.channel.frames import Announcement, FromMember, NewConfig, NewRecord, NewTrust, Seat
from aware_agent.colony.node import Config
from aware_agent.colony.rotation import Trust

MAX_MEMBERS = 15  # named to workers; a council has 7 at most
EXACT = 16  # a colony of no more nodes is told its size as it is


class Told(msgspec.Struct):
    """What one worker was told last on its present channel."""

    config: int = -1  # version
    record: int = -1  # revision
    trust: Trust | None = None
    announcement: Announcement | None = None


class News:
    """Reads the colony and says what is new."""

    def __init__(self, reader: ColonyReader) -> None:
        self._reader = reader
        self._term = 0

    def announcement(self) -> Announcement:
        """Who reigns and who would follow. While nobody reigns it carries the last term."""
        reader = self._reader
        queen_record, line, presence = reader.queen_record(), reader.line(), reader.presence()
        stored = reader.projection.get(reader.keys.queen)
        if stored is not None:
            self._term = max(self._term, stored.create_revision)
        queen = (
            Seat(id=queen_record.id, name=queen_record.name, url=queen_record.url, channel=queen_record.channel)
            if queen_record
            else None
        )
        seats = [Seat(id=n, name=presence[n].name, url=presence[n].url, channel=presence[n].channel) for n in line]
        heir = next((seat for seat in seats if queen is None or seat.id != queen.id), None)
        members = tuple(seats[:MAX_MEMBERS])
        return Announcement(
            term=self._term, queen=queen, heir=heir, members=members, size=_about(len(reader.records()))
        )

    def pending(self, node: str, told: Told, announcement: Announcement) -> list[FromMember]:
        """What ``node`` has not been told yet; from now on it has."""
        frames: list[FromMember] = []
        reader, keys = self._reader, self._reader.keys
        stored = reader.projection.get(keys.key("nodes", node))
        record = reader.record(node)
        if stored is not None and record is not None and stored.mod_revision != told.record:
            told.record = stored.mod_revision
            frames.append(NewRecord(msgspec.structs.replace(record, report=None)))  # it knows its own report
        kept = reader.projection.get(keys.key("config", node))
        version = kept.version if kept else 0
        if version != told.config:
            told.config = version
            frames.append(NewConfig(version=version, config=reader.one(f"config/{node}", Config) or Config()))
        trust = reader.vital("pki", Trust) or Trust()
        if trust != told.trust:
            told.trust = trust
            frames.append(NewTrust(trust))
        if announcement != told.announcement:
            told.announcement = announcement
            frames.append(announcement)
        return frames


def _about(count: int) -> int:
    """``count``, of a large colony rounded up to a power of two: each node that joins would else be told to all others.
    What depends on it is the pace of beacons and how renewals are spread."""
    return count if count <= EXACT else 1 << (count - 1).bit_length()
