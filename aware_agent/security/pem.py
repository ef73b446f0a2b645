"""Keys, certificates and signing requests in PEM: made, read and judged. ECDSA only.

``cryptography`` is imported inside the functions: only founding, joining and signing processes pay for it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from aware_agent.colony.errors import AwareError
from aware_agent.security.token import base64url

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

MAX_CSR_BYTES = 8 * 1024
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVES = frozenset({"secp256r1", "secp384r1"})


class CsrRefused(AwareError):
    """A certificate signing request that will not be signed; nothing was changed."""

    code = "csr-refused"
    exit_code = 12
    status = 422


def make_key() -> bytes:
    """A new private key (P-256) as PKCS #8 PEM."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = ec.generate_private_key(ec.SECP256R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def derived_key(seed: bytes) -> bytes:
    """The private key (P-256, PKCS #8 PEM) that ``seed`` stands for: always the same one. 48 bytes or more.

    The seed is a third longer than a key, so that taking the rest of the division favours no key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if len(seed) < 48:
        raise ValueError("a key is derived from 48 bytes or more")
    private = ec.derive_private_key(int.from_bytes(seed, "big") % (_P256_ORDER - 1) + 1, ec.SECP256R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_csr(csr: bytes) -> x509.CertificateSigningRequest:
    """Parse and check a CSR. Raises :class:`CsrRefused`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    if len(csr) > MAX_CSR_BYTES:
        raise CsrRefused("the certificate request is too long")
    try:
        request = x509.load_pem_x509_csr(csr)
        public = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CsrRefused("the certificate request is damaged") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name not in _CURVES:
        raise CsrRefused("the certificate request has another kind of key than ECDSA P-256 or P-384")
    if not signed:
        raise CsrRefused("the certificate request is not signed by its own key")
    return request


def load_certificate(certificate: bytes) -> x509.Certificate:
    """Parse the first certificate of a PEM file. Raises ``ValueError``."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate)


def load_key(key: bytes) -> EllipticCurvePrivateKey:
    """Parse a private key of ours. Raises ``ValueError`` that does not repeat it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the private key is damaged") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("the private key is not an ECDSA key")
    return private


def spki_pin(public: CertificatePublicKeyTypes) -> str:
    """SHA-256 of a public key (SPKI), base64url, 43 characters."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64url(hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest())
