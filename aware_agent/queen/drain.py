"""Takes the colony's own work from nodes that are drained or away: the reign, and the seat in the council.

The order is in the node's record, so it outlives the queen that took it. Castes follow by themselves
(:mod:`aware_agent.colony.castes`). One thing at a time, and only what somebody else can take over: until then the node
keeps it, and the history says once why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from aware_agent.colony.errors import Conflict
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.node import Record, Status
from aware_agent.colony.seats import CouncilRecord, SeatMove
from aware_agent.colony.view import ColonyView
from aware_agent.queen.council_commands import CouncilCommands
from aware_agent.queen.loop import Loop
from aware_agent.queen.wishes import WishCommands
from aware_agent.queen.writer import FencedWriter

log = logging.getLogger(__name__)

ACTOR = "colony"
LOOK_S = 3.0
# A drained node reigns when nobody else would: it must not hand over again the moment after its successor failed.
REIGN_S = 10.0


def successor(view: ColonyView) -> str:
    """Id of the node that a drained queen hands over to, "" when every other is drained or not ready. Pure."""
    able = [node for node in view.nodes if node.status is Status.READY and not node.drained]
    return min(((node.rank, node.id) for node in able if node.rank is not None), default=(0, ""))[1]


class Drain:
    """For one reign; ``me`` is the queen's node. ``clock`` shows seconds that only go forward."""

    def __init__(
        self,
        writer: FencedWriter,
        me: str,
        wishes: WishCommands,
        council: CouncilCommands,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._me = me
        self._wishes = wishes
        self._council = council
        self._clock = clock
        self._began = clock()
        self._told: dict[str, str] = {}  # node: why its seat stays, as the history tells
        self._loop = Loop("drain", self.once, retry_s=LOOK_S, broken_s=30.0, least_s=0.5)

    def refresh(self) -> None:
        """Something changed: look again."""
        self._loop.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def once(self) -> float | None:
        """One look. Returns the seconds until the next, None when nobody is drained.

        The seat of who is away and silent is not moved but given anew, by the keeper of the council.
        """
        records = self._writer.reader.records()
        drained = {i: record for i, record in records.items() if record.drained or (record.away and record.away.here)}
        self._told = {node: why for node, why in self._told.items() if node in drained}
        if not drained:
            return None
        if self._me in drained and self._clock() - self._began >= REIGN_S:
            to = successor(self._writer.reader.view())
            if to:
                await self._wishes.transfer(
                    to, actor=f"{ACTOR}, for {drained[self._me].name} is {_state(drained[self._me])}"
                )
                return LOOK_S
        seated = self._seated()
        for node in sorted(set(drained) & seated - {self._me}):
            if self._writer.reader.one("council-move", SeatMove) is not None:
                break
            await self._give_up_seat(drained[node])
        return LOOK_S

    def _seated(self) -> set[str]:
        known = self._writer.reader.one("council", CouncilRecord)
        return {seat.node for seat in known.seats} if known else set()

    async def _give_up_seat(self, record: Record) -> None:
        try:
            await self._council.move_seat(record.id, "", actor=ACTOR)
        except Conflict as error:
            why = error.message
            if self._told.get(record.id) == why:
                return
            self._told[record.id] = why
            said = f"{record.name} is {_state(record)} and keeps its seat in the council: {why}"
            log.info("%s", said)
            async with self._writer.writing():
                line = EventDraft("node.drain_waits", record.id, said, Severity.NOTICE)
                await self._writer.commit([], [line], ACTOR)
        else:
            self._told.pop(record.id, None)


def _state(record: Record) -> str:
    return "away" if record.away else "drained"
