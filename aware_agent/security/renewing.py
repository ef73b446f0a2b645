"""What a node says to have its certificate renewed: signed with its key, because the key is what the colony knows.

The certificate itself plays no part, so a node whose certificate ran out can still renew it; one that was removed
cannot, whatever its certificate says. Signing and checking need ``cryptography``: short processes and queens only.
"""

from __future__ import annotations

import hmac

import msgspec

from aware_agent.colony.errors import AwareError
from aware_agent.colony.ids import ULID
from aware_agent.security.joining import (
    MAX_CSR_CHARACTERS,
    MAX_REQUEST_BYTES,
    decode_checked,
    is_host_address,
    require,
)
from aware_agent.security.pem import load_csr, load_key, spki_pin

RENEW_PATH = "/v1/renew"
WINDOW_S = 60.0  # how old a request may be; longer than any way to the queen, shorter than a coffee break
_CONTEXT = b"aware-renew/1\0"


class RenewalRefused(AwareError):
    """The queen does not renew this certificate; nothing was changed."""

    code = "renewal-refused"
    exit_code = 12
    status = 403


class NotAMember(RenewalRefused):
    """The colony knows no such node: it was removed, or never joined."""

    code = "not-a-member"
    exit_code = 20


class RenewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/renew``."""

    colony: str
    node_id: str
    address: str  # IP address, goes into the certificate
    csr: str  # PEM, for the key the node joined with
    sent_at: float  # Unix seconds
    nonce: str  # never used twice
    signature: bytes = b""  # ECDSA with SHA-256 over everything else


def sign_request(request: RenewRequest, key: bytes) -> RenewRequest:
    """``request`` signed with the node's ``key`` (PEM)."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    signature = load_key(key).sign(_signed(request), ec.ECDSA(hashes.SHA256()))
    return msgspec.structs.replace(request, signature=signature)


def parse_renew_request(raw: bytes) -> RenewRequest:
    """Decode and check the shape. Raises :class:`InvalidInput`."""
    require(len(raw) <= MAX_REQUEST_BYTES, "request", "is too long")
    request = decode_checked(raw, RenewRequest, "renewal request")
    require(ULID.fullmatch(request.node_id) is not None, "node_id", "is not a ULID")
    require(is_host_address(request.address), "address", "is not an IP address other nodes can reach")
    require(len(request.csr) <= MAX_CSR_CHARACTERS, "csr", "is too long")
    require(16 <= len(request.nonce) <= 64 and len(request.signature) <= 256, "nonce", "has the wrong length")
    return request


def check_request(request: RenewRequest, key_pin: str, now: float) -> None:
    """Raise :class:`RenewalRefused` unless the holder of the key with ``key_pin`` signed it just now."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    public = load_csr(request.csr.encode()).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)  # load_csr takes nothing else
    if not key_pin or not hmac.compare_digest(spki_pin(public), key_pin):
        raise RenewalRefused("this is not the key the node joined with", hint="join again with a token")
    try:
        public.verify(request.signature, _signed(request), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise RenewalRefused("the signature of the renewal is wrong") from None
    if abs(now - request.sent_at) > WINDOW_S:
        raise RenewalRefused("the renewal is too old or from the future", hint="synchronise the clocks")


def _signed(request: RenewRequest) -> bytes:
    return _CONTEXT + msgspec.json.encode(msgspec.structs.replace(request, signature=b""))
