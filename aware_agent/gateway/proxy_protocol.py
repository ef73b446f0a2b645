"""PROXY protocol, version 2, as far as a listener needs it: whose connection a load balancer passes on. Pure.

Only load balancers that the settings name may say so, and they must: anything else could claim any address.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
HEAD = len(SIGNATURE) + 4
MAX_REST = 536  # addresses, and what is told beside them; the specification's own minimum for a receiver's buffer
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_SIZES = {_TCP4: 4, _TCP6: 16}


class NoHeader(ValueError):
    """What was sent in the place of a header is none."""


class Source(NamedTuple):
    """Who connected. The address is empty when the load balancer speaks for itself, as for a check."""

    address: str
    port: int
    by: str = ""  # the load balancer that says so; empty when it was seen on the connection


def rest_of(head: bytes) -> int:
    """How many bytes follow the first :data:`HEAD`. Raises :class:`NoHeader`, or ``ValueError`` for another."""
    if len(head) != HEAD or head[: len(SIGNATURE)] != SIGNATURE:
        raise NoHeader("no PROXY protocol header, version 2")
    command, _, length = struct.unpack_from("!BBH", head, len(SIGNATURE))
    if command not in (_LOCAL, _PROXY) or length > MAX_REST:
        raise ValueError("a PROXY protocol header we do not know")
    return int(length)


def parse(head: bytes, rest: bytes) -> Source:
    """The source in a whole header. Raises ``ValueError``."""
    if rest_of(head) != len(rest):
        raise ValueError("a PROXY protocol header that is cut short")
    command, family = head[len(SIGNATURE)], head[len(SIGNATURE) + 1]
    if command == _LOCAL:
        return Source("", 0)
    size = _SIZES.get(family)
    if size is None or len(rest) < 2 * size + 4:
        raise ValueError("a PROXY protocol header without addresses")
    (port,) = struct.unpack_from("!H", rest, 2 * size)
    return Source(str(ipaddress.ip_address(rest[:size])), int(port))
