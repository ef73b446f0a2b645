"""A colony with a queen, in memory, and her commands."""

from __future__ import annotations

from typing import Any

import pytest

from aware_agent.colony.event import Event
from aware_agent.colony.node import EtcdReport
from aware_agent.colony.seats import CouncilRecord, Seat
from aware_agent.colony.spec import CouncilSpec
from aware_agent.queen.reign import Reign
from aware_agent.security.grant import Grant
from aware_agent.store.errors import StoreError
from tests.memory_colony import MemoryColony, node_id


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

    async def run(
        self, command: Any, *, actor: str = "ada", source: str = "127.0.0.1", grant: Grant | None = None
    ) -> Any:
        """Carry it out."""
        return await self.colony.carry_out(self.reign, command, actor=actor, source=source, grant=grant)

    def events(self) -> list[Event]:
        """What this reign put on record."""
        return [event for _, event in self.colony.history.since(self.begun_at, 1_000)]

    def told(self) -> list[str]:
        """Types of these events."""
        return [event.type for event in self.events()]


def with_council(**reign: Any) -> Queen:
    """A queen of five nodes, of which the first three have seats. ``reign``: see :meth:`MemoryColony.reign`."""
    queen = Queen(nodes=5)
    for number in range(5):
        urls = {"client_url": f"https://127.0.0.1:2{number}", "peer_url": f"https://127.0.0.1:3{number}"}
        queen.colony.add_node(number, etcd=EtcdReport(version="3.5.16", free_mib=9000, **urls))
    queen.colony.put_spec(size=5, council=CouncilSpec(size=3))
    record = CouncilRecord(seats=tuple(Seat(member=n, node=node_id(n), name=f"demo-{n + 1}") for n in range(3)))
    queen.colony.put(queen.colony.keys.key("council"), record)
    queen.reign = queen.colony.reign(**reign)
    queen.begun_at = queen.colony.etcd.revision
    return queen


async def refused(queen: Queen, command: Any, error: type[Exception], **caller: Any) -> str:
    """The command is refused so, and nothing was written. Returns what was said."""
    before = queen.colony.etcd.revision
    with pytest.raises(error) as raised:
        await queen.run(command, **caller)
    assert queen.colony.etcd.revision == before
    assert not isinstance(raised.value, StoreError)
    return str(raised.value)
