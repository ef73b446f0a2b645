"""When a certificate runs out, read without a cryptography package: every worker shows it in its metrics.

This is no judgement of a certificate: TLS has checked it, or it is the node's own.
"""

from __future__ import annotations

import base64
import calendar
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


def _end(der: bytes) -> float:
    """RFC 5280 section 4.1: notAfter is the second half of the validity, the fifth field of what is signed."""
    try:
        certificate = _expect(_SEQUENCE, _take(der))
        rest = _expect(_SEQUENCE, _take(certificate))
        if rest[:1] == bytes([_VERSION]):
            rest = _take(rest)[2]
        for wanted in (_INTEGER, _SEQUENCE, _SEQUENCE):  # serial number, algorithm, issuer
            field = _take(rest)
            _expect(wanted, field)
            rest = field[2]
        validity = _expect(_SEQUENCE, _take(rest))
        kind, text, _ = _take(_take(validity)[2])
        return float(calendar.timegm(time.strptime(text.decode("ascii"), _FORMATS[kind])))
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError("the certificate is damaged") from error


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
