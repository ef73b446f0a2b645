"""This machine's IPv4 addresses and where a broadcast from each goes. Linux ioctls, no other package.

IPv4 only: IPv6 has no broadcast, and its multicast is not spoken yet; seeds work over both.
"""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from array import array
from collections.abc import Iterable, Sequence

import msgspec

_SIOCGIFCONF, _SIOCGIFFLAGS, _SIOCGIFBRDADDR = 0x8912, 0x8913, 0x8919
_IFF_UP, _IFF_BROADCAST = 0x1, 0x2
_IFREQ = struct.Struct("16s24x")  # name, then a union as large as the kernel's on 64-bit machines
_SOCKADDR_IN = struct.Struct("=HH4s")
_MAX_ADDRESSES = 1024
LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
LOOPBACK_BROADCAST = "127.255.255.255"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One address of this machine and the broadcast address of its network."""

    interface: str
    address: str
    broadcast: str


def local_links() -> list[Link]:
    """All IPv4 addresses of this machine that can broadcast, in the kernel's order."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        found = [(name, address, _broadcast_of(probe, name, address)) for name, address in _addresses(probe)]
    return [Link(interface=name, address=address, broadcast=to) for name, address, to in found if to]


def local_addresses() -> list[tuple[str, str]]:
    """Name of the interface and address of all IPv4 addresses of this machine. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return _addresses(probe)


def choose_links(address: str, interfaces: Sequence[str] = (), links: Iterable[Link] | None = None) -> list[Link]:
    """The links to beacon on: those of the named interfaces, or else those that carry ``address``.

    Empty when there is none, for instance behind a floating address: broadcast cannot help there, seeds do.
    An address in 127.0.0.0/8 stays on loopback whatever ``interfaces`` says.
    """
    if _is_loopback(address):
        return [Link(interface="lo", address=address, broadcast=LOOPBACK_BROADCAST)]
    known = local_links() if links is None else list(links)
    if interfaces:
        chosen = [link for link in known if link.interface.partition(":")[0] in interfaces]
    else:
        chosen = [link for link in known if link.address == address]
    by_network: dict[str, Link] = {}
    for link in chosen:
        by_network.setdefault(link.broadcast, link)
    return list(by_network.values())


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address) in LOOPBACK
    except ipaddress.AddressValueError:
        return False


def _addresses(probe: socket.socket) -> list[tuple[str, str]]:
    buffer = array("B", bytes(_IFREQ.size * _MAX_ADDRESSES))
    pointer, length = buffer.buffer_info()
    used, _ = struct.unpack("iP", fcntl.ioctl(probe, _SIOCGIFCONF, struct.pack("iP", length, pointer)))
    raw = buffer.tobytes()[:used]
    records = (raw[at : at + _IFREQ.size] for at in range(0, used, _IFREQ.size))
    return [(_name(record), socket.inet_ntoa(record[20:24])) for record in records]


def _name(record: bytes) -> str:
    return record[:16].partition(b"\0")[0].decode(errors="replace")


def _broadcast_of(probe: socket.socket, interface: str, address: str) -> str:
    """The broadcast address of one of an interface's addresses, "" when it has none."""
    if _is_loopback(address):
        return LOOPBACK_BROADCAST
    # The kernel looks up name and address together, so a second address of an interface finds its own network.
    own = _SOCKADDR_IN.pack(socket.AF_INET, 0, socket.inet_aton(address))
    request = interface.encode().ljust(16, b"\0") + own.ljust(24, b"\0")
    try:
        flags = struct.unpack_from("H", fcntl.ioctl(probe, _SIOCGIFFLAGS, request), 16)[0]
        answer = fcntl.ioctl(probe, _SIOCGIFBRDADDR, request)
    except OSError:
        return ""
    broadcast = socket.inet_ntoa(answer[20:24])
    up = flags & _IFF_UP and flags & _IFF_BROADCAST
    return broadcast if up and broadcast not in ("0.0.0.0", address) else ""  # noqa: S104 - not a bind
