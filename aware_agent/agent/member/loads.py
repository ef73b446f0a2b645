"""What this member knows of how busy nodes are and when they were heard, in memory and nowhere else.

A queen hears it on the channels that end at her. Every other member has her word for it, a slice of nodes at a time on
the channel it has anyway, so that all of them answer the same. Whoever follows her begins with what she knew last, and
with what came on the channels that he had as her heir. Times are seconds ago wherever they are sent: clocks differ.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from aware_agent.agent.load_meter import LoadMeter
from aware_agent.channel.frames import MAX_ROWS, Loads
from aware_agent.channel.session import Session
from aware_agent.colony.load import UNKNOWN_AFTER_S, Load, Row

TURN_S = 5.0  # every node is told of so often, as long as there are no more than five slices of them
SLICE_S = 1.0  # between two slices


class Kept(NamedTuple):
    """Of one node, in monotonic seconds; None: never."""

    heard_at: float | None = None
    told_at: float | None = None
    load: Load | None = None


class Channels(Protocol):
    """What this needs of :class:`aware_agent.agent.member.channels.MemberChannels`."""

    def sessions(self) -> Iterable[Session]:
        """The channels that end here."""

    def members(self) -> Iterable[Session]:
        """Those of them that are of council members."""

    def nodes(self) -> Iterable[str]:
        """Ids of all nodes of the colony."""


class LoadBook:
    """One for each member, for as long as its agent lives. ``term``: the one it reigns under now, 0 for none;
    ``seen_term``: the one of the queen it knows of."""

    def __init__(
        self,
        me: str,
        channels: Channels,
        meter: LoadMeter,
        term: Callable[[], int],
        seen_term: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._me, self._channels, self._meter, self._clock = me, channels, meter, clock
        self._term, self._seen_term = term, seen_term
        self._kept: dict[str, Kept] = {}
        self.tell: Callable[[Sequence[Row]], None] = lambda _rows: None  # the gateway beside this agent

    async def run(self) -> None:
        """A duty: tell gateway and members, until cancelled."""
        left: list[Row] = []
        turn_at = self._clock()
        while True:
            now = self._clock()
            if now >= turn_at and not left:
                turn_at = now + TURN_S
                rows = self.rows()
                self.tell(rows)
                left = rows
            left = left if self._term() else []
            slice_, left = left[:MAX_ROWS], left[MAX_ROWS:]
            if slice_:
                self._pass_on(slice_)
            await asyncio.sleep(SLICE_S if left else max(SLICE_S, turn_at - self._clock()))

    def learn(self, loads: Loads) -> None:
        """The queen's word, and nobody else's; of nodes that are not in the colony nothing is kept."""
        if loads.term != self._seen_term():
            return
        now, nodes = self._clock(), frozenset(self._channels.nodes())
        for row in loads.rows:
            if row.node in nodes:
                self._kept[row.node] = _newer(self._kept.get(row.node, Kept()), _kept(row, now))

    def rows(self) -> list[Row]:
        """All nodes, as they are known now."""
        if self._term():
            self._gather()
        now, nodes = self._clock(), tuple(self._channels.nodes())
        self._kept = {node: self._kept[node] for node in nodes if node in self._kept}
        return [_row(node, self._kept.get(node, Kept()), now) for node in nodes]

    def loads(self) -> dict[str, Load]:
        """Loads that are known now, by node."""
        return {row.node: row.load for row in self.rows() if row.load is not None}

    def closed(self, session: Session) -> None:
        """Its channel ended: what it said last stays known for a while."""
        if self._term():
            self._note(session.node, _of(session))

    def _gather(self) -> None:
        for session in self._channels.sessions():
            self._note(session.node, _of(session))
        self._meter.look()
        meter = self._meter
        self._note(self._me, Kept(self._clock(), meter.told_at if meter.load else None, meter.load))

    def _note(self, node: str, kept: Kept) -> None:
        self._kept[node] = _newer(self._kept.get(node, Kept()), kept)

    def _pass_on(self, rows: Sequence[Row]) -> None:
        """To members whose channel has nothing else to carry: their heartbeats decide who reigns, and come first."""
        frame = Loads(term=self._term(), rows=tuple(rows))
        for session in self._channels.members():
            if not session.busy and not session.silent:
                session.send(frame)


def _of(session: Session) -> Kept:
    return Kept(session.heard_at, session.told_at if session.load else None, session.load)


def _kept(row: Row, now: float) -> Kept:
    heard_at = None if row.heard is None else now - row.heard
    if row.load is None or row.told is None:
        return Kept(heard_at)
    return Kept(heard_at, now - row.told, row.load)


def _newer(before: Kept, after: Kept) -> Kept:
    """Of each part what is newer."""
    heard_at = max((at for at in (before.heard_at, after.heard_at) if at is not None), default=None)
    if after.told_at is None or (before.told_at is not None and before.told_at > after.told_at):
        return Kept(heard_at, before.told_at, before.load)
    return Kept(heard_at, after.told_at, after.load)


def _row(node: str, kept: Kept, now: float) -> Row:
    heard = None if kept.heard_at is None else round(max(0.0, now - kept.heard_at), 3)
    if kept.load is None or kept.told_at is None or now - kept.told_at > UNKNOWN_AFTER_S:
        return Row(node, heard)
    return Row(node, heard, round(max(0.0, now - kept.told_at), 3), kept.load)
