"""ULIDs: sortable 26-character identifiers, https://github.com/ulid/spec."""

from __future__ import annotations

import re

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID = re.compile(r"^[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


def ulid(now: float, randomness: bytes) -> str:
    """Return a ULID for Unix time ``now`` (seconds) and 10 bytes of randomness."""
    if len(randomness) != 10:
        raise ValueError("a ULID takes 10 bytes of randomness")
    number = (int(now * 1000) << 80) | int.from_bytes(randomness, "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
