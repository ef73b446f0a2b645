"""A colony with a queen, in memory, and her commands."""

from __future__ import annotations

from typing import Any

import pytest

from aware_agent.colony.event import Event
from aware_agent.queen.reign import Reign
from aware_agent.store.errors import StoreError
from tests.memory_colony import MemoryColony


class Queen:
    """Node 0 reigns over ``nodes`` ready nodes."""

    def __init__(self, nodes: int = 3) -> None:
        self.colony = MemoryColony()
        self.colony.put_ca()
        for number in range(nodes):
            self.colony.add_node(number)
        self.colony.put_spec(size=nodes)
        self.colony.begin_reign(0)
        self.reign: Reign = self.colony.reign()
        self.begun_at = self.colony.etcd.revision

    async def run(self, command: Any, *, actor: str = "ada", source: str = "127.0.0.1") -> Any:
        """Carry it out."""
        return await self.colony.carry_out(self.reign, command, actor=actor, source=source)

    def events(self) -> list[Event]:
        """What this reign put on record."""
        return [event for _, event in self.colony.history.since(self.begun_at, 1_000)]

    def told(self) -> list[str]:
        """Types of these events."""
        return [event.type for event in self.events()]


async def refused(queen: Queen, command: Any, error: type[Exception], **caller: str) -> str:
    """The command is refused so, and nothing was written. Returns what was said."""
    before = queen.colony.etcd.revision
    with pytest.raises(error) as raised:
        await queen.run(command, **caller)
    assert queen.colony.etcd.revision == before
    assert not isinstance(raised.value, StoreError)
    return str(raised.value)
