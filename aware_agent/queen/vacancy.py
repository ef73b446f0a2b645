"""Room for an etcd that is full while nobody reigns: it grants no lease then, so nobody could be elected to see to it.

One of the members does what a queen would: of those whose etcd is well the one with the lowest id. There is no term to
prove, so it makes sure before each step that still nobody reigns. Should two take themselves for the lowest, what they
do is done twice, which does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aware_agent.agent.node import Node
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.errors import Deposed
from aware_agent.queen.audit import Seals
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.council_duty import RecordedColony
from aware_agent.queen.loop import Loop
from aware_agent.queen.maintenance import Maintenance
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.sealed import KeyringSealer
from aware_agent.store.errors import StoreError
from aware_agent.store.health import Trouble
from aware_agent.store.members import Members

LOOK_S = 5.0
NOBODY = 0  # the term while nobody reigns: the create revision of a key that is not there


class Vacancy:
    """For the life of an agent. ``reader``: the copy of the colony, which is made when it is first asked for."""

    def __init__(self, node: Node, reader: Callable[[], Awaitable[ColonyReader]]) -> None:
        self._node = node
        self._reader = reader
        self._members: Members | None = None
        self._maintenance: Maintenance | None = None
        self._colony: RecordedColony | None = None
        self._loop = Loop("etcd's room while nobody reigns", self._once, retry_s=LOOK_S, broken_s=60.0)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._loop.run()
        finally:
            await self._forget()

    async def _once(self) -> float:
        if self._node.store().trouble is not Trouble.FULL or self._node.seen_term:
            await self._forget()
            return LOOK_S
        try:
            return await self._care()
        except Deposed:  # somebody was elected: then it is hers
            await self._forget()
            return LOOK_S

    async def _care(self) -> float:
        if self._maintenance is None or self._members is None or self._colony is None:
            await self._begin()
        assert self._members is not None
        assert self._maintenance is not None
        assert self._colony is not None
        if self._colony.council_spec() is None or not await self._is_mine(self._members):
            return LOOK_S
        return await self._maintenance.work(quiet=False, hosts={one.id: one for one in self._colony.candidates()})

    async def _begin(self) -> None:
        node, reader = self._node, await self._reader()
        writer = FencedWriter(node.client, reader, NOBODY, Seals(node.settings.colony, node.keyring))
        certificates = Certificates(writer, node.keyring, KeyringSealer(node.keyring), lambda: node.etcd)
        self._colony = RecordedColony(writer, node.id)
        self._members = Members(node.etcd, lambda: certificates.root_credentials(node.council_ca_pem))
        self._maintenance = Maintenance(self._colony, self._members)

    async def _forget(self) -> None:
        members, self._members = self._members, None
        self._maintenance = self._colony = None
        if members is not None:
            await members.aclose()

    async def _is_mine(self, members: Members) -> bool:
        entries = await members.list()
        said = await members.statuses(entries)
        well = [entry.name for entry in entries if not entry.learner and entry.id in said and said[entry.id].leader]
        if not well:
            raise StoreError("no member of etcd is well")
        return min(well) == self._node.id
