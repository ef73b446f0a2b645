"""The codec: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import hmac
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aware_agent.discovery import beacon as codec
from aware_agent.discovery.beacon import (
    MAC_SIZE,
    MAX_SIZE,
    Beacon,
    Kind,
    Reason,
    Rejected,
    announce_key,
    decode,
    encode,
    id_from_bytes,
    id_to_bytes,
)

# A slow machine is no bug.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

COLONY = "demo"
KEY = b"k" * 32
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
IDS = st.binary(min_size=16, max_size=16).filter(any).map(id_from_bytes)
URLS = st.one_of(st.just(""), st.text(VISIBLE, min_size=1, max_size=120).map("https://{}".format))
ADDRESSES = st.one_of(st.just(""), st.ip_addresses().map(str))
BEACONS = st.builds(
    Beacon,
    kind=st.sampled_from(Kind),
    key_id=st.text(VISIBLE, min_size=1, max_size=32),
    sent_ms=st.integers(0, 2**64 - 1),
    nonce=st.binary(min_size=8, max_size=8),
    sender=IDS,
    name=st.text(VISIBLE, max_size=63),
    address=ADDRESSES,
    url=URLS,
    queen_id=st.one_of(st.just(""), IDS),
    queen_url=URLS,
    term=st.integers(0, 2**64 - 1),
    size=st.integers(0, 2**16 - 1),
    is_queen=st.booleans(),
    leaving=st.booleans(),
)
SAMPLE = Beacon(
    kind=Kind.ANNOUNCE,
    key_id="1",
    sent_ms=1_700_000_000_000,
    nonce=b"12345678",
    sender="01HF7YAT00041061050R3GG28A",
    name="demo-1",
    address="127.0.0.1",
    url="https://127.0.0.1:20101",
    queen_id="01HF7YAT00041061050R3GG28B",
    queen_url="https://127.0.0.1:20102",
    term=42,
    size=5,
)


def believe(_kind: Kind, _key_id: str) -> bytes:
    return KEY


def reason(result: Beacon | Rejected) -> Reason | None:
    return result.reason if isinstance(result, Rejected) else None


def signed(unsigned: bytes, key: bytes = KEY) -> bytes:
    return unsigned + hmac.digest(key, unsigned, "sha256")


@given(BEACONS)
def test_roundtrip(beacon: Beacon) -> None:
    datagram = encode(beacon, KEY, COLONY)
    assert len(datagram) <= MAX_SIZE
    assert decode(datagram, believe, COLONY) == beacon


def test_the_longest_beacon_fits() -> None:
    longest = Beacon(
        kind=Kind.OFFER,
        key_id="k" * 32,
        sent_ms=2**64 - 1,
        nonce=bytes(8),
        sender="7" + "Z" * 25,
        name="n" * 63,
        address="0000:0000:0000:0000:0000:ffff:255.255.255.255",
        url="https://".ljust(128, "u"),
        queen_id="7" + "Z" * 25,
        queen_url="https://".ljust(128, "q"),
        term=2**64 - 1,
        size=2**16 - 1,
        is_queen=True,
        leaving=True,
    )
    assert len(encode(longest, KEY, COLONY)) <= MAX_SIZE


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": ""},
        {"key_id": "k" * 33},
        {"sender": ""},
        {"sender": "not-a-ulid"},
        {"nonce": b"short"},
        {"name": "n" * 64},
        {"name": "two words"},
        {"name": "ünïcode"},
        {"name": "esc\x1b[2J"},
        {"address": "localhost"},
        {"url": "http://plain:1"},
        {"url": "https://"},
        {"queen_url": "https://".ljust(129, "q")},
        {"sent_ms": -1},
        {"term": 2**64},
        {"size": 2**16},
    ],
)
def test_encode_refuses_what_no_receiver_would_take(change: dict[str, object]) -> None:
    fields = {name: getattr(SAMPLE, name) for name in SAMPLE.__struct_fields__}
    with pytest.raises(ValueError, match=r"beacon|node id"):
        encode(Beacon(**{**fields, **change}), KEY, COLONY)


def test_every_flipped_bit_is_rejected() -> None:
    datagram = encode(SAMPLE, KEY, COLONY)
    for bit in range(len(datagram) * 8):
        flipped = bytearray(datagram)
        flipped[bit // 8] ^= 1 << bit % 8
        assert isinstance(decode(bytes(flipped), believe, COLONY), Rejected), f"bit {bit}"


@given(BEACONS, st.data())
def test_any_flipped_bit_is_rejected(beacon: Beacon, data: st.DataObject) -> None:
    datagram = bytearray(encode(beacon, KEY, COLONY))
    bit = data.draw(st.integers(0, len(datagram) * 8 - 1))
    datagram[bit // 8] ^= 1 << bit % 8
    assert isinstance(decode(bytes(datagram), believe, COLONY), Rejected)


@given(BEACONS)
def test_every_truncation_and_extension_is_rejected(beacon: Beacon) -> None:
    datagram = encode(beacon, KEY, COLONY)
    for length in range(len(datagram)):
        assert isinstance(decode(datagram[:length], believe, COLONY), Rejected)
    assert isinstance(decode(datagram + b"\0", believe, COLONY), Rejected)


@given(st.binary(max_size=600))
def test_noise_is_rejected(noise: bytes) -> None:
    assert isinstance(decode(noise, believe, COLONY), Rejected)


@given(st.binary(max_size=MAX_SIZE - MAC_SIZE))
def test_what_is_authentic_is_still_checked(noise: bytes) -> None:
    """A member that signs nonsense gets an answer from the codec, never an exception."""
    datagram = signed(encode(SAMPLE, KEY, COLONY)[: codec._HEADER.size + 1] + noise)
    result = decode(datagram, believe, COLONY)
    if isinstance(result, Beacon):
        assert decode(encode(result, KEY, COLONY), believe, COLONY) == result


@given(BEACONS, st.integers(0, 255).filter(lambda version: version != codec.VERSION))
def test_other_versions_are_ignored(beacon: Beacon, version: int) -> None:
    unsigned = bytearray(encode(beacon, KEY, COLONY)[:-MAC_SIZE])
    unsigned[4] = version
    assert reason(decode(signed(bytes(unsigned)), believe, COLONY)) is Reason.VERSION


@pytest.mark.parametrize("kind", [0, 5, 255])
def test_other_kinds_are_ignored(kind: int) -> None:
    unsigned = bytearray(encode(SAMPLE, KEY, COLONY)[:-MAC_SIZE])
    unsigned[5] = kind
    assert reason(decode(signed(bytes(unsigned)), believe, COLONY)) is Reason.KIND


@given(st.text(min_size=1).filter(lambda name: name != COLONY))
def test_other_colonies_are_ignored(other: str) -> None:
    assert reason(decode(encode(SAMPLE, KEY, other), believe, COLONY)) is Reason.COLONY


@given(BEACONS, st.binary(min_size=1, max_size=64).filter(lambda key: key != KEY))
def test_a_wrong_key_is_rejected(beacon: Beacon, wrong: bytes) -> None:
    if wrong.rstrip(b"\0") != KEY:  # HMAC pads short keys with zeros
        assert reason(decode(encode(beacon, wrong, COLONY), believe, COLONY)) is Reason.MAC


def test_an_unknown_key_id_is_rejected() -> None:
    assert reason(decode(encode(SAMPLE, KEY, COLONY), lambda _kind, _id: None, COLONY)) is Reason.UNKNOWN_KEY


def test_the_keyring_is_asked_for_kind_and_id() -> None:
    asked: list[tuple[Kind, str]] = []

    def note(kind: Kind, key_id: str) -> bytes:
        asked.append((kind, key_id))
        return KEY

    decode(encode(SAMPLE, KEY, COLONY), note, COLONY)
    assert asked == [(Kind.ANNOUNCE, "1")]


def test_an_echo_of_our_own_is_told_before_any_key_is_used() -> None:
    datagram = encode(SAMPLE, KEY, COLONY)

    def never(_kind: Kind, _key_id: str) -> bytes:
        raise AssertionError("asked for a key")

    assert reason(decode(datagram, never, COLONY, own=SAMPLE.nonce[:4])) is Reason.OWN


def test_unknown_flags_belong_to_the_future() -> None:
    unsigned = bytearray(encode(SAMPLE, KEY, COLONY)[:-MAC_SIZE])
    unsigned[6] |= 0x80
    assert decode(signed(bytes(unsigned)), believe, COLONY) == SAMPLE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"demo-1", b"demo\x1b1"),
        (b"demo-1", b"demo 1"),
        (b"demo-1", b"dem\xc3\xb61"[:6]),
        (b"127.0.0.1", b"127.0.0.x"),
        (b"https://127.0.0.1:20101", b"ftp:///127.0.0.1:20101/"),
    ],
)
def test_authentic_but_unsound_text_is_malformed(field: bytes, value: bytes) -> None:
    unsigned = encode(SAMPLE, KEY, COLONY)[:-MAC_SIZE]
    assert len(field) == len(value)
    assert reason(decode(signed(unsigned.replace(field, value, 1)), believe, COLONY)) is Reason.MALFORMED


def test_a_beacon_of_nobody_is_malformed() -> None:
    unsigned = bytearray(encode(SAMPLE, KEY, COLONY)[:-MAC_SIZE])
    unsigned[32:48] = bytes(16)
    assert reason(decode(signed(bytes(unsigned)), believe, COLONY)) is Reason.MALFORMED


def test_the_format_is_the_documented_one() -> None:
    """Pinned by hand from docs/wire/beacon.md: another implementation must agree byte by byte."""
    datagram = encode(SAMPLE, KEY, COLONY)
    expected = b"AWRB\x01\x01\x00\x01" + bytes.fromhex("2a97516c354b6884") + struct.pack("!Q", SAMPLE.sent_ms)
    expected += SAMPLE.nonce + id_to_bytes(SAMPLE.sender) + id_to_bytes(SAMPLE.queen_id) + struct.pack("!QH", 42, 5)
    expected += b"1" + b"\x06demo-1" + b"\x09127.0.0.1" + b"\x17https://127.0.0.1:20101\x17https://127.0.0.1:20102"
    assert datagram == signed(expected)


@given(st.binary(min_size=16, max_size=16))
def test_ids_survive(raw: bytes) -> None:
    assert id_to_bytes(id_from_bytes(raw)) == raw


def test_announce_keys_of_different_secrets_differ() -> None:
    assert announce_key(b"a" * 32) != announce_key(b"b" * 32)
    assert announce_key(b"a" * 32) != b"a" * 32


FOUND = replace(
    SAMPLE,
    kind=Kind.FOUND,
    level=2,
    founders=("01HF7YAT00041061050R3GG28A", "01HF7YAT00041061050R3GG28B"),
    queen_url="",
)


def test_a_founders_beacon() -> None:
    datagram = encode(FOUND, KEY, COLONY)
    assert decode(datagram, lambda _kind, _id: KEY, COLONY) == FOUND
    seven = tuple(id_from_bytes(bytes([n]) * 16) for n in range(1, 8))
    longest = replace(FOUND, name="n" * 63, address="::1", url="https://" + "u" * 120, key_id="k" * 16, founders=seven)
    assert len(encode(longest, KEY, COLONY)) <= MAX_SIZE


@pytest.mark.parametrize(
    "founders",
    [FOUND.founders[::-1], (FOUND.founders[0],) * 2, ("",), tuple(id_from_bytes(bytes([n]) * 16) for n in range(1, 9))],
)
def test_founders_that_are_no_set_are_not_sent(founders: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="each once and in order"):
        encode(replace(FOUND, founders=founders), KEY, COLONY)


def test_only_founders_speak_of_founders() -> None:
    with pytest.raises(ValueError, match="only a founder's beacon"):
        encode(replace(FOUND, kind=Kind.ANNOUNCE), KEY, COLONY)


@pytest.mark.parametrize("change", ["level", "count", "order", "cut"])
def test_malformed_founders_are_rejected(change: str) -> None:
    """Authentic, for whoever holds the key may be wrong as well."""
    signed = bytearray(encode(FOUND, KEY, COLONY)[:-MAC_SIZE])
    at = signed.index(id_to_bytes(FOUND.founders[0]), 74) - 2
    if change == "level":
        signed[at] = 4
    elif change == "count":
        signed[at + 1] = 8
    elif change == "order":
        signed[at + 2 : at + 34] = signed[at + 18 : at + 34] + signed[at + 2 : at + 18]
    else:
        del signed[at + 20 :]
        signed += bytes(20)
    datagram = bytes(signed) + hmac.digest(KEY, bytes(signed), "sha256")
    assert decode(datagram, lambda _kind, _id: KEY, COLONY) == Rejected(Reason.MALFORMED)
