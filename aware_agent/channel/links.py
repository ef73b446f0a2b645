"""The channels a node keeps: to the queen and to the heir, so that after a failover she has everybody already."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from aware_agent.background import Background
from aware_agent.channel.client import Channel, Node
from aware_agent.channel.frames import FromNode, Seat, Why
from aware_agent.colony.connection import Phase

log = logging.getLogger(__name__)

MOST = 2


class Links:
    """Keeps a channel to each of the seats it was last aimed at; ``name`` is what a member's certificate carries."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name
        self._channels: dict[str, Channel] = {}
        self._signs: dict[str, str] = {}
        self._tasks = Background("closing of a channel")
        self._closed = False

    def aim(self, seats: Sequence[Seat]) -> None:
        """From now on these members matter, the first ones most; at most :data:`MOST` of them."""
        if self._closed:
            return
        wanted = {seat.id: seat for seat in seats[:MOST] if seat.channel}
        self._rename(wanted.values())
        for member, channel in list(self._channels.items()):
            if wanted.get(member) != channel.seat:
                self._drop(member)
        for member, seat in wanted.items():
            if member not in self._channels:
                channel = self._channels[member] = Channel(seat, self._node, self._name)
                channel.start()

    def alive(self, signs: Mapping[str, str]) -> None:
        """What shows that members live. Attempts in vain have made the next one rare: a new sign makes it due."""
        before, self._signs = self._signs, dict(signs)
        for member, sign in signs.items():
            channel = self._channels.get(member)
            if channel is not None and before.get(member) != sign:
                channel.expect()

    def post(self, frame: FromNode) -> None:
        """Send ``frame`` on every channel that is open; the others will tell it in their hello."""
        for channel in self._channels.values():
            channel.post(frame)

    @property
    def members(self) -> tuple[str, ...]:
        """Who it was last aimed at."""
        return tuple(self._channels)

    def get(self, member: str) -> Channel | None:
        """The channel to ``member``."""
        return self._channels.get(member)

    def states(self) -> Mapping[str, int]:
        """How many channels are in which state; every state is named."""
        counts = Counter(str(channel.state.phase) for channel in self._channels.values())
        return {str(phase): counts[str(phase)] for phase in Phase}

    async def close(self, why: Why, text: str = "") -> None:
        """Say good-bye everywhere."""
        self._closed = True
        channels, self._channels = list(self._channels.values()), {}
        await asyncio.gather(*(channel.close(why, text) for channel in channels))
        await self._tasks.finish()

    def _rename(self, seats: Iterable[Seat]) -> None:
        """A member known by its address alone has a name now, or another name or URL: its channel stays."""
        by_address = {channel.seat.channel: member for member, channel in self._channels.items()}
        for seat in seats:
            known_as = by_address.get(seat.channel)
            if known_as is not None and (known_as == seat.id or seat.id not in self._channels):
                channel = self._channels.pop(known_as)
                channel.seat = seat
                self._channels[seat.id] = channel

    def _drop(self, member: str) -> None:
        channel = self._channels.pop(member)
        self._tasks.start(channel.close(Why.UNNEEDED))
