"""Nodes as users of etcd, where the colony is guarded: added before a node is told that it is in, removed with it.

Users are not keys: no transaction covers them. So they are compared with the records when a reign begins, when
something went wrong, and now and then; whoever has no record loses his user.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

from aware_agent.colony.errors import AwareError, Deposed
from aware_agent.colony.node import Record
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.ledger import Ledger
from aware_agent.security import pki
from aware_agent.security.records import ColonyRecord
from aware_agent.store.access import ROOT, NodeAccess
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from aware_agent.store.lines import Credentials

log = logging.getLogger(__name__)

EVERY_S = 600.0
RETRY_S = 5.0
ROOT_DAYS = 1 / 24  # such a certificate is made for one piece of work and kept in memory only
DEADLINE_S = 5.0


class EtcdUsers:
    """For one reign. Does nothing while etcd is not guarded."""

    def __init__(
        self, ledger: Ledger, certificates: Certificates, etcd: tuple[str, ...], bundle: Callable[[], bytes]
    ) -> None:
        self._ledger = ledger
        self._certificates = certificates
        self._etcd = etcd
        self._bundle = bundle
        self._nudged = asyncio.Event()

    @property
    def guarded(self) -> bool:
        """Whether etcd asks who comes."""
        colony = self._ledger.reader.one("colony", ColonyRecord)
        return colony is not None and colony.etcd_auth

    async def admit(self, record: Record, before: Record | None) -> None:
        """Give a node that joins its user. Call it before the node is told. Raises StoreError."""
        if not self.guarded:
            return
        async with self._nodes() as nodes:
            if before is not None and before.candidate != record.candidate:
                await nodes.dismiss(record.id)
            await nodes.admit(record.id, whole=record.candidate)

    async def dismiss(self, node_id: str) -> None:
        """Take a removed node's user away. When that fails it is tried again later."""
        if not self.guarded:
            return
        try:
            async with self._nodes() as nodes:
                await nodes.dismiss(node_id)
        except StoreError as error:
            log.warning("etcd user %s not removed yet: %s", node_id, error.message)
            self._nudged.set()

    async def run(self) -> None:
        """Compare users with records until cancelled or deposed."""
        while True:
            pause = EVERY_S
            try:
                await self._compare()
            except Deposed:
                raise
            except AwareError as error:
                log.warning("etcd users not compared: %s", error.message)
                pause = RETRY_S
            self._nudged.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudged.wait()
                    await asyncio.sleep(RETRY_S)

    async def _compare(self) -> None:
        if not self.guarded:
            return
        async with self._ledger.writing(), self._nodes() as nodes:
            known, records = await nodes.known(), self._ledger.reader.records()
            for node_id in known - records.keys():
                await nodes.dismiss(node_id)
                log.info("etcd user %s removed: no such node", node_id)
            for node_id in records.keys() - known:
                await nodes.admit(node_id, whole=records[node_id].candidate)
                log.info("etcd user %s added", node_id)

    @contextlib.asynccontextmanager
    async def _nodes(self) -> AsyncIterator[NodeAccess]:
        ca = self._certificates.ca()
        pair = pki.issue(ca, pki.make_key(), common_name=ROOT, sans=[], now=time.time(), days=ROOT_DAYS)
        credentials = Credentials(ca=self._bundle(), cert=pair.certificate, key=pair.key)
        async with EtcdClient(self._etcd, credentials, deadline_s=DEADLINE_S) as client:
            yield NodeAccess(client, self._ledger.reader.keys)
