"""Which addresses a node's certificate names: what an admin pinned, or where the node was seen, never its word. Pure.

A node says at which address it wants to be reached. That is a hint: it has to be pinned for it, or be the source of
the very TLS connection it asks on, as the queen herself sees it; and it must not be somebody else's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable

import msgspec

from aware_agent.colony.errors import AwareError, InvalidInput

MAX_PINNED = 8
_PIN = "correct its address setting, or let an admin pin it: aware nodes pin, aware tokens create --address"


class AddressRefused(AwareError):
    """The certificate would name an address that is not this node's; nothing was changed."""

    code = "address-refused"
    exit_code = 22
    status = 403


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Another node of the colony, as far as addresses are concerned."""

    name: str
    address: str  # its certificate names it, because it was seen there
    pinned: tuple[str, ...] = ()
    here: bool = True  # it is alive, so that nobody else can be at its address


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a certificate, and what is known for sure."""

    name: str
    wanted: str  # its own word
    source: str  # where its connection came from
    pinned: tuple[str, ...] = ()  # by an admin
    eligible: bool = False


def certified(
    claim: Claim, neighbours: Iterable[Neighbour], endpoints: Collection[str], *, loopback: bool
) -> tuple[str, ...]:
    """Addresses of the certificate, the node's own first. Raises :class:`AddressRefused`.

    ``endpoints`` are etcd's addresses; ``loopback``: the colony lives on one machine, where all share an address.
    """
    own, source = plain(claim.wanted), plain(claim.source)
    pinned = tuple(dict.fromkeys(plain(address) for address in claim.pinned))
    if own not in pinned:
        _check_seen(claim.name, own, source, loopback=loopback)
        if not loopback:
            _check_free(claim, own, neighbours, endpoints)
    return tuple(dict.fromkeys((own, *pinned)))


def check_pinned(addresses: Collection[str], name: str, neighbours: Iterable[Neighbour]) -> tuple[str, ...]:
    """What an admin pins for ``name``, in one spelling. Raises InvalidInput: not an address of a host, another's."""
    if len(addresses) > MAX_PINNED:
        raise InvalidInput(f"{len(addresses)} addresses are too many", field="addresses", hint=f"at most {MAX_PINNED}")
    for address in addresses:
        if not is_host_address(address):
            raise InvalidInput(f"{address[:64]!r} is not an IP address of a host", field="addresses")
    spelt = tuple(dict.fromkeys(plain(address) for address in addresses))
    for other in neighbours:
        theirs = {plain(address) for address in other.pinned}
        if taken := next((address for address in spelt if address in theirs and not is_loopback(address)), ""):
            raise InvalidInput(f"{taken} is pinned for {other.name} already, not for {name}", field="addresses")
    return spelt


def is_host_address(address: str) -> bool:
    """Whether ``address`` is an IP address a host can have."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (parsed.is_unspecified or parsed.is_multicast)


def plain(address: str) -> str:
    """One spelling: an IPv4 address that came through an IPv6 socket is an IPv4 address; no zone."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _check_seen(name: str, own: str, source: str, *, loopback: bool) -> None:
    if own != source:
        raise AddressRefused(f"{name} says that it is at {own}, but came from {source or 'nowhere'}", hint=_PIN)
    if is_loopback(own) and not loopback:
        raise AddressRefused(f"{name} is at {own}, where other hosts cannot reach it", hint=_PIN)


def _check_free(claim: Claim, own: str, neighbours: Iterable[Neighbour], endpoints: Collection[str]) -> None:
    for other in neighbours:
        if own in map(plain, other.pinned) or (other.here and own == plain(other.address)):
            raise AddressRefused(f"{own} is the address of {other.name}, not of {claim.name}", hint=_PIN)
    if not claim.eligible and own in {plain(endpoint) for endpoint in endpoints}:
        raise AddressRefused(f"{own} is an address of etcd, and {claim.name} is a worker", hint=_PIN)


def is_loopback(address: str) -> bool:
    """Whether nobody but this machine is there."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
