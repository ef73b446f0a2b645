"""The beacon: one authenticated UDP datagram. Format and reasons: docs/wire/beacon.md.

:func:`decode` is fed by anyone who can reach the port. It never raises on bytes: it returns a :class:`Beacon`
whose every field was checked, or :class:`Rejected` with the reason. Cheap tests come first, the HMAC next,
parsing last, so that what is not ours costs about a microsecond.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
from collections.abc import Callable
from enum import Enum, IntEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from aware_agent.colony.ids import ULID
from aware_agent.security import keyring

announce_key = keyring.announce_key  # known where secrets are held

MAGIC = b"AWRB"
VERSION = 1
MAX_SIZE = 512
MAC_SIZE = 32
NONCE_SIZE = 8

_HEADER = struct.Struct("!4sBBBB8sQ8s16s16sQH")
_MIN_SIZE = _HEADER.size + 1 + 4 + MAC_SIZE  # one byte of key id, four empty strings
_MAX_KEY_ID, _MAX_NAME, _MAX_ADDRESS, _MAX_URL = 32, 63, 45, 128
_LIMITS = (_MAX_NAME, _MAX_ADDRESS, _MAX_URL, _MAX_URL)
_IS_QUEEN, _LEAVING = 1, 2
_MAX_FOUNDERS, _MAX_LEVEL = 7, 3
_NOBODY = bytes(16)
_TO_BASE32 = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "abcdefghijklmnopqrstuv")
_FROM_DIGIT = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class _Header(NamedTuple):
    """The fields of ``_HEADER``."""

    magic: bytes
    version: int
    kind: int
    flags: int  # bits we do not know are for later versions and mean nothing
    key_id_length: int
    tag: bytes
    sent_ms: int
    nonce: bytes
    sender: bytes
    queen: bytes
    term: int
    size: int


class Kind(IntEnum):
    """What a datagram is for."""

    ANNOUNCE = 1  # a member to all members; key: the colony's
    SEEK = 2  # a newcomer to whoever is queen; key: the join token's
    OFFER = 3  # the queen's answer to one SEEK, its nonce echoed; key: the same token's
    FOUND = 4  # a founder to all who hold the founding key; key: that key's


_KINDS = {int(kind): kind for kind in Kind}


class Reason(Enum):
    """Why a datagram was not taken; the value names its counter."""

    LENGTH = "length"
    MAGIC = "magic"
    VERSION = "version"
    COLONY = "colony"
    KIND = "kind"
    OWN = "own"
    UNKNOWN_KEY = "unknown_key"
    MAC = "mac"
    MALFORMED = "malformed"


class Beacon(msgspec.Struct, frozen=True, kw_only=True):
    """Who I am, where, and who I think is queen. Empty strings and zeros say "unknown"."""

    kind: Kind
    key_id: str  # ANNOUNCE: generation of the colony secret; SEEK, OFFER: id of the join token; FOUND: of the key
    sent_ms: int  # Unix milliseconds on the sender's clock
    nonce: bytes  # 8 bytes
    sender: str  # node id (ULID)
    name: str = ""
    address: str = ""
    url: str = ""  # base URL of the sender's gateway
    queen_id: str = ""
    queen_url: str = ""
    term: int = 0
    size: int = 0  # nodes the sender knows
    is_queen: bool = False
    leaving: bool = False
    level: int = 0  # FOUND only: see colony.founders.Level
    founders: tuple[str, ...] = ()  # FOUND only: node ids, each once and in order


class Rejected(msgspec.Struct, frozen=True):
    """A datagram that was not taken."""

    reason: Reason


_REJECTED = {reason: Rejected(reason) for reason in Reason}
Keyring = Callable[[Kind, str], bytes | None]


@lru_cache(maxsize=64)
def colony_tag(colony: str) -> bytes:
    """First 8 bytes of the SHA-256 of the name: tells colonies on one network apart, no secret."""
    return hashlib.sha256(colony.encode()).digest()[:8]


def encode(beacon: Beacon, key: bytes, colony: str) -> bytes:
    """Return the datagram, at most 512 bytes. Raises ``ValueError`` for a field that does not fit."""
    key_id = _text(beacon.key_id, _MAX_KEY_ID)
    if not key_id or not beacon.sender or len(beacon.nonce) != NONCE_SIZE:
        raise ValueError("a beacon needs a key id, a sender and an 8-byte nonce")
    if not _sound_address(beacon.address):
        raise ValueError(f"a beacon cannot carry the address {beacon.address!r}: an IP address or none")
    if not (_sound_url(beacon.url) and _sound_url(beacon.queen_url)):
        raise ValueError("a beacon carries https URLs only")
    flags = beacon.is_queen * _IS_QUEEN | beacon.leaving * _LEAVING
    try:
        header = _HEADER.pack(
            MAGIC, VERSION, beacon.kind, flags, len(key_id), colony_tag(colony), beacon.sent_ms, beacon.nonce,
            id_to_bytes(beacon.sender), id_to_bytes(beacon.queen_id), beacon.term, beacon.size,
        )  # fmt: skip
    except struct.error as error:
        raise ValueError(f"a beacon cannot carry this: {error}") from None
    texts = (beacon.name, beacon.address, beacon.url, beacon.queen_url)
    packed = b"".join(_prefixed(_text(text, limit)) for text, limit in zip(texts, _LIMITS, strict=True))
    signed = header + key_id + _pack_founders(beacon) + packed
    if len(signed) + MAC_SIZE > MAX_SIZE:
        raise ValueError("a beacon cannot carry all of this")
    return signed + hmac.digest(key, signed, "sha256")


def decode(datagram: bytes, keyring: Keyring, colony: str, *, own: bytes | None = None) -> Beacon | Rejected:
    """Return what ``datagram`` says, or why it is not taken. Never raises on bytes.

    ``keyring`` finds the key of a kind and key id, or ``None``. A nonce that starts with ``own`` marks an
    echo of what this process broadcast itself.
    """
    if (reason := foreign(datagram, colony, own=own)) is not None:
        return _REJECTED[reason]
    header = _Header._make(_HEADER.unpack_from(datagram))
    kind = _KINDS[header.kind]
    body_at = _HEADER.size + header.key_id_length
    key_id = _printable(datagram[_HEADER.size : body_at])
    if not key_id or header.key_id_length > _MAX_KEY_ID:
        return _REJECTED[Reason.MALFORMED]
    key = keyring(kind, key_id)
    if key is None:
        return _REJECTED[Reason.UNKNOWN_KEY]
    if not hmac.compare_digest(hmac.digest(key, datagram[:-MAC_SIZE], "sha256"), datagram[-MAC_SIZE:]):
        return _REJECTED[Reason.MAC]
    return _parse(datagram[body_at:-MAC_SIZE], header, kind, key_id)


def foreign(datagram: bytes, colony: str, *, own: bytes | None = None) -> Reason | None:
    """Why ``datagram`` is not for us, by what costs the same for every datagram: its size and what stands in its head.

    Anybody on the network can send one, so nothing that grows with the colony may be done before this, and nothing
    that could be done by a sender's mere wish before its MAC was checked.
    """
    if not _MIN_SIZE <= len(datagram) <= MAX_SIZE:
        return Reason.LENGTH
    return _foreign(_Header._make(_HEADER.unpack_from(datagram)), colony, own)


def _foreign(header: _Header, colony: str, own: bytes | None) -> Reason | None:
    """Why this is not for us, by what can be compared without computing."""
    if header.magic != MAGIC:
        return Reason.MAGIC
    if header.version != VERSION:
        return Reason.VERSION
    if header.tag != colony_tag(colony):
        return Reason.COLONY
    if header.kind not in _KINDS:
        return Reason.KIND
    return Reason.OWN if own is not None and header.nonce.startswith(own) else None


def _parse(body: bytes, header: _Header, kind: Kind, key_id: str) -> Beacon | Rejected:
    """Even a member may be wrong or hostile, so what is authentic is still checked."""
    found = _parse_founders(body) if kind is Kind.FOUND else (0, (), body)
    texts = None if found is None else _texts(found[2])
    if found is None or texts is None or header.sender == _NOBODY:
        return _REJECTED[Reason.MALFORMED]
    name, address, url, queen_url = texts
    if not (_sound_address(address) and _sound_url(url) and _sound_url(queen_url)):
        return _REJECTED[Reason.MALFORMED]
    return Beacon(
        kind=kind, key_id=key_id, sent_ms=header.sent_ms, nonce=header.nonce, sender=id_from_bytes(header.sender),
        name=name, address=address, url=url, queen_id=id_from_bytes(header.queen), queen_url=queen_url,
        term=header.term, size=header.size, is_queen=bool(header.flags & _IS_QUEEN),
        leaving=bool(header.flags & _LEAVING), level=found[0], founders=found[1],
    )  # fmt: skip


def _pack_founders(beacon: Beacon) -> bytes:
    founders = beacon.founders
    if beacon.kind is not Kind.FOUND:
        if founders or beacon.level:
            raise ValueError("only a founder's beacon carries founders")
        return b""
    sound = len(founders) <= _MAX_FOUNDERS and list(founders) == sorted(set(founders)) and "" not in founders
    if not sound or not 0 <= beacon.level <= _MAX_LEVEL:
        raise ValueError("a beacon carries at most 7 founders, each once and in order, and a level from 0 to 3")
    return bytes([beacon.level, len(founders)]) + b"".join(id_to_bytes(node) for node in founders)


def _parse_founders(body: bytes) -> tuple[int, tuple[str, ...], bytes] | None:
    """Level, founders and what comes after them; None when that is malformed."""
    if len(body) < 2 or body[0] > _MAX_LEVEL or body[1] > _MAX_FOUNDERS:
        return None
    end = 2 + 16 * body[1]
    ids = [body[at : at + 16] for at in range(2, end, 16)]
    if end > len(body) or ids != sorted(set(ids)) or _NOBODY in ids:
        return None
    return body[0], tuple(id_from_bytes(raw) for raw in ids), body[end:]


def _texts(body: bytes) -> list[str] | None:
    """The four length-prefixed strings that fill ``body`` exactly."""
    texts: list[str] = []
    offset = 0
    for limit in _LIMITS:
        if offset >= len(body):
            return None
        end = offset + 1 + body[offset]
        text = _printable(body[offset + 1 : end])
        if body[offset] > limit or end > len(body) or text is None:
            return None
        texts.append(text)
        offset = end
    return texts if offset == len(body) else None


def _printable(raw: bytes) -> str | None:
    """Printable ASCII without spaces: names end in logs and terminals."""
    if not raw.isascii():
        return None
    text = raw.decode("ascii")
    return text if text.isprintable() and " " not in text else None


def _text(text: str, limit: int) -> bytes:
    raw = text.encode()
    if len(raw) > limit or _printable(raw) is None:
        raise ValueError(f"a beacon cannot carry {text!r}: at most {limit} printable ASCII characters")
    return raw


def _prefixed(raw: bytes) -> bytes:
    return bytes([len(raw)]) + raw


def _sound_url(url: str) -> bool:
    return not url or (url.startswith("https://") and len(url) > len("https://"))


def _sound_address(address: str) -> bool:
    if not address:
        return True
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def id_to_bytes(node_id: str) -> bytes:
    """A ULID as its 16 bytes; "" is sixteen zeros. Raises ``ValueError`` when it is neither."""
    if not node_id:
        return _NOBODY
    if not ULID.match(node_id):
        raise ValueError(f"{node_id!r} is not a node id")
    return int(node_id.translate(_TO_BASE32), 32).to_bytes(16, "big")


def id_from_bytes(raw: bytes) -> str:
    """The reverse of :func:`id_to_bytes`."""
    if raw == _NOBODY:
        return ""
    number = int.from_bytes(raw, "big")
    return "".join(_FROM_DIGIT[(number >> shift) & 31] for shift in range(125, -1, -5))
