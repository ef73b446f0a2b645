"""Server certificates with one thing wrong, and what clients shall say of each."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Authority = tuple[Any, x509.Certificate]

# What is wrong -> the sentence of the command line and of the collection.
SENTENCES = {
    "expired": "its certificate has expired, or that of the CA has",
    "future": "its certificate is not valid yet: is the clock of this machine right?",
    "other address": "its certificate is for another address",
    "other CA": "its certificate is not signed by this colony's CA",
    "namesake CA": "its certificate is not signed by this colony's CA",
    "self-signed": "its certificate is signed by itself, not by this colony's CA",
    "chain of another CA": "its certificate is signed by another CA than this colony's",
    "for clients": "its certificate is not one for servers",
    "no TLS": "it does not speak TLS: something else answers there",
}
_DAY = datetime.timedelta(days=1)


def make_authority(name: str = "colony demo CA") -> Authority:
    """A CA of one's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - 9 * _DAY)
    builder = builder.not_valid_after(now + 9 * _DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> bytes:
    """As a file holds it."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def make_wrong_pair(path: Path, authority: Authority, wrong: str) -> None:
    """Write a server's key and certificate with ``wrong`` about it; its address is 127.0.0.1 else."""
    now = datetime.datetime.now(datetime.UTC)
    stranger = make_authority("colony demo CA" if wrong == "namesake CA" else "another CA")
    key = ec.generate_private_key(ec.SECP256R1())
    ca_key, ca = stranger if wrong in {"other CA", "namesake CA", "chain of another CA"} else authority
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "member")])
    issuer = name if wrong == "self-signed" else ca.subject
    start, end = {"expired": (-2, -1), "future": (1, 2)}.get(wrong, (-1, 1))
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + start * _DAY).not_valid_after(now + end * _DAY)
    address = "192.0.2.1" if wrong == "other address" else "127.0.0.1"
    council = [] if wrong == "other address" else [x509.DNSName("council.demo.aware")]
    names = x509.SubjectAlternativeName([*council, x509.IPAddress(ipaddress.ip_address(address))])
    builder = builder.add_extension(names, critical=False)
    if wrong == "for clients":
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usage, critical=False)
    certificate = builder.sign(key if wrong == "self-signed" else ca_key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + pem(certificate) + (pem(ca) if wrong == "chain of another CA" else b""))


def server_pair(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Files of a CA of one's own, and of a server's certificate and key for ``name`` that it signed."""
    ca_key, ca = make_authority("a private CA")
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca.subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _DAY).not_valid_after(now + _DAY)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    encoding = serialization.Encoding.PEM
    files = folder / "private-ca.pem", folder / "receiver.pem", folder / "receiver.key"
    files[0].write_bytes(pem(ca))
    files[1].write_bytes(pem(builder.sign(ca_key, hashes.SHA256())))
    files[2].write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files
