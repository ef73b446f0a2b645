"""What a certificate says, read without a cryptography package: when it runs out, and whose key it is for.

Every worker shows the one in its metrics. A new queen asks the other while she loads what she needs: importing such a
package in the event loop then would cost her the first heartbeats.

This is no judgement of a certificate: TLS has checked it, or it is the node's own.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import re
import time

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _INTEGER, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x02, 0x17, 0x18, 0xA0
_FORMATS = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}


def not_after(pem: bytes) -> float:
    """Unix time at which the first certificate of ``pem`` to do so runs out. Raises ``ValueError``."""
    ends = [_end(base64.b64decode(text)) for text in _CERTIFICATE.findall(pem)]
    if not ends:
        raise ValueError("no certificate in PEM here")
    return min(ends)


def key_pin(der: bytes) -> str:
    """Fingerprint of the key in a certificate (DER), as :func:`aware_agent.security.pem.spki_pin` has it. Raises
    ``ValueError``."""
    try:
        rest = _after_issuer(der)
        for _ in range(2):  # validity, subject
            _expect(_SEQUENCE, _take(rest))
            rest = _take(rest)[2]
        _expect(_SEQUENCE, _take(rest))
        key = rest[: len(rest) - len(_take(rest)[2])]
    except (IndexError, ValueError) as error:
        raise ValueError("the certificate is damaged") from error
    return base64.urlsafe_b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _end(der: bytes) -> float:
    """notAfter is the second half of the validity."""
    try:
        validity = _expect(_SEQUENCE, _take(_after_issuer(der)))
        kind, text, _ = _take(_take(validity)[2])
        return float(calendar.timegm(time.strptime(text.decode("ascii"), _FORMATS[kind])))
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError("the certificate is damaged") from error


def _after_issuer(der: bytes) -> bytes:
    """What follows the issuer in what is signed: validity, subject, key (RFC 5280 section 4.1)."""
    certificate = _expect(_SEQUENCE, _take(der))
    rest = _expect(_SEQUENCE, _take(certificate))
    if rest[:1] == bytes([_VERSION]):
        rest = _take(rest)[2]
    for wanted in (_INTEGER, _SEQUENCE, _SEQUENCE):  # serial number, algorithm, issuer
        field = _take(rest)
        _expect(wanted, field)
        rest = field[2]
    return rest


def _expect(kind: int, field: tuple[int, bytes, bytes]) -> bytes:
    if field[0] != kind:
        raise ValueError("another kind of field")
    return field[1]


def _take(der: bytes) -> tuple[int, bytes, bytes]:
    """Kind and content of the first DER field, and what follows it."""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise ValueError("cut off")
    return der[0], der[start : start + length], der[start + length :]
