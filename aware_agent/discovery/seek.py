"""A newcomer's side of discovery: find a way into the colony with nothing but its name and a join token.

What is found is a hint whom to ask. Trust begins in the join, which compares the CA with the token's pin.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import msgspec

from aware_agent.discovery.beacon import NONCE_SIZE, Beacon, Kind, Rejected, decode, encode
from aware_agent.discovery.errors import ClockSkew, NoColonyFound
from aware_agent.discovery.interfaces import choose_links
from aware_agent.discovery.reach import reachable, seed_url
from aware_agent.discovery.replay import WINDOW_S, clock_difference
from aware_agent.discovery.udp import BroadcastSocket, Source, open_all
from aware_agent.security.token import JoinToken, beacon_key

Clock = Callable[[], float]


class SeekSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who seeks, and how. Times in seconds."""

    node_id: str
    name: str
    address: str
    port: int = 20100
    broadcast: bool = True
    interfaces: tuple[str, ...] = ()  # empty: those that carry ``address``
    window_s: float = WINDOW_S
    answer_timeout_s: float = 5.0  # how long to call before giving up
    connect_timeout_s: float = 1.0  # per seed and remembered member
    first_pause_s: float = 0.2  # between calls; doubles up to 2 s
    settle_s: float = 0.1  # after the first answer: a deposed queen may have been the faster one


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask: ``urls`` in order of preference; ``origin`` is ``seed``, ``remembered`` or ``broadcast``."""

    urls: tuple[str, ...]
    origin: str
    queen_url: str = ""
    clock_skew_s: float | None = None  # ours minus the colony's, when an answer told


async def find_colony(
    colony: str,
    token: JoinToken,
    settings: SeekSettings,
    *,
    seeds: Sequence[str] = (),
    remembered: Sequence[str] = (),
    wall: Clock = time.time,
) -> Found:
    """The first way in. Raises :class:`NoColonyFound`, :class:`ClockSkew`, or ``InvalidInput`` for a bad seed."""
    async for found in search(colony, token, settings, seeds=seeds, remembered=remembered, wall=wall):
        return found
    tried = [f"{len(seeds)} seeds", f"{len(remembered)} remembered members"]
    tried.append(f"broadcast on UDP port {settings.port}" if settings.broadcast else "no broadcast")
    raise NoColonyFound(
        f"no node of colony {colony!r} answered ({', '.join(tried)})",
        hint="is a queen up, is the join token valid, do broadcasts pass? if they do not, set discovery.seeds",
    )


async def search(
    colony: str,
    token: JoinToken,
    settings: SeekSettings,
    *,
    seeds: Sequence[str] = (),
    remembered: Sequence[str] = (),
    wall: Clock = time.time,
) -> AsyncIterator[Found]:
    """All ways in, layer by layer: seeds, remembered members, broadcast. Nothing is tried before it is asked for."""
    for origin, urls in (("seed", [seed_url(seed) for seed in seeds]), ("remembered", list(remembered))):
        if up := await reachable(urls, settings.connect_timeout_s):
            yield Found(urls=up, origin=origin)
    if settings.broadcast and (found := await call(colony, token, settings, wall=wall)):
        yield found


async def call(colony: str, token: JoinToken, settings: SeekSettings, *, wall: Clock = time.time) -> Found | None:
    """Broadcast SEEKs until a queen answers or the time is over. Raises :class:`ClockSkew`."""
    seeker = _Seeker(colony, token, settings, wall)
    links = choose_links(settings.address, settings.interfaces)
    sockets = open_all(links, settings.port, seeker.hear, shared=False)
    try:
        if sockets:
            await seeker.run(sockets)
    finally:
        for sock in sockets:
            sock.close()
    return seeker.best()


class _Seeker:
    """One search by broadcast: nonces sent, offers heard."""

    def __init__(self, colony: str, token: JoinToken, settings: SeekSettings, wall: Clock) -> None:
        self._colony, self._settings, self._wall = colony, settings, wall
        self._key_id, self._key = token.id, beacon_key(token)
        self._pending: dict[bytes, float] = {}  # nonce -> when sent; as many as calls, which are few
        self._offers: dict[str, tuple[Beacon, float]] = {}  # by queen, with our clock minus hers
        self._answered = asyncio.Event()

    async def run(self, sockets: Iterable[BroadcastSocket]) -> None:
        try:
            async with asyncio.timeout(self._settings.answer_timeout_s):
                pause = self._settings.first_pause_s
                while not self._answered.is_set():
                    self._send(sockets)
                    await self._wait(pause)
                    pause = min(2 * pause, 2.0)
        except TimeoutError:
            return
        await asyncio.sleep(self._settings.settle_s)

    async def _wait(self, pause: float) -> None:
        try:
            async with asyncio.timeout(pause):
                await self._answered.wait()
        except TimeoutError:
            return

    def _send(self, sockets: Iterable[BroadcastSocket]) -> None:
        now = self._wall()
        seek = Beacon(
            kind=Kind.SEEK,
            key_id=self._key_id,
            sent_ms=round(now * 1000),
            nonce=secrets.token_bytes(NONCE_SIZE),
            sender=self._settings.node_id,
            name=self._settings.name,
            address=self._settings.address,
        )
        self._pending[seek.nonce] = now
        datagram = encode(seek, self._key, self._colony)
        for sock in sockets:
            sock.broadcast(datagram)

    def hear(self, datagram: bytes, _source: Source, _via: BroadcastSocket) -> None:
        """Take an answer: authentic, to a call of ours, and with a way in."""
        offer = decode(datagram, self._key_of, self._colony)
        if isinstance(offer, Rejected) or offer.nonce not in self._pending or not offer.url:
            return
        now = self._wall()
        # The queen read her clock at some moment between call and answer; the middle is the best guess.
        middle = (self._pending[offer.nonce] + now) / 2
        if offer.sender in self._offers or len(self._offers) < 16:
            self._offers[offer.sender] = (offer, -clock_difference(offer.sent_ms, middle))
            self._answered.set()

    def best(self) -> Found | None:
        """What the answer with the highest term says, ``None`` without one. Raises :class:`ClockSkew`."""
        if not self._offers:
            return None
        offer, skew = max(self._offers.values(), key=lambda entry: entry[0].term)
        if abs(skew) > self._settings.window_s:
            raise ClockSkew(skew, self._settings.window_s)
        queen_url = offer.queen_url or offer.url
        return Found(
            urls=tuple(dict.fromkeys([queen_url, offer.url])),
            origin="broadcast",
            queen_url=queen_url,
            clock_skew_s=skew,
        )

    def _key_of(self, kind: Kind, key_id: str) -> bytes | None:
        return self._key if kind is Kind.OFFER and key_id == self._key_id else None
