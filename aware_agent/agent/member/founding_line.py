"""How founders hear each other: beacons by broadcast, and straight to the seeds where broadcasts do not pass."""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from aware_agent.colony.founders import Level, Say, Word
from aware_agent.discovery.beacon import NONCE_SIZE, Beacon, Kind, Rejected, decode, encode
from aware_agent.discovery.interfaces import Link
from aware_agent.discovery.replay import in_window
from aware_agent.discovery.udp import BroadcastSocket, Source, open_all
from aware_agent.security.founding_key import FoundingKey

_PREFIX = NONCE_SIZE // 2


class FoundingLine:
    """Sends this node's word, and gives those of others to ``hear``. Open it inside a running loop; close it.

    ``links``: where broadcasts go. ``seeds``: gateway URLs, whose hosts get each word as well.
    """

    def __init__(
        self,
        key: FoundingKey,
        *,
        me: str,
        name: str,
        address: str,
        url: str,
        links: Sequence[Link],
        port: int,
        seeds: Sequence[str],
        hear: Callable[[Word], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._key, self._beacon_key = key, key.beacon_key
        self._me, self._name, self._address, self._url = me, name, address, url
        self._links, self._port = links, port
        self._targets = tuple((host, port) for host in _hosts(seeds) if host != address)
        self._hear, self._wall = hear, wall
        self._own = secrets.token_bytes(_PREFIX)  # our own broadcasts come back to us
        self._sent = 0
        self._last_ms = 0
        self._sockets: list[BroadcastSocket] = []
        self._direct: list[BroadcastSocket] = []

    def open(self) -> None:
        """Raises PortInUse, OSError."""
        self._sockets = open_all(self._links, self._port, self._take, shared=True)
        try:
            if self._targets:  # their words come to our own address, not to a broadcast address
                self._direct = open_all(self._links[:1], self._port, self._take, shared=False)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop sending and hearing."""
        for sock in (*self._sockets, *self._direct):
            sock.close()
        self._sockets, self._direct = [], []

    def say(self, said: Say) -> None:
        """Send it to everybody once."""
        self._sent += 1
        # Words of one sender are ordered by this: it grows, also when two are sent in one millisecond.
        self._last_ms = max(self._last_ms + 1, round(self._wall() * 1000))
        beacon = Beacon(
            kind=Kind.FOUND,
            key_id=self._key.id,
            sent_ms=self._last_ms,
            nonce=self._own + (self._sent % 2**32).to_bytes(4, "big"),
            sender=self._me,
            name=self._name,
            address=self._address,
            url=self._url,
            level=int(said.level),
            founders=said.founders,
        )
        datagram = encode(beacon, self._beacon_key, self._key.colony)
        for sock in self._sockets:
            sock.broadcast(datagram)
        for sock in self._direct[:1]:
            for target in self._targets:
                sock.send(datagram, target)

    def _take(self, datagram: bytes, _source: Source, _via: BroadcastSocket) -> None:
        beacon = decode(datagram, self._find_key, self._key.colony, own=self._own)
        if isinstance(beacon, Rejected) or beacon.kind is not Kind.FOUND or beacon.sender == self._me:
            return
        if not in_window(beacon.sent_ms, self._wall()):
            return
        level = Level(beacon.level)
        self._hear(
            Word(
                sender=beacon.sender,
                name=beacon.name or beacon.sender,
                level=level,
                founders=beacon.founders,
                sent=float(beacon.sent_ms),
            )
        )

    def _find_key(self, kind: Kind, key_id: str) -> bytes | None:
        return self._beacon_key if kind is Kind.FOUND and key_id == self._key.id else None


def _hosts(seeds: Sequence[str]) -> list[str]:
    """IPv4 addresses among the hosts of ``seeds``: what the sockets speak."""
    found = []
    for seed in seeds:
        host = urlsplit(seed).hostname or ""
        try:
            if ipaddress.ip_address(host).version == 4:
                found.append(host)
        except ValueError:
            continue
    return found
