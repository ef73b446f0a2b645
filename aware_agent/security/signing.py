"""Requests signed with the node's key: what a node asks for cannot be changed or made up by who carries it.

Signing and checking need ``cryptography``: short processes and queens only.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from aware_agent.security.pem import load_csr, load_key

MAX_SIGNATURE_BYTES = 256
T = TypeVar("T", bound=msgspec.Struct)


def sign(request: T, key: bytes, context: bytes) -> T:
    """``request`` with its field ``signature``: ECDSA with SHA-256 over all else, for the purpose ``context``."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    signature = load_key(key).sign(_signed(request, context), ec.ECDSA(hashes.SHA256()))
    return msgspec.structs.replace(request, signature=signature)


def is_signed(request: msgspec.Struct, csr: bytes, signature: bytes, context: bytes) -> bool:
    """Whether the holder of the key in ``csr`` signed ``request``. Raises CsrRefused."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    public = load_csr(csr).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)  # load_csr takes nothing else
    try:
        public.verify(signature, _signed(request, context), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _signed(request: msgspec.Struct, context: bytes) -> bytes:
    return context + msgspec.json.encode(msgspec.structs.replace(request, signature=b""))
