"""The members heard lately, bounded in number and age."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from aware_agent.discovery.beacon import Beacon


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """What one member last said of itself and the queen."""

    id: str
    name: str
    address: str
    url: str
    queen_id: str
    queen_url: str
    term: int
    is_queen: bool


class PeerTable:
    """Peers by id, least recently heard first."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._peers: OrderedDict[str, tuple[Peer, float]] = OrderedDict()

    def __len__(self) -> int:
        """Peers listed now."""
        return len(self._peers)

    def __iter__(self) -> Iterator[Peer]:
        """All peers, least recently heard first."""
        return iter([peer for peer, _ in self._peers.values()])

    def get(self, node_id: str) -> Peer | None:
        """The peer of that id, when it was heard lately."""
        entry = self._peers.get(node_id)
        return entry[0] if entry else None

    def hear(self, beacon: Beacon, now: float) -> Peer | None:
        """Note a beacon heard at ``now`` (seconds, monotonic); the peer when it is new or says something new."""
        peer = Peer(
            id=beacon.sender, name=beacon.name, address=beacon.address, url=beacon.url,
            queen_id=beacon.queen_id, queen_url=beacon.queen_url, term=beacon.term, is_queen=beacon.is_queen,
        )  # fmt: skip
        before = self._peers.pop(peer.id, None)
        if len(self._peers) >= self._capacity:
            self._peers.popitem(last=False)
        self._peers[peer.id] = (peer, now)
        return peer if before is None or before[0] != peer else None

    def remove(self, node_id: str) -> None:
        """Forget a peer that said good-bye."""
        self._peers.pop(node_id, None)

    def expire(self, before: float) -> int:
        """Forget who was last heard before that time; how many they were."""
        count = 0
        while self._peers:
            node_id = next(iter(self._peers))
            if self._peers[node_id][1] >= before:
                break
            del self._peers[node_id]
            count += 1
        return count
