"""A member's side of discovery: announces itself, hears the others, and as queen answers newcomers."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import msgspec

from aware_agent.discovery.beacon import NONCE_SIZE, Beacon, Kind, Reason, Rejected, decode, encode, foreign
from aware_agent.discovery.interfaces import Link
from aware_agent.discovery.pace import Pace
from aware_agent.discovery.peers import Peer, PeerTable
from aware_agent.discovery.replay import WINDOW_S, RateLimit, RecentKeys, ReplayMemory, clock_difference, in_window
from aware_agent.discovery.udp import BroadcastSocket, Source, open_all

log = logging.getLogger("aware.discovery")
_KIND_AT = 5  # where a datagram says what it is
_PREFIX = NONCE_SIZE // 2


class NodeAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    """What this node says of itself right now."""

    id: str
    name: str
    address: str
    url: str
    queen_id: str = ""
    queen_url: str = ""
    term: int = 0
    size: int = 0  # nodes in the colony as far as known; sets the pace together with the peers heard

    @property
    def is_queen(self) -> bool:
        """Whether this node believes it reigns."""
        return self.queen_id == self.id


class AnnounceKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of the colony secret's generations: ``current`` signs, all of ``keys`` are believed."""

    current: str
    keys: dict[str, bytes]

    def __repr__(self) -> str:
        """Generations only, never a key."""
        return f"AnnounceKeys(current={self.current!r}, generations={sorted(self.keys)})"


class BeaconService:
    """Beacons of one running member. Everything it keeps is bounded; nothing from the network makes it raise.

    ``describe`` is asked before each announcement and answer. ``token_key`` finds the beacon key of a valid join
    token by id, or ``None``; it is asked only while this node reigns. ``on_peer`` hears of peers that are new or
    say something new. While ``quiet`` says so nothing is announced. Use as an async context manager, or ``start`` and
    ``aclose``.
    """

    def __init__(
        self,
        *,
        colony: str,
        links: Sequence[Link],
        port: int,
        keys: AnnounceKeys,
        describe: Callable[[], NodeAnnouncement],
        token_key: Callable[[str], bytes | None] = lambda _: None,
        on_peer: Callable[[Peer], None] = lambda _: None,
        quiet: Callable[[], bool] = lambda: False,
        pace: Pace | None = None,
        window_s: float = WINDOW_S,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.colony = colony
        self.keys = keys  # may be replaced at any time; the next datagram uses it
        self.pace = pace or Pace()  # may be replaced as well
        self.peers = PeerTable()
        self.counters: Counter[str] = Counter()  # names come from code, so it is bounded
        self._links, self._port = links, port
        self._describe, self._token_key, self._on_peer = describe, token_key, on_peer
        self._quiet = quiet
        self._window_s, self._wall, self._monotonic = window_s, wall, monotonic
        self._taken = ReplayMemory(window_s=window_s)
        self._answered = RecentKeys()
        # All newcomers of one machine share an address: generous, and still nothing for a processor.
        self._seeks = RateLimit(rate=50, burst=200)
        # A line a minute per peer, and no more than this from all of them together.
        self._complaints = RateLimit(rate=1 / 60, burst=1, sources=64)
        self._all_complaints = RateLimit(rate=1 / 10, burst=10, sources=1)
        # Our own broadcasts come back to us; this prefix tells them before any HMAC is computed.
        self._own = secrets.token_bytes(_PREFIX)
        self._sequence = 0
        self._sent = 0  # announcements since the start or the last hurry, with those that quiet kept back
        self._size = 0
        self._sockets: list[BroadcastSocket] = []
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Open the sockets and announce.

        Raises ``PortInUse``, ``OSError`` for an address that is not ours, ``ValueError`` for a announcement that no
        beacon can carry; nothing stays open then.
        """
        self._sockets = open_all(self._links, self._port, self.handle, shared=True)
        try:
            self._tick()
        except BaseException:
            self._close()
            raise

    async def aclose(self) -> None:
        """Say good-bye once and close. Calling it again does nothing."""
        try:
            if self._sockets and not self._quiet():
                self._announce(leaving=True)
        finally:
            self._close()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()

    def hurry(self) -> None:
        """Announce now and fast for a while: something changed that others should know, such as the queen."""
        self._sent = 0
        if self._timer is not None:
            self._timer.cancel()
            self._tick()

    def metrics(self) -> Mapping[str, int]:
        """Counters since the start, and ``peers`` and ``send_errors``."""
        errors = sum(sock.send_errors for sock in self._sockets)
        return {**self.counters, "peers": len(self.peers), "send_errors": errors}

    def handle(self, datagram: bytes, source: Source, via: BroadcastSocket | None = None) -> None:
        """Take one datagram from the network."""
        if (reason := foreign(datagram, self.colony, own=self._own)) is not None:
            self._reject(reason)
            return
        # The key of a SEEK is looked up and opened before its MAC can be checked: so often and no more per source.
        if datagram[_KIND_AT] == Kind.SEEK and not self._seeks.allow(source[0], self._monotonic()):
            self.counters["seek_limited"] += 1
            return
        beacon = decode(datagram, self._key, self.colony, own=self._own)
        if isinstance(beacon, Rejected):
            self._reject(beacon.reason)
        elif beacon.kind is Kind.ANNOUNCE:
            self._hear(beacon)
        elif beacon.kind is Kind.SEEK:
            self._answer(beacon, source, via)

    def _key(self, kind: Kind, key_id: str) -> bytes | None:
        if kind is Kind.ANNOUNCE:
            return self.keys.keys.get(key_id)
        return self._token_key(key_id) if kind is Kind.SEEK else None

    def _reject(self, reason: Reason) -> None:
        self.counters[f"rejected_{reason.value}"] += 1

    def _hear(self, beacon: Beacon) -> None:
        now = self._wall()
        if not in_window(beacon.sent_ms, now, self._window_s):
            self.counters["skewed"] += 1
            self._complain(beacon, f"clock differs from ours by {clock_difference(beacon.sent_ms, now):+.0f} s")
            return
        if not self._taken.first_time(beacon.sender.encode() + beacon.nonce, beacon.sent_ms, now):
            self.counters["replayed"] += 1
            return
        if beacon.sender == self._describe().id:
            self.counters["twin"] += 1
            self._complain(beacon, "has our node id: was its state directory copied?")
            return
        self.counters["heard"] += 1
        if beacon.leaving:
            self.peers.remove(beacon.sender)
        elif news := self.peers.hear(beacon, self._monotonic()):
            self._on_peer(news)

    def _complain(self, beacon: Beacon, what: str) -> None:
        now = self._monotonic()
        if self._complaints.allow(beacon.sender, now) and self._all_complaints.allow("", now):
            log.warning("node %s at %s: %s", beacon.name, beacon.address, what)

    def _answer(self, seek: Beacon, source: Source, via: BroadcastSocket | None) -> None:
        if not self._describe().is_queen:
            self.counters["seek_not_queen"] += 1
            return
        # No time window: a newcomer whose clock is wrong must learn that from our answer. What stops a
        # recorded SEEK is its nonce, what stops many is the limit above.
        if not self._answered.first_time(seek.nonce):
            self.counters["replayed"] += 1
            return
        key = self._token_key(seek.key_id)
        if key is None or via is None:
            return
        offer = self._compose(Kind.OFFER, seek.key_id, seek.nonce)
        self.counters["offers"] += via.send(encode(offer, key, self.colony), source)

    def _tick(self) -> None:
        size = max(len(self.peers) + 1, self._size)
        self.peers.expire(self._monotonic() - self.pace.forget_after(size))
        dice = random.random()  # noqa: S311 - spreads load, keeps no secret
        # Scheduled before announcing: an error in describe() is reported by the loop and does not silence us.
        delay = self.pace.delay(self._sent + 1, size, dice)
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)
        self._size = self._describe().size
        if not self._quiet():
            self._announce(leaving=False)
        self._sent += 1

    def _announce(self, *, leaving: bool) -> None:
        self._sequence += 1
        nonce = self._own + (self._sequence % 2**32).to_bytes(4, "big")
        beacon = self._compose(Kind.ANNOUNCE, self.keys.current, nonce, leaving=leaving)
        datagram = encode(beacon, self.keys.keys[self.keys.current], self.colony)
        self.counters["announced"] += sum([sock.broadcast(datagram) for sock in self._sockets])

    def _compose(self, kind: Kind, key_id: str, nonce: bytes, *, leaving: bool = False) -> Beacon:
        me = self._describe()
        return Beacon(
            kind=kind, key_id=key_id, sent_ms=round(self._wall() * 1000), nonce=nonce, sender=me.id, name=me.name,
            address=me.address, url=me.url, queen_id=me.queen_id, queen_url=me.queen_url, term=me.term,
            size=min(me.size, 0xFFFF), is_queen=me.is_queen, leaving=leaving,
        )  # fmt: skip
