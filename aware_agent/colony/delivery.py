"""How far one webhook is: which events were taken up, which are settled, and up to where nothing is left to do. Pure.

An event is settled when it was delivered, or given up and put among the dead letters. Events of other subjects do not
wait for one that is tried again, so they settle in any order; the position only moves over what is settled without a
gap. Whoever reigns next begins after the position: what settled beyond it is delivered once more, nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from aware_agent.colony.event import Event

WINDOW = 64  # events that are under way for one webhook
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 120.0


class Progress:
    """Events after ``position``, in the order of their revisions."""

    def __init__(self, position: int) -> None:
        self.taken = position  # up to here history was looked at
        self._open: dict[int, dict[str, Event]] = {}  # by revision, then by id
        self._count = 0

    @property
    def position(self) -> int:
        """Everything up to this revision is settled."""
        return min(self._open) - 1 if self._open else self.taken

    @property
    def room(self) -> int:
        """How many more events may be taken up."""
        return max(0, WINDOW - self._count)

    def take(self, revision: int, events: Iterable[Event]) -> None:
        """Take up the events of ``revision`` that somebody wants; none is fine. Revisions only grow."""
        if revision <= self.taken:
            raise ValueError(f"revision {revision} was looked at: {self.taken}")
        wanted = {event.id: event for event in events}
        if wanted:
            self._open[revision] = wanted
            self._count += len(wanted)
        self.taken = revision

    def settle(self, revision: int, event_id: str) -> Event | None:
        """The event is done with. Returns it; None when it was settled before or never taken up."""
        events = self._open.get(revision, {})
        event = events.pop(event_id, None)
        if event is None:
            return None
        self._count -= 1
        if not events:
            del self._open[revision]
        return event

    def skip(self, revision: int) -> None:
        """Up to ``revision`` there is nothing left to look at; what is under way stays so."""
        self.taken = max(self.taken, revision)


def pause_after(attempts: int, chance: float, asked_s: float = 0.0) -> float:
    """Seconds until the next attempt after ``attempts`` that failed.

    Half of it is fixed and half is ``chance`` (0 to 1), so that receivers which come back are not met by everybody at
    once; ``asked_s`` is what the receiver asked for (Retry-After), heeded within our own bound.
    """
    full = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 30))
    return max(full * (0.5 + 0.5 * chance), min(asked_s, LONGEST_PAUSE_S))
