"""The colony's own certificate authorities: ECDSA P-256 throughout, PEM in and out.

There are two. The *node CA* says who a node is, to everybody. The *council CA* is the only one etcd believes, of
clients and of members: who has no certificate of it does not complete a handshake with etcd. Permissions in etcd would
not do, because etcd asks for none where leases are made and kept alive.

``cryptography`` is imported inside the functions: only founding, joining and signing processes pay for it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.ids import ULID
from aware_agent.colony.names import council_host, node_host
from aware_agent.security.pem import CsrRefused, load_certificate, load_csr, load_key, make_key, spki_pin

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

__all__ = [
    "CsrRefused",
    "Facts",
    "Pair",
    "ca_pin",
    "check_certificate",
    "create_ca",
    "create_council_ca",
    "csr_pin",
    "facts",
    "find_pinned",
    "first_of",
    "is_ca",
    "is_issued_by",
    "is_pair",
    "issue",
    "key_pin",
    "make_csr",
    "make_key",
    "node_sans",
    "sign_csr",
]

Use = Literal["server", "client"]
SERVER: frozenset[Use] = frozenset({"server"})
CLIENT: frozenset[Use] = frozenset({"client"})
CA_DAYS = 3650
NODE_DAYS = 1095
# Certificates are valid from a little earlier, so that a newcomer whose clock is behind can use its own.
BACKDATED = dt.timedelta(hours=2)


class Pair(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return "Pair(certificate, key)"


class Facts(NamedTuple):
    """What a certificate says. Times in Unix seconds."""

    common_name: str
    sans: frozenset[str]
    not_before: float
    not_after: float


def create_ca(colony: str, now: float, *, key: bytes | None = None, days: float = CA_DAYS) -> Pair:
    """A new self-signed node CA for ``colony``, with ``key`` (PEM) when one was made before."""
    return _create(_name(colony, organisation="AWARE colony CA"), now, key, days)


def create_council_ca(colony: str, now: float, *, key: bytes | None = None, days: float = CA_DAYS) -> Pair:
    """The same for the council CA. Its name differs, so that nobody takes one for the other."""
    return _create(_name(colony, organisation="AWARE council CA"), now, key, days)


def _create(subject: x509.Name, now: float, key: bytes | None, days: float) -> Pair:
    from cryptography import x509

    key_pem = key or make_key()
    private = load_key(key_pem)
    public = private.public_key()
    builder = _builder(subject, subject, public, now=now, days=days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(ca=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return Pair(_sign(builder, private), key_pem)


def ca_pin(certificate: bytes) -> str:
    """What a join token says of the CA: SHA-256 of its public key (SPKI), base64url, 43 characters.

    The key is pinned, not the certificate, so that a renewed CA certificate keeps old tokens good.
    """
    return spki_pin(load_certificate(certificate).public_key())


def pins_of(bundle: bytes) -> list[str]:
    """The pins of all certificates of a PEM ``bundle``. Raises ``ValueError`` when it is none."""
    from cryptography import x509

    return [spki_pin(one.public_key()) for one in x509.load_pem_x509_certificates(bundle)]


def csr_pin(csr: bytes) -> str:
    """The same fingerprint of the key in a CSR: tells a node that joins again from one that took its id."""
    return spki_pin(load_csr(csr).public_key())


def key_pin(key: bytes) -> str:
    """The same fingerprint of a private key (PEM). Raises ``ValueError``."""
    return spki_pin(load_key(key).public_key())


def find_pinned(bundle: bytes, pin: str) -> bytes | None:
    """The certificate of a PEM ``bundle`` whose key has ``pin``; None when there is none or it is no bundle."""
    import hmac

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        certificates = x509.load_pem_x509_certificates(bundle)
        for certificate in certificates:
            if hmac.compare_digest(spki_pin(certificate.public_key()), pin):
                return certificate.public_bytes(Encoding.PEM)
    except (ValueError, TypeError):
        return None
    return None


def first_of(bundle: bytes) -> bytes:
    """The first certificate of a PEM ``bundle``: the CA that signs. Raises ``ValueError``."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return load_certificate(bundle).public_bytes(Encoding.PEM)


def make_csr(key: bytes, node_id: str, name: str, sans: Iterable[str] = ()) -> bytes:
    """A signing request for ``key`` (PEM). Its names are courtesy: the signer decides them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(node_id))
    builder = builder.add_extension(_alternative_names([name, *sans]), critical=False)
    return builder.sign(load_key(key), hashes.SHA256()).public_bytes(Encoding.PEM)


def node_sans(colony: str, name: str, addresses: Iterable[str], *, eligible: bool) -> list[str]:
    """What a node's certificate names: itself, its addresses and, when an admin let it in for that, the council."""
    return [node_host(colony, name), *([council_host(colony)] if eligible else []), *addresses]


def sign_csr(ca: Pair, csr: bytes, *, node_id: str, sans: Sequence[str], now: float, days: float = NODE_DAYS) -> bytes:
    """Certify the key in ``csr`` as node ``node_id`` with exactly ``sans``, good for server and client.

    Identity comes from the caller alone; of the CSR only key and signature count. Raises :class:`CsrRefused`.
    """
    if not ULID.fullmatch(node_id):
        raise CsrRefused("a node certificate is for a node id")  # never for an etcd user such as root
    return _issue(ca, load_csr(csr).public_key(), common_name=node_id, sans=sans, now=now, days=days)


def issue(
    ca: Pair,
    key: bytes,
    *,
    common_name: str,
    sans: Sequence[str],
    now: float,
    days: float = NODE_DAYS,
    uses: frozenset[Use] = SERVER | CLIENT,
) -> Pair:
    """Certify a key of the caller's own (founding: etcd servers, the founder; a member: its gateway)."""
    public = load_key(key).public_key()
    return Pair(_issue(ca, public, common_name=common_name, sans=sans, now=now, days=days, uses=uses), key)


def check_certificate(certificate: bytes, *, key: bytes, ca: bytes, common_name: str) -> None:
    """Raise ``ValueError`` unless ``certificate`` is for ``key`` and ``common_name`` and signed by ``ca``."""
    if not is_pair(certificate, key):
        raise ValueError("the certificate is for another key")
    if facts(certificate).common_name != common_name:
        raise ValueError("the certificate is for somebody else")
    if not is_issued_by(certificate, ca):
        raise ValueError("the certificate is not signed by the colony's CA")


def is_pair(certificate: bytes, key: bytes) -> bool:
    """Whether both can be read and belong together."""
    try:
        return load_certificate(certificate).public_key() == load_key(key).public_key()
    except ValueError:
        return False


def is_issued_by(certificate: bytes, ca: bytes) -> bool:
    """Whether ``ca`` signed ``certificate``."""
    from cryptography.exceptions import InvalidSignature

    try:
        load_certificate(certificate).verify_directly_issued_by(load_certificate(ca))
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def is_ca(certificate: bytes) -> bool:
    """Whether it is a CA certificate that signed itself."""
    from cryptography import x509

    try:
        parsed = load_certificate(certificate)
        constraints = parsed.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.ca and is_issued_by(certificate, certificate)


def facts(certificate: bytes) -> Facts:
    """Read the first certificate in ``certificate``. Raises ``ValueError``."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parsed = load_certificate(certificate)
    names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        alternatives = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        alternatives = x509.SubjectAlternativeName([])
    hosts = alternatives.get_values_for_type(x509.DNSName)
    addresses = alternatives.get_values_for_type(x509.IPAddress)
    return Facts(
        common_name=str(names[0].value) if names else "",
        sans=frozenset([*hosts, *map(str, addresses)]),
        not_before=parsed.not_valid_before_utc.timestamp(),
        not_after=parsed.not_valid_after_utc.timestamp(),
    )


def _issue(
    ca: Pair,
    public: CertificatePublicKeyTypes,
    *,
    common_name: str,
    sans: Sequence[str],
    now: float,
    days: float,
    uses: frozenset[Use] = SERVER | CLIENT,
) -> bytes:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer = load_certificate(ca.certificate)
    ca_key = load_key(ca.key)
    latest = issuer.not_valid_after_utc
    builder = _builder(_name(common_name), issuer.subject, public, now=now, days=days, latest=latest)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(ca=False), critical=True)
    # Both uses by default: nodes are servers and clients, and etcd's own gateway dials itself with its server
    # certificate. A gateway has one certificate for each, so that neither is good for the other.
    known = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
    builder = builder.add_extension(x509.ExtendedKeyUsage([known[use] for use in sorted(uses)]), critical=False)
    if sans:
        builder = builder.add_extension(_alternative_names(sans), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return _sign(builder.add_extension(issuer_id, critical=False), ca_key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: CertificatePublicKeyTypes,
    *,
    now: float,
    days: float,
    latest: dt.datetime | None = None,
) -> x509.CertificateBuilder:
    from cryptography import x509

    start = dt.datetime.fromtimestamp(int(now), dt.UTC)
    end = start + dt.timedelta(days=days)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=start - BACKDATED,
        not_valid_after=min(end, latest) if latest else end,
    )


def _sign(builder: x509.CertificateBuilder, private: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


def _usage(*, ca: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str, organisation: str = "") -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    above = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*above, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(sans: Iterable[str]) -> x509.SubjectAlternativeName:
    """IP addresses as such, everything else as DNS names; each once, in order."""
    from cryptography import x509

    names: list[x509.GeneralName] = []
    for san in dict.fromkeys(sans):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(san)))
            continue
        except ValueError:
            pass
        try:
            names.append(x509.DNSName(san))
        except ValueError as error:
            raise InvalidInput(f"{san!r} cannot be in a certificate", field="address") from error
    return x509.SubjectAlternativeName(names)
