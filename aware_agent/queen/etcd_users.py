"""Eligible nodes as users of etcd, where the colony is guarded: added before a node is told of it, removed with it.

Users are not keys: no transaction covers them. So they are compared with the records when a reign begins, when
something went wrong, and now and then; whoever has no record loses his user.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from aware_agent.colony.node import Record
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.loop import Loop
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.records import ColonyRecord
from aware_agent.store.access import NodeAccess
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError

log = logging.getLogger(__name__)

EVERY_S = 600.0
RETRY_S = 5.0
DEADLINE_S = 5.0


class EtcdUsers:
    """For one reign. Does nothing while etcd is not guarded. ``etcd``: where it is now; ``bundle``: council CAs."""

    def __init__(
        self,
        writer: FencedWriter,
        certificates: Certificates,
        etcd: Callable[[], tuple[str, ...]],
        bundle: Callable[[], bytes],
    ) -> None:
        self._writer = writer
        self._certificates = certificates
        self._etcd = etcd
        self._bundle = bundle
        self._loop = Loop("etcd users not compared", self._compare, retry_s=RETRY_S, broken_s=EVERY_S, least_s=RETRY_S)

    @property
    def guarded(self) -> bool:
        """Whether etcd asks who comes."""
        colony = self._writer.reader.vital("colony", ColonyRecord)
        return colony is not None and colony.etcd_auth

    async def admit(self, record: Record, before: Record | None) -> None:
        """Give an eligible node that joins its user. Call it before the node is told. Raises StoreError."""
        if not self.guarded or not (record.eligible or (before is not None and before.eligible)):
            return
        async with self._nodes() as nodes:
            if record.eligible:
                await nodes.admit(record.id)
            else:
                await nodes.dismiss(record.id)

    async def dismiss(self, node_id: str) -> None:
        """Take a removed node's user away. When that fails it is tried again later."""
        if not self.guarded:
            return
        try:
            async with self._nodes() as nodes:
                await nodes.dismiss(node_id)
        except StoreError as error:
            log.warning("etcd user %s not removed yet: %s", node_id, error.message)
            self._loop.refresh()

    async def run(self) -> None:
        """Compare users with records until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def _compare(self) -> float:
        if not self.guarded:
            return EVERY_S
        async with self._writer.writing(), self._nodes() as nodes:
            known = await nodes.known()
            eligible = {node_id for node_id, record in self._writer.reader.records().items() if record.eligible}
            for node_id in known - eligible:
                await nodes.dismiss(node_id)
                log.info("etcd user %s removed: no such member", node_id)
            for node_id in eligible - known:
                await nodes.admit(node_id)
                log.info("etcd user %s added", node_id)
        return EVERY_S

    @contextlib.asynccontextmanager
    async def _nodes(self) -> AsyncIterator[NodeAccess]:
        credentials = self._certificates.root_credentials(self._bundle())
        async with EtcdClient(self._etcd(), credentials, deadline_s=DEADLINE_S) as client:
            yield NodeAccess(client, self._writer.reader.keys)
