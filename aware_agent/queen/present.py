"""Who is here, as the queen sees it: members by their lease in etcd, workers by their channels to her."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.connection import beat_interval
from aware_agent.colony.liveness import was_here
from aware_agent.colony.node import Report

RESTART_S = 20.0  # an agent that restarts is back in a second or two; on a busy host it takes longer
SETTLE_S = 4.0  # a worker needs so long to hear of a new queen and to reach her


class Channels(Protocol):
    """What this needs of :class:`agent.member.channels.MemberChannels`."""

    def present(self) -> Mapping[str, Report]:
        """Reports of those whose channel is open here."""

    def take_twins(self) -> Mapping[str, str]:
        """Identities that a second process claims; each is told once in a while."""

    def take_absurd(self) -> Mapping[str, str]:
        """Nodes that told a load which cannot be, and what is wrong with it; each is told once in a while."""


class Present:
    """For one reign. A new queen has most workers' channels from when she was heir; the others get a while to come."""

    def __init__(self, reader: ColonyReader, channels: Channels, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._channels = channels
        self._clock = clock
        self._began = clock()
        self.expected: dict[str, float] = {}  # node id: until when it is not missed, Unix seconds

    def reports(self) -> Mapping[str, Report]:
        """Reports of all nodes that are here, by node id."""
        records, channels = self._reader.records(), self._channels.present()
        here = {node: report for node, report in self._reader.presence().items() if self._is_member(node)}
        settling = self.settles_in() > 0
        for node, record in records.items():
            if record.eligible:
                continue
            if node in channels:
                here[node] = channels[node]
            elif settling and was_here(record) and record.report is not None:
                here[node] = record.report  # not missed yet: whoever was ready is, until it had the time to come
        return here

    def expect(self, node: str) -> None:
        """It was ordered to restart: it is away for a moment, and back soon."""
        now = time.time()
        self.expected = {one: until for one, until in self.expected.items() if until > now}
        self.expected[node] = now + RESTART_S

    def restarts(self, node: str) -> bool:
        """Whether it was ordered to restart a moment ago."""
        return self.expected.get(node, 0.0) > time.time()

    def twins(self) -> Mapping[str, str]:
        """Workers whose identity a second process claims, and where that called from; each is told once in a while."""
        return self._channels.take_twins()

    def absurd(self) -> Mapping[str, str]:
        """Nodes that told a load which cannot be, and what is wrong with it; each is told once in a while."""
        return self._channels.take_absurd()

    def settles_in(self) -> float:
        """For how many seconds absent workers are not missed yet."""
        patience = SETTLE_S + 2 * beat_interval(len(self._reader.records()))
        return max(0.0, self._began + patience - self._clock())

    def _is_member(self, node: str) -> bool:
        record = self._reader.record(node)
        return record is not None and record.eligible
