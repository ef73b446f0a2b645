"""One secret, many keys: HKDF-SHA256 (RFC 5869) in plain stdlib, so that workers need no ``cryptography``."""

from __future__ import annotations

import hashlib
import hmac

_HASH_LEN = hashlib.sha256().digest_size
# Fixed and public: the salt only separates AWARE's keys from those other programs derive of the same bytes.
_SALT = b"aware-colony/hkdf/1"


def derive(secret: bytes, label: str, length: int = 32) -> bytes:
    """Return ``length`` bytes for the purpose ``label``; different labels give unrelated keys.

    Raises ``ValueError`` for an empty secret or label, or a length outside 1..8160.
    """
    if not secret or not label:
        raise ValueError("derive needs a secret and a label")
    if not 1 <= length <= 255 * _HASH_LEN:
        raise ValueError(f"cannot derive {length} bytes")
    return _expand(hmac.digest(_SALT, secret, "sha256"), label.encode(), length)


def _expand(pseudo_random_key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand."""
    block, output = b"", b""
    for counter in range(1, -(-length // _HASH_LEN) + 1):
        block = hmac.digest(pseudo_random_key, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]
