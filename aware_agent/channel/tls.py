"""Who is at the other end: both sides show a certificate of the node CA, and nothing else counts."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import NamedTuple

from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.ids import ULID


class WrongCertificate(AwareError):
    """The other side's certificate is of the colony's CA, but it is not a node's."""

    code = "wrong-certificate"
    exit_code = 12
    status = 403


class Peer(NamedTuple):
    """The other side, as its verified certificate names it."""

    id: str
    certificate: bytes  # DER


def server_context(certificate: Path, key: Path, ca: bytes) -> ssl.SSLContext:
    """For listeners: only those who show a certificate that ``ca`` (PEM bundle) signed complete the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0  # a resumed session would skip the look at the certificate
    return _loaded(context, certificate, key, ca)


def client_context(certificate: Path, key: Path, ca: bytes) -> ssl.SSLContext:
    """For nodes: shows the node's own certificate, and believes ``ca`` alone. The caller names whom it expects."""
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key, ca)


def _loaded(context: ssl.SSLContext, certificate: Path, key: Path, ca: bytes) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=ca.decode("ascii"))
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise InvalidInput(f"channel: cannot use certificate {certificate} with key {key}: {error}") from error
    return context


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Whose certificate the other side of ``transport`` showed. Raises :class:`WrongCertificate`."""
    secure = transport.get_extra_info("ssl_object")
    facts = secure.getpeercert() if secure is not None else None
    raw = secure.getpeercert(binary_form=True) if secure is not None else None
    names = [value for part in (facts or {}).get("subject", ()) for name, value in part if name == "commonName"]
    # One name, and a node's: etcd's members and users may have certificates of the same CA.
    if raw is None or len(names) != 1 or not ULID.fullmatch(names[0]):
        raise WrongCertificate("the certificate shown is no node's: its common name is not a node id")
    return Peer(names[0], raw)
