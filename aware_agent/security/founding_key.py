"""The founding key: what a colony without a controller is founded from.

Its text is ``aware-found1.<colony>.<256 bits, base64url>.<check>``; the check tells a typo from a key. CA keys, colony
secret and the first join token are *derived* from it: whoever holds it can prove himself to the other founders from
the first datagram on, and no secret has to be sent. It is therefore worth as much as the colony's CA until the first
rotation, and is kept like a private key.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import Kind, check_name
from aware_agent.security.derive import derive
from aware_agent.security.files import StateUnusable, read_secret
from aware_agent.security.token import RANDOM_BYTES, base64url, unbase64url

PREFIX = "aware-found1"
KEY_BYTES = 32
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")


class FoundingKey(msgspec.Struct, frozen=True, kw_only=True):
    """A founding key of one colony."""

    colony: str
    secret: bytes

    def __repr__(self) -> str:
        """Safe to log."""
        return f"FoundingKey({self.colony!r}, {self.id})"

    @property
    def id(self) -> str:
        """A name for it that says nothing about it: 16 hexadecimal digits."""
        return self._derive("id", 8).hex()

    @property
    def beacon_key(self) -> bytes:
        """Key of the founders' beacons."""
        return self._derive("beacon/1")

    @property
    def colony_secret(self) -> bytes:
        """The colony's first secret."""
        return self._derive("secret/1")

    @property
    def token_bytes(self) -> bytes:
        """What the first join token is made of; with it the other founders, and late comers, join."""
        return self._derive("token/1", RANDOM_BYTES)

    def ca_key(self) -> bytes:
        """The colony's first CA key (PEM). Certificates of it may differ, its pin does not."""
        from aware_agent.security.pem import derived_key

        return derived_key(self._derive("ca/1", 64))

    def council_ca_key(self) -> bytes:
        """The key of the colony's first council CA (PEM)."""
        from aware_agent.security.pem import derived_key

        return derived_key(self._derive("council-ca/1", 64))

    def text(self) -> str:
        """As it stands in its file. Secret."""
        body = f"{PREFIX}.{self.colony}.{base64url(self.secret)}"
        return f"{body}.{_check(body)}"

    def _derive(self, what: str, length: int = 32) -> bytes:
        """The colony's name is part of it: the same bytes under another name found another colony."""
        return derive(self.secret, f"founding/{what}/{self.colony}", length)


def make_founding_key(colony: str, randomness: bytes) -> FoundingKey:
    """A new one, of 32 bytes from ``os.urandom``. Raises InvalidInput for a name no colony can have."""
    check_name(Kind.COLONY, colony, "colony")
    if len(randomness) != KEY_BYTES:
        raise ValueError(f"a founding key takes {KEY_BYTES} bytes of randomness")
    return FoundingKey(colony=colony, secret=randomness)


def parse_founding_key(text: str) -> FoundingKey:
    """Parse ``text``. Raises :class:`InvalidInput` that says what is wrong without repeating the key."""
    body, _, check = text.strip().rpartition(".")
    parts = body.split(".")
    if len(parts) != 3 or parts[0] != PREFIX or not _KEY.fullmatch(parts[2]):
        raise InvalidInput(
            "this is not a founding key",
            field="founding_key",
            hint=f"it looks like {PREFIX}.<colony>.<key>.<check>; aware colony key makes one",
        )
    if check != _check(body) or base64url(unbase64url(parts[2])) != parts[2]:
        raise InvalidInput("the founding key has a typo", field="founding_key", hint="copy the file as it is")
    return make_founding_key(parts[1], unbase64url(parts[2]))


def read_founding_key(path: Path, colony: str) -> FoundingKey:
    """The founding key in ``path``, which others must not be able to read.

    Raises StateUnusable for a file that is missing or open to others, InvalidInput for one that holds no founding
    key of ``colony``.
    """
    raw = read_secret(path)
    if raw is None:
        raise StateUnusable(f"there is no founding key {path}", hint="aware colony key makes one")
    key = parse_founding_key(raw.decode(errors="replace"))
    if key.colony != colony:
        raise InvalidInput(
            f"the founding key {path} is of colony {key.colony!r}, this node is to be of {colony!r}",
            field="founding_key",
            hint="correct the name, or make a key for this colony",
        )
    return key


def _check(body: str) -> str:
    """40 bits are enough for typos. They are of a hash of 256 random bits and tell nobody anything."""
    return base64.b32encode(hashlib.sha256(body.encode()).digest()[:5]).decode().lower()
