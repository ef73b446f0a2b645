"""What a node says to have its certificate renewed: signed with its key, because the key is what the colony knows.

The certificate itself plays no part, so a node whose certificate ran out can still renew it; one that was removed
cannot, whatever its certificate says. Signing and checking need ``cryptography``: short processes and queens only.
"""

from __future__ import annotations

import hmac

import msgspec

from aware_agent.colony.addresses import is_host_address
from aware_agent.colony.ids import ULID
from aware_agent.security.joining import (
    MAX_CSR_CHARACTERS,
    MAX_REQUEST_BYTES,
    check_signed,
    decode_checked,
    require,
)
from aware_agent.security.pem import load_csr, spki_pin
from aware_agent.security.refusals import RenewalRefused
from aware_agent.security.signing import is_signed, sign

RENEW_PATH = "/v1/renew"
WINDOW_S = 60.0  # how old a request may be; longer than any way to the queen, shorter than a coffee break
_CONTEXT = b"aware-renew/1\0"


class RenewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/renew``."""

    colony: str
    node_id: str
    address: str  # IP address; a hint, see colony.addresses
    csr: str  # PEM, for the key the node joined with
    sent_at: float  # Unix seconds
    nonce: str  # never used twice
    box_key: bytes  # X25519; secrets come back encrypted for it
    signature: bytes = b""  # ECDSA with SHA-256 over everything else


def sign_request(request: RenewRequest, key: bytes) -> RenewRequest:
    """``request`` signed with the node's ``key`` (PEM)."""
    return sign(request, key, _CONTEXT)


def parse_renew_request(raw: bytes) -> RenewRequest:
    """Decode and check the shape. Raises :class:`InvalidInput`."""
    require(len(raw) <= MAX_REQUEST_BYTES, "request", "is too long")
    request = decode_checked(raw, RenewRequest, "renewal request")
    require(ULID.fullmatch(request.node_id) is not None, "node_id", "is not a ULID")
    require(is_host_address(request.address), "address", "is not an IP address other nodes can reach")
    check_signed(request.box_key, request.signature)
    require(len(request.csr) <= MAX_CSR_CHARACTERS, "csr", "is too long")
    require(16 <= len(request.nonce) <= 64, "nonce", "has the wrong length")
    return request


def check_request(request: RenewRequest, key_pin: str, now: float) -> None:
    """Raise :class:`RenewalRefused` unless the holder of the key with ``key_pin`` signed it just now."""
    pin = spki_pin(load_csr(request.csr.encode()).public_key())
    if not key_pin or not hmac.compare_digest(pin, key_pin):
        raise RenewalRefused("this is not the key the node joined with", hint="join again with a token")
    if not is_signed(request, request.csr.encode(), request.signature, _CONTEXT):
        raise RenewalRefused("the signature of the renewal is wrong")
    if abs(now - request.sent_at) > WINDOW_S:
        raise RenewalRefused("the renewal is too old or from the future", hint="synchronise the clocks")
