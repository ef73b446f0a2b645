"""Which networks a node beacons on."""

from __future__ import annotations

import pytest

from aware_agent.discovery.interfaces import LOOPBACK_BROADCAST, Link, choose_links, local_links

ETH = Link(interface="eth0", address="10.0.0.5", broadcast="10.0.0.255")
ALIAS = Link(interface="eth0:1", address="10.1.0.5", broadcast="10.1.255.255")
SECOND = Link(interface="eth0", address="10.0.0.6", broadcast="10.0.0.255")
OTHER = Link(interface="eth1", address="172.16.0.5", broadcast="172.16.0.255")
ALL = [ETH, ALIAS, SECOND, OTHER]


def test_this_machine_has_loopback() -> None:
    assert Link(interface="lo", address="127.0.0.1", broadcast=LOOPBACK_BROADCAST) in local_links()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.7"])
def test_a_node_on_loopback_never_leaves_it(address: str) -> None:
    expected = [Link(interface="lo", address=address, broadcast=LOOPBACK_BROADCAST)]
    assert choose_links(address) == expected
    assert choose_links(address, ["eth0"], ALL) == expected


def test_by_default_only_the_nodes_own_address_counts() -> None:
    assert choose_links("10.0.0.5", (), ALL) == [ETH]
    assert choose_links("172.16.0.5", (), ALL) == [OTHER]


def test_named_interfaces_bring_all_their_networks_once() -> None:
    assert choose_links("10.0.0.5", ["eth0"], ALL) == [ETH, ALIAS]
    assert choose_links("10.0.0.5", ["eth0", "eth1"], ALL) == [ETH, ALIAS, OTHER]


@pytest.mark.parametrize("address", ["203.0.113.9", "fd00::1", "not an address"])
def test_an_address_of_no_link_has_no_broadcast(address: str) -> None:
    assert choose_links(address, (), ALL) == []
    assert choose_links(address) == []
