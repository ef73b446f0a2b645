"""Where calls out of a colony may go: who may have them made chooses the address, and must not reach what only we can.

Refused is every address that is not one of the public Internet: loopback, link-local, private, shared and reserved
ones, the same behind IPv6's ways to write IPv4, and where clouds tell a machine its credentials. A node's settings may
allow networks of its operators' own. Pure: :mod:`aware_agent.outgoing` resolves and connects.
"""

from __future__ import annotations

import ipaddress

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.urls import host_of

MAX_URL = 2048
# Addresses of metadata services. Each has to be allowed by itself: a network around it does not mean it.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
)
# Of organisations (RFC 1918, RFC 4193) and of providers (RFC 6598), where OpenStack clouds have their own services.
_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed beyond the public Internet: ``networks`` as ``10.0.0.0/8``, and http to this host itself.

    ``inside``: private networks and this host, as names and addresses mean them that an admin chose to trust.
    """

    networks: tuple[str, ...] = ()
    http_to_loopback: bool = False
    inside: bool = False


def refusal(address: str, reach: Reach) -> str:
    """Why ``address`` may not be called, in a few words; empty when it may."""
    try:
        target = _plain(ipaddress.ip_address(address))
    except ValueError:
        return "it is not an IP address"
    allowed = [network for network in map(ipaddress.ip_network, reach.networks) if target in network]
    if target in METADATA:
        alone = any(network.prefixlen == network.max_prefixlen for network in allowed)
        return "" if alone else "a cloud's metadata service is there"
    if allowed or (target.is_loopback and reach.http_to_loopback):
        return ""
    if reach.inside and (target.is_loopback or _is_private(target)):
        return ""
    return _kind(target)


def _is_private(address: _Address) -> bool:
    return any(address in network for network in _PRIVATE)


def _kind(address: _Address) -> str:
    if address.is_loopback or address.is_unspecified:
        return "it is this host itself"
    if address.is_link_local:
        return "it is a link-local address"
    if address.is_multicast:
        return "it is a multicast address"
    return "" if address.is_global else "it is not an address of the public Internet"


def _plain(address: _Address) -> _Address:
    """The IPv4 address inside, where an IPv6 address is only a way to write or to reach one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.scope_id is not None:
        raise ValueError("it has a zone")
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def check_call_url(url: str, reach: Reach, field: str = "url") -> str:
    """``url``, when calls may go there as far as its text tells. Raises :class:`InvalidInput` that does not repeat it.

    A URL may be a secret by itself, as those of chat rooms are.
    """
    plain = url.startswith("http://")
    host = host_of("https" + url[4:] if plain else url) if len(url) <= MAX_URL else ""
    if not host or "#" in url:
        raise InvalidInput("this is not the URL of a receiver", field=field, hint="https://host/path, no # and no user")
    literal = _literal(host)
    if plain and not (reach.http_to_loopback and (host == "localhost" or (literal and literal.is_loopback))):
        raise InvalidInput("a receiver is called by https", field=field, hint="https://host/path")
    if literal is not None and (why := refusal(host, reach)):
        hint = "settings, section outgoing, can allow networks"
        raise InvalidInput(f"the receiver's address cannot be called: {why}", field=field, hint=hint)
    return url


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
