# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and networks as people write them, checked, merged and sorted."""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: networks
author: The AWARE founders
version_added: 0.1.0
short_description: Check, merge and sort IP addresses and networks
description:
  - Takes addresses and networks, IPv4 and IPv6 mixed, and returns networks that cover exactly the same addresses, without overlaps, sorted.
  - Needs nothing but Python's standard library.
positional: _input
options:
  _input:
    description: Addresses and networks, such as V(192.0.2.7), V(192.0.2.0/24) and V(2001:db8::/64). Bits beyond the prefix are an error.
    type: list
    elements: str
    required: true
  version:
    description: Only those of this version of IP. V(0) means both.
    type: int
    choices: [0, 4, 6]
    default: 0
  containing:
    description: Only networks that contain at least one of these addresses.
    type: list
    elements: str
  what:
    description: What the input is called in an error.
    type: str
    default: networks
"""

EXAMPLES = r"""
- name: IPv4 networks of a mixed list, 192.0.2.0/24
  ansible.builtin.debug:
    msg: "{{ ['192.0.2.0/25', '192.0.2.128/25', '2001:db8::/64'] | aware.cluster.networks(version=4) }}"

- name: Whether an address is covered
  ansible.builtin.debug:
    msg: "{{ ['192.0.2.0/24'] | aware.cluster.networks(containing=['192.0.2.7']) | length > 0 }}"
"""

RETURN = r"""
_value:
  description: Networks in CIDR notation.
  type: list
  elements: str
"""


def networks(given: Any, version: int = 0, containing: list[str] | None = None, what: str = "networks") -> list[str]:
    """See DOCUMENTATION. Raises AnsibleFilterError that names the entry."""
    parsed = [_network(entry, what) for entry in _listed(given, what)]
    found: list[str] = []
    for number in (4, 6):
        if version in (0, number):
            merged = ipaddress.collapse_addresses(network for network in parsed if network.version == number)
            found.extend(str(network) for network in sorted(merged) if _wanted(network, containing, what))
    return found


def _wanted(network: Any, containing: list[str] | None, what: str) -> bool:
    if containing is None:
        return True
    addresses = [_network(address, f"addresses to look for in {what}") for address in _listed(containing, what)]
    return any(network.version == address.version and address.subnet_of(network) for address in addresses)


def _listed(given: Any, what: str) -> list[Any]:
    if not isinstance(given, (list, tuple, set)):
        raise AnsibleFilterError(f"{what}: this is no list of addresses and networks: {given!r}")
    return list(given)


def _network(entry: Any, what: str) -> Any:
    try:
        # A number would be taken for an address.
        return ipaddress.ip_network(str(entry).strip())
    except ValueError as error:
        raise AnsibleFilterError(f"{what}: {entry!r} is no IP address or network ({error})") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"networks": networks}
