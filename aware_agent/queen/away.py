"""Nodes that operators send away and bring back: repair, a move, power off.

What follows is others' work: castes and council look at the status, :mod:`aware_agent.queen.drain` takes the reign and
the seat of one that is still here, and :mod:`aware_agent.colony.liveness` ends it at its deadline.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from aware_agent.colony import liveness
from aware_agent.colony.away import Away, check_away
from aware_agent.colony.errors import Conflict
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Status
from aware_agent.queen.drain import successor
from aware_agent.queen.nodes import node_record, put_node
from aware_agent.queen.writer import EventDraft, FencedWriter, Written


class AwayCommands:
    """Writes about who is away; ids or names are both understood. ``me``: the queen's node."""

    def __init__(self, writer: FencedWriter, me: str) -> None:
        self._writer = writer
        self._me = me

    async def send_away(self, node_id: str, *, reason: str, until: float | None, actor: str) -> Written:
        """Let nobody miss a node until it is brought back, or until Unix time ``until``.

        Of one that is away already reason and deadline are replaced. Raises NotFound, InvalidInput, and Conflict for
        the queen when nobody else could reign.
        """
        now = time.time()
        check_away(reason, until, now)
        async with self._writer.writing():
            record, revision = node_record(self._writer, node_id)
            view = self._writer.reader.view()
            if record.id == self._me and not successor(view):
                raise Conflict(f"{record.name} reigns, and nobody else could", hint="let another node in first")
            before = record.away
            if before and (before.reason, before.until) == (reason, until):
                return self._writer.unchanged(revision)
            known = view.find(record.id)
            away = Away(
                by=actor,
                since=before.since if before else now,
                reason=reason,
                until=until,
                here=before.here if before else record.status is Status.READY,
                caste=before.caste if before else known.caste if known else "",
            )
            told = {"reason": reason, "until": until}
            line = EventDraft("node.away", record.id, _tell(record.name, away), Severity.NOTICE, told)
            return await put_node(self._writer, liveness.send_away(record, away, now), revision, line, actor)

    async def bring_back(self, node_id: str, *, actor: str) -> Written:
        """Miss the node again when it is silent. Raises NotFound."""
        async with self._writer.writing():
            record, revision = node_record(self._writer, node_id)
            if record.away is None:
                return self._writer.unchanged(revision)
            said = f"{record.name} is expected back" if not record.away.here else f"{record.name} is back"
            line = EventDraft("node.back", record.id, said, Severity.NOTICE)
            return await put_node(self._writer, liveness.bring_back(record, time.time()), revision, line, actor)


def _tell(name: str, away: Away) -> str:
    until = ""
    if away.until is not None:
        until = datetime.fromtimestamp(int(away.until), UTC).strftime(" until %Y-%m-%d %H:%M:%S UTC")
    return f"{name} is away{until}" + (f": {away.reason}" if away.reason else "")
