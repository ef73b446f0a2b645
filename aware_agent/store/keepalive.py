"""etcd's stream of keepalives."""

from __future__ import annotations

from aware_agent.store import rpc
from aware_agent.store.requests import EtcdRequests
from aware_agent.store.stream import Stream


class KeepAliveStream(Stream):
    """Implements :class:`protocol.KeepAlives`."""

    def __init__(self, client: EtcdRequests) -> None:
        super().__init__(client, rpc.KEEPALIVE)

    async def __aenter__(self) -> KeepAliveStream:
        """See :class:`Stream`."""
        await super().__aenter__()
        return self

    async def send(self, lease: int) -> None:
        """Returns when gRPC has taken it."""
        await self.write(rpc.pb.LeaseKeepAliveRequest(ID=lease))

    async def receive(self) -> tuple[int, int]:
        """The next answer."""
        answer = await self.read()
        return answer.ID, answer.TTL
