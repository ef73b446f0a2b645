"""Seals of audit lines: Ed25519 over a line's hash, with a key derived from the colony's secret.

Only council members hold the secret. Whoever can write etcd and no more can compute hashes, but no seal; whoever checks
needs no secret, only the public key. One good seal vouches for all lines before it, for its hash contains theirs: after
a rotation the lines of the old key stand on the new one's. Needs ``cryptography``: queens and short processes only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aware_agent.colony.audit import AuditLine
from aware_agent.security.derive import derive

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CONTEXT = b"aware-audit-1:"


class SealKey(NamedTuple):
    """The key lines are sealed with."""

    id: str
    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        """Without the key."""
        return f"SealKey({self.id!r})"

    def seal(self, digest: str) -> str:
        """The seal of a line with that hash, base64."""
        return base64.b64encode(self.private.sign(_CONTEXT + digest.encode())).decode()


def seal_key(colony: str, secret: bytes) -> SealKey:
    """The key of a colony, derived from a generation of its secret: of no use for anything else."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = derive(secret, f"audit/{colony}")
    return SealKey(key_id(public_key(seed)), Ed25519PrivateKey.from_private_bytes(seed))


def public_key(seed: bytes) -> bytes:
    """What checks the seals made with ``seed``, 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def public_keys(colony: str, secrets: Sequence[bytes]) -> tuple[str, ...]:
    """Of all generations of the secret, the one that seals now first, in base64."""
    return tuple(base64.b64encode(public_key(derive(secret, f"audit/{colony}"))).decode() for secret in secrets)


def key_id(public: bytes) -> str:
    """Names a public key in lines."""
    return hashlib.sha256(public).hexdigest()[:16]


class SealChecker:
    """Checks seals with public keys (base64). Raises ``ValueError`` for what is no key."""

    def __init__(self, keys: Sequence[str]) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        raw = [_decoded(key) for key in keys]
        self._keys: Mapping[str, Ed25519PublicKey] = {
            key_id(public): Ed25519PublicKey.from_public_bytes(public) for public in raw
        }

    def __call__(self, line: AuditLine) -> bool | None:
        """Whether the seal is good; None for a key that is not known here."""
        from cryptography.exceptions import InvalidSignature

        key = self._keys.get(line.key)
        if key is None:
            return None
        try:
            key.verify(base64.b64decode(line.seal, validate=True), _CONTEXT + line.hash.encode())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def _decoded(key: str) -> bytes:
    try:
        public = base64.b64decode(key.encode(), validate=True)
    except (binascii.Error, ValueError):
        public = b""
    if len(public) != 32:
        raise ValueError(f"{key[:60]!r} is no public key of an audit log: 32 bytes in base64")
    return public
