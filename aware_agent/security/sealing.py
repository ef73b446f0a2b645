"""What a queen hands to one node, so that only it can read it: HPKE (RFC 9180) for a key the node's request binds.

TLS ends somewhere, and whoever ends it could read along. So a request that is answered with secrets carries a fresh
X25519 key, signed together with all else by the node's own key; the answer is encrypted for that key, and for what it
is about: colony, node and purpose. Needs ``cryptography`` (joining and renewing processes, queens).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aware_agent.colony.errors import AwareError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hpke import Suite

KEY_BYTES = 32
MAX_SEALED_BYTES = 16 * 1024
Purpose = Literal["join", "renew"]


class NotForUs(AwareError):
    """What came back was not encrypted for this request, or was changed on its way."""

    code = "not-for-us"
    exit_code = 13
    status = 502


class Opener:
    """The private half of one request's key. It is never written anywhere and answers one request."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        self._key = X25519PrivateKey.generate()

    @property
    def public(self) -> bytes:
        """What the request carries."""
        return self._key.public_key().public_bytes_raw()

    def open(self, sealed: bytes, *, purpose: Purpose, colony: str, node_id: str) -> bytes:
        """Raises :class:`NotForUs`."""
        from cryptography.exceptions import InvalidTag

        try:
            return _suite().decrypt(sealed, self._key, info=_about(purpose, colony, node_id))
        except (InvalidTag, ValueError, TypeError) as error:
            raise NotForUs("the answer was not encrypted for this request", hint="is somebody in between?") from error


def seal_for(public: bytes, plaintext: bytes, *, purpose: Purpose, colony: str, node_id: str) -> bytes:
    """``plaintext`` for the holder of ``public`` alone. Raises ``ValueError`` for a key that is none."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    key = X25519PublicKey.from_public_bytes(public)
    return _suite().encrypt(plaintext, key, info=_about(purpose, colony, node_id))


def _suite() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _about(purpose: Purpose, colony: str, node_id: str) -> bytes:
    return b"\0".join((b"aware-handed-out/1", purpose.encode(), colony.encode(), node_id.encode()))
