"""Malformed datagrams by the million: no exception, no growth.

``AWARE_FUZZ_DATAGRAMS`` sets how many (default 1,000,000), ``AWARE_FUZZ_SEED`` which. Every datagram goes through
the whole way of a reigning queen (limits, codec, guard, peer table, answers over a real loopback socket), and each
tenth through a newcomer's as well.
"""

from __future__ import annotations

import hmac
import os
import random
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from aware_agent.colony.ids import ulid
from aware_agent.discovery.beacon import MAC_SIZE, MAX_SIZE, Beacon, Kind, announce_key, encode
from aware_agent.discovery.interfaces import choose_links
from aware_agent.discovery.seek import SeekSettings, _Seeker
from aware_agent.discovery.service import AnnounceKeys, BeaconService, NodeAnnouncement
from aware_agent.discovery.udp import BroadcastSocket
from aware_agent.security.token import beacon_key, make_token

pytestmark = pytest.mark.fuzz

COUNT = int(os.environ.get("AWARE_FUZZ_DATAGRAMS", "1000000"))
SEED = int(os.environ.get("AWARE_FUZZ_SEED", "1"))
COLONY = "demo"
TOKEN = make_token("p" * 43, bytes(range(40)))
KEYS = {
    Kind.ANNOUNCE: announce_key(b"s" * 32),
    Kind.SEEK: beacon_key(TOKEN),
    Kind.OFFER: beacon_key(TOKEN),
    Kind.FOUND: b"f" * 32,
}
START = 1_700_000_000.0
STEP_S = 0.0001  # passes with each datagram


class Sample(NamedTuple):
    """A valid datagram, the key that signs it, and the time it is now."""

    datagram: bytes
    key: bytes
    now_ms: int


def node_id(number: int) -> str:
    return ulid(START, number.to_bytes(10, "big"))


def samples() -> list[tuple[bytes, bytes]]:
    """Valid beacons of each kind, short and long."""
    found = []
    for kind, key in KEYS.items():
        key_id = "1" if kind is Kind.ANNOUNCE else TOKEN.id
        for name, url in (("n", ""), ("n" * 63, "https://".ljust(128, "x"))):
            beacon = Beacon(
                kind=kind,
                key_id=key_id,
                sent_ms=round(START * 1000),
                nonce=b"12345678",
                sender=node_id(7),
                name=name,
                address="127.0.0.1",
                url=url,
                queen_id=node_id(8),
                queen_url="" if kind is Kind.FOUND else url,
                term=3,
                size=4,
                founders=(node_id(7), node_id(8)) if kind is Kind.FOUND else (),
            )
            found.append((encode(beacon, key, COLONY), key))
    return found


def flip(dice: random.Random, sample: Sample) -> bytes:
    datagram = bytearray(sample.datagram)
    for _ in range(dice.randint(1, 8)):
        datagram[dice.randrange(len(datagram))] ^= 1 << dice.randrange(8)
    return bytes(datagram)


def cut(dice: random.Random, sample: Sample) -> bytes:
    return sample.datagram[: dice.randrange(len(sample.datagram))]


def grow(dice: random.Random, sample: Sample) -> bytes:
    return sample.datagram + dice.randbytes(dice.randint(1, 600))


def splice(dice: random.Random, sample: Sample) -> bytes:
    datagram = sample.datagram
    at = dice.randrange(len(datagram))
    return datagram[:at] + dice.randbytes(dice.randint(1, 40)) + datagram[at + dice.randint(0, 40) :]


def noise(dice: random.Random, _sample: Sample) -> bytes:
    return dice.randbytes(dice.randint(0, MAX_SIZE + 1))


def noise_behind_header(dice: random.Random, sample: Sample) -> bytes:
    return sample.datagram[: dice.choice((4, 5, 6, 8, 16, 74))] + dice.randbytes(dice.randint(0, 400))


def signed_nonsense(dice: random.Random, sample: Sample) -> bytes:
    """What a member gone mad could send: damaged after the header's tag, then signed with the right key."""
    datagram, key = bytearray(sample.datagram[:-MAC_SIZE]), sample.key
    for _ in range(dice.randint(1, 6)):
        datagram[dice.randrange(6, len(datagram))] = dice.randrange(256)
    datagram[24:48] = dice.randbytes(24)  # nonce and sender, so that neither replay memory nor peer table helps
    unsigned = bytes(datagram[: dice.randint(70, len(datagram))]) if dice.random() < 0.2 else bytes(datagram)
    return unsigned + hmac.digest(key, unsigned, "sha256")


def signed_stranger(dice: random.Random, sample: Sample) -> bytes:
    """Sound in every way, from a node never heard of: fills every table there is."""
    return stamped(sample, sample.now_ms + dice.randint(-1000, 1000), dice.randbytes(24))


def recorded(dice: random.Random, sample: Sample) -> bytes:
    """Sound, and sent again and again for a second."""
    return stamped(sample, sample.now_ms // 1000 * 1000, b"12345678" + bytes(15) + b"1")


def stamped(sample: Sample, at_ms: int, nonce_and_sender: bytes) -> bytes:
    unsigned = bytearray(sample.datagram[:-MAC_SIZE])
    unsigned[16:48] = struct.pack("!Q", at_ms) + nonce_and_sender
    return bytes(unsigned) + hmac.digest(sample.key, unsigned, "sha256")


Mutation = Callable[[random.Random, Sample], bytes]
MUTATIONS: list[Mutation] = [
    flip, flip, cut, grow, splice, splice, noise, noise_behind_header, signed_nonsense, signed_stranger,
    recorded,
]  # fmt: skip


def malformed(count: int, seed: int, mutations: list[Mutation] = MUTATIONS, start: float = START) -> Iterator[bytes]:
    dice = random.Random(seed)
    valid = samples()
    for number in range(count):
        datagram, key = dice.choice(valid)
        yield dice.choice(mutations)(dice, Sample(datagram, key, round((start + number * STEP_S) * 1000)))


class Target:
    """A queen and a newcomer on loopback, in their own time."""

    def __init__(self) -> None:
        self.now = START
        me = NodeAnnouncement(
            id=node_id(1), name="q", address="127.0.0.1", url="https://127.0.0.1:1", queen_id=node_id(1)
        )
        links = choose_links("127.0.0.1")
        self.queen = BeaconService(
            colony=COLONY,
            links=links,
            port=1,
            keys=AnnounceKeys(current="1", keys={"1": KEYS[Kind.ANNOUNCE]}),
            describe=lambda: me,
            token_key=lambda key_id: KEYS[Kind.SEEK] if key_id == TOKEN.id else None,
            wall=lambda: self.now,
            monotonic=lambda: self.now,
        )
        seeker = SeekSettings(node_id=node_id(2), name="new", address="127.0.0.1")
        self.seeker = _Seeker(COLONY, TOKEN, seeker, lambda: self.now)
        self.seeker._pending[b"12345678"] = START
        # Answers go to the discard port of other loopback addresses, where nobody is.
        self.socket = BroadcastSocket(links[0], 1, lambda _d, _s, _v: None, shared=False)

    def feed(self, datagrams: Iterator[bytes]) -> int:
        count = 0
        for count, datagram in enumerate(datagrams, 1):
            self.now += STEP_S
            source = (f"127.{count >> 16 & 127}.{count >> 8 & 255}.{count & 127}", 9)
            self.queen.handle(datagram, source, self.socket)
            if count % 10 == 0:
                self.seeker.hear(datagram, source, self.socket)
        return count

    def sizes(self) -> dict[str, int]:
        queen = self.queen
        return {
            "peers": len(queen.peers),
            "replay memory": len(queen._taken),
            "answered": len(queen._answered),
            "seek sources": len(queen._seeks),
            "complaints": len(queen._complaints),
            "counters": len(queen.counters),
            "offers": len(self.seeker._offers),
            "pending": len(self.seeker._pending),
        }


BOUNDS = {
    "peers": 10_000,
    "replay memory": 4096,
    "answered": 4096,
    "seek sources": 1024,
    "complaints": 64,
    "counters": 32,
    "offers": 16,
    "pending": 1,
}


async def test_a_million_malformed_datagrams(capsys: pytest.CaptureFixture[str]) -> None:
    target = Target()
    try:
        first = target.feed(malformed(COUNT // 2, SEED))
        blocks = sys.getallocatedblocks()
        fed = first + target.feed(malformed(COUNT - COUNT // 2, SEED + 1, start=target.now))
        grown = sys.getallocatedblocks() - blocks
    finally:
        target.socket.close()
    with capsys.disabled():
        print(f"\n{fed:,} datagrams, blocks grown {grown}, {dict(target.queen.counters)}, {target.sizes()}")
    assert fed == COUNT
    counted = sum(count for name, count in target.queen.counters.items() if name != "offers")
    assert counted >= fed * 0.9, "almost all of them must be counted as something"
    for name, size in target.sizes().items():
        assert size <= BOUNDS[name], name
    if COUNT >= 1_000_000:  # the tables are full after half of it, and nothing else may keep memory
        assert grown < 20_000
    for reason in ("length", "magic", "version", "colony", "kind", "mac", "malformed", "unknown_key"):
        assert target.queen.counters[f"rejected_{reason}"] > 0, f"the corpus never reaches {reason}"
    for path in ("heard", "replayed", "offers", "skewed"):
        assert target.queen.counters[path] > 0, f"the corpus never reaches {path}"


async def test_noise_leaves_no_memory_behind() -> None:
    """Without a key nothing is kept at all: bytes allocated by the package, before and after."""
    target = Target()
    strangers: list[Mutation] = [flip, cut, grow, splice, noise, noise_behind_header]

    def unsigned(count: int) -> Iterator[bytes]:
        return malformed(count, SEED, strangers)

    try:
        target.feed(unsigned(20_000))  # fills the table of seek sources
        only_ours = [tracemalloc.Filter(True, "*/aware_agent/*")]
        tracemalloc.start()
        try:
            target.feed(unsigned(20_000))
            before = sum(s.size for s in tracemalloc.take_snapshot().filter_traces(only_ours).statistics("filename"))
            target.feed(unsigned(40_000))
            after = sum(s.size for s in tracemalloc.take_snapshot().filter_traces(only_ours).statistics("filename"))
        finally:
            tracemalloc.stop()
    finally:
        target.socket.close()
    assert len(target.queen.peers) == 0
    assert after - before < 64 * 1024
