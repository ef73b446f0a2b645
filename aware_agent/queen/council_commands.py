"""What admins ask of the council: to move a seat. The wish is written down; the keeper carries it out."""

from __future__ import annotations

import time

import msgspec

from aware_agent.colony.council_move import choose_target
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.seats import SeatMove
from aware_agent.queen.commands import MovingSeat
from aware_agent.queen.council_duty import CouncilDuty
from aware_agent.queen.nodes import node_record
from aware_agent.queen.writer import FencedWriter
from aware_agent.store import ops


class CouncilCommands:
    """Writes about seats; ids or names of nodes are both understood."""

    def __init__(self, writer: FencedWriter, duty: CouncilDuty) -> None:
        self._writer = writer
        self._duty = duty

    async def move_seat(self, source: str, target: str, *, actor: str) -> MovingSeat:
        """Let ``source`` give its seat to ``target``, or when that is empty to whom the keeper would choose.

        Raises NotFound, Conflict with what is in the way.
        """
        async with self._writer.writing():
            giver, _ = node_record(self._writer, source)
            wanted = node_record(self._writer, target)[0] if target else None
            names = {node.id: node.name for node in (giver, wanted) if node}
            situation = msgspec.structs.replace(self._duty.situation(), names=names)
            chosen = choose_target(situation, giver.id, wanted.id if wanted else "")
            taker, _ = node_record(self._writer, chosen)
            move = SeatMove(source=giver.id, target=taker.id, asked_at=time.time(), term=self._writer.term)
            moving = MovingSeat(source=giver.id, target=taker.id)
            key = self._writer.key("council-move")
            line = EventDraft(
                "council.move_asked", giver.id, f"{giver.name} shall give its seat to {taker.name}", Severity.NOTICE
            )
            changes = [ops.put(key, msgspec.json.encode(move))]
            await self._writer.commit(changes, [line], actor, [ops.absent(key)], answer=moving)
        self._duty.refresh()
        return moving
