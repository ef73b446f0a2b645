"""The etcd client: :class:`protocol.Store` over a real etcd."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from aware_agent.store.keepalive import KeepAliveStream
from aware_agent.store.model import WatchBatch
from aware_agent.store.protocol import KeyRange, OnContact
from aware_agent.store.requests import EtcdRequests
from aware_agent.store.watch import Watcher


class EtcdClient(EtcdRequests):
    """Requests (see there for endpoints and time-outs) and the two streams."""

    async def __aenter__(self) -> EtcdClient:
        """Nothing is sent before the first request."""
        return self

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self.ring.closed

    def keepalives(self) -> KeepAliveStream:
        """A stream to the current endpoint."""
        return KeepAliveStream(self)

    def watch(
        self, ranges: Sequence[KeyRange], revision: int = 0, *, on_contact: OnContact | None = None
    ) -> AsyncGenerator[WatchBatch, None]:
        """One stream for all ``ranges``; between ranges order holds only up to etcd's message order.

        Batches with ``progress`` carry no events and say that the stream lives. :raises StoreRefused: not allowed.
        """
        return Watcher(self, ranges, revision, on_contact=on_contact).batches()
