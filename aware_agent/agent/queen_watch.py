"""What this node's copy of etcd shows of the reign, told to the election: each change once."""

from __future__ import annotations

from collections.abc import Callable

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony import election


class QueenWatch:
    """Remembers whom it has seen reigning. ``seen_term`` is the create revision of the queen key, 0 without one."""

    def __init__(self, reader: ColonyReader) -> None:
        self._reader = reader
        self._looked = False
        self._newest = 0  # term: what it left behind, and older ones did, is told
        self.seen_term = 0

    def look(self, post: Callable[[election.Event], None]) -> bool:
        """Draw the consequences of what the copy shows now. Returns whether another queen reigns than before.

        What the copy never showed is never told: a term that came and went between two looks was no queen here. Whom
        she named is told all the same, for the others wait for him.
        """
        post(election.Succession(self._reader.line(), self._reader.unserved()))
        queen = self._reader.projection.get(self._reader.keys.queen)
        record = self._reader.queen_record()
        first, self._looked = not self._looked, True
        if queen is not None and record is not None:
            if queen.create_revision == self.seen_term:
                return False
            self.seen_term = self._newest = queen.create_revision
            post(election.QueenSeen(record, queen.create_revision))
            return True
        handover = self._reader.handover()
        named = handover.term if handover else 0
        # At the first look whoever is named may have reigned and fallen since.
        news = not first and named >= (self.seen_term or self._newest + 1)
        if self.seen_term or first or news:
            post(election.Vacant(handover if news else None))
        self._newest = max(self._newest, named)
        self.seen_term = 0
        return False
