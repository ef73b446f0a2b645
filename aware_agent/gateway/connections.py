"""How many connections there may be, of one source and in all, and who makes room for whom.

Plain bookkeeping: connections are opaque, the caller closes those that are named. A source is an IPv4 address or an
IPv6 /64, which one host can have whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from aware_agent.channel.limits import source_of


class Connection(Protocol):
    """What is counted."""

    def idle(self) -> bool:
        """Whether nothing is being answered on it."""

    def abort(self) -> None:
        """End it at once; it releases itself."""


class Connections:
    """All connections of a listener by source. :meth:`admit` and :meth:`release` come in pairs."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most, self._most_each = most, most_each
        self._of: dict[object, str] = {}
        self._by_source: dict[str, dict[object, Connection | None]] = {}
        self.refused: Counter[str] = Counter()  # by reason, for metrics
        self.heard: Callable[[str, str], None] = _nobody  # told of reason and address of who is kept out

    def __len__(self) -> int:
        """How many there are."""
        return len(self._of)

    def admit(self, ticket: object, address: str) -> bool:
        """Whether one more from ``address`` may come; ``ticket`` stands for it until it is released.

        When all room is taken, the source that has most gives up a connection on which nothing happens, unless the
        newcomer's own source would then have as many: so who has many cannot keep out who has few.
        """
        source = source_of(address)
        mine = len(self._by_source.get(source, ()))
        if mine >= self._most_each:
            self.refused["source"] += 1
            self.heard("source", address)
            return False
        if len(self._of) >= self._most and not self._make_room(mine):
            self.refused["all"] += 1
            return False
        self._of[ticket] = source
        self._by_source.setdefault(source, {})[ticket] = None
        return True

    def bind(self, ticket: object, connection: Connection) -> None:
        """What was admitted is a connection now."""
        source = self._of.get(ticket)
        if source is not None:
            self._by_source[source][ticket] = connection

    def release(self, ticket: object) -> None:
        """It is gone. What was released before is released."""
        source = self._of.pop(ticket, None)
        if source is None:
            return
        left = self._by_source[source]
        del left[ticket]
        if not left:
            del self._by_source[source]

    def _make_room(self, mine: int) -> bool:
        most = max(self._by_source.values(), key=len, default={})
        if len(most) <= mine + 1:
            return False
        for ticket, connection in most.items():  # oldest first
            if connection is not None and connection.idle():
                self.release(ticket)
                connection.abort()
                self.refused["made-room"] += 1
                return True
        return False


def _nobody(reason: str, address: str) -> None:
    """Nobody wants to know."""
