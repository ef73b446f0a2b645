"""What a request's head has to be so that every parser on its way sees the same request (RFC 9112). Pure.

The parser itself refuses most of what is malformed. What it lets pass, and where a load balancer in front could see
another length, another host or another path than we do, is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOOKED_AT = frozenset({b"host", b"content-length", b"transfer-encoding"})
# Routes and logs take paths decoded, and no name of anything has a control character in it.
_CONTROL = re.compile(rb"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)


class BadFraming(ValueError):
    """The request could be read in two ways."""


def check_head(url: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise :class:`BadFraming`; names of ``headers`` are in lower case. ``url``: the target as it was sent."""
    host = length = encoding = 0
    for name, value in headers:
        if name not in _LOOKED_AT:
            continue
        if name == b"host":
            host += 1
        elif name == b"content-length":
            length += 1
        else:
            encoding += 1
            if value.lower() != b"chunked":
                raise BadFraming("a transfer encoding that is not chunked")
    # Section 3.2: a request of HTTP/1.1 names its host, once.
    if host > 1 or (version == "1.1" and not host):
        raise BadFraming("not one Host")
    # Sections 6.1 and 6.3: which of both counts, parsers do not agree on.
    if length + encoding > 1:
        raise BadFraming("more than one length")
    if version not in ("1.0", "1.1"):
        raise BadFraming("a version that is not spoken here")
    if b"%" in url and _CONTROL.search(url.partition(b"?")[0]):
        raise BadFraming("a control character in the path")


def check_size(url: bytes, headers: Iterable[tuple[bytes, bytes]], most: int) -> None:
    """Raise :class:`BadFraming` when the head has more than ``most`` bytes."""
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > most:
        raise BadFraming("the head is too long")
