"""What this member's gateway tells the audit log, on its way to the queen; kept here, bounded, while nobody reigns."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from aware_agent.channel.frames import AuditNotes
from aware_agent.colony.audit import DROPPED, Asker, Entry, Kind, entry

MAX_KEPT = 512
AT_ONCE = 32
AGAIN_S = 5.0  # what was not acknowledged for so long is sent again

Send = Callable[[AuditNotes], bool]
"""Hands notes to the queen, if she can be reached. She acknowledges later, by :meth:`AuditPost.taken`."""


class AuditPost:
    """A queue whose head is sent again until it was acknowledged: each line comes at least once."""

    def __init__(self, me: str, send: Send, wall: Callable[[], float] = time.time) -> None:
        self._me, self._send, self._wall = me, send, wall
        self._kept: deque[Entry] = deque()
        self._sent: AuditNotes | None = None
        self._last = 0
        self._dropped = 0
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept) + (len(self._sent.notes) if self._sent else 0)

    def add(self, entries: Sequence[Entry]) -> None:
        """Take these along. What has no room is counted, and that count is told."""
        for one in entries:
            if len(self) < MAX_KEPT:
                self._kept.append(one)
            else:
                self._dropped += one.count
        self._news.set()

    def taken(self, number: int) -> None:
        """The queen has written what was sent under this number."""
        if self._sent is not None and self._sent.number == number:
            self._sent = None
            self._news.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._news.clear()
            if self._sent is None and (self._kept or self._dropped):
                self._last += 1
                self._sent = AuditNotes(number=self._last, notes=tuple(self._take()))
            if self._sent is None:
                await self._news.wait()
                continue
            self._send(self._sent)
            try:
                async with asyncio.timeout(AGAIN_S):
                    while self._sent is not None:
                        await self._news.wait()
                        self._news.clear()
            except TimeoutError:
                continue

    def _take(self) -> list[Entry]:
        notes = [self._kept.popleft() for _ in range(min(AT_ONCE, len(self._kept)))]
        if self._dropped and len(notes) < AT_ONCE:
            count, self._dropped = self._dropped, 0
            asker = Asker(kind=Kind.COLONY, member=self._me)
            change = f"{count} lines of this member had no room"
            told = entry(asker, now=self._wall(), action=DROPPED, actor="colony", subject=self._me, change=change)
            notes.append(told)
        return notes
