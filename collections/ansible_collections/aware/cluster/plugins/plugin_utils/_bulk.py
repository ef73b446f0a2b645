# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting many hosts and groups into Ansible's inventory at once.

One call per host, variable and group membership costs seconds at ten thousand hosts. What is done here in bulk is
what those calls would do; anything that exists already, from another inventory source, goes through the calls.
"""

from __future__ import annotations

from typing import Any, Iterable

from ansible.inventory.host import Host
from ansible.release import __version__ as CORE_VERSION

# Since 2.19 text is no template unless somebody vouches for it, and what json.loads makes is vouched for by nobody.
UNTRUSTED_BY_NATURE = tuple(int(part) for part in CORE_VERSION.split(".")[:2]) >= (2, 19)


def as_data(value: Any) -> Any:
    """Return remote data in a form Ansible never takes for a template, on every supported core."""
    if UNTRUSTED_BY_NATURE:
        return value
    from ansible.utils.unsafe_proxy import wrap_var

    return wrap_var(value)


def as_variables(hosts: dict) -> dict:
    """Do so with the variables of hosts. Names of hosts and variables were checked and stay plain text."""
    if UNTRUSTED_BY_NATURE:
        return hosts
    return dict((name, dict((key, as_data(value)) for key, value in values.items())) for name, values in hosts.items())


def add_hosts(inventory: Any, hosts: dict) -> dict:
    """Add ``hosts`` with their variables, which went through :func:`as_variables`; return the Host objects by name."""
    added: dict = {}
    where: dict = {}
    for name, data in hosts.items():
        if name in inventory.hosts or not where:
            inventory.add_host(name)
            host = inventory.hosts[name]
            for key, value in data.items():
                host.set_variable(key, value)
            if not where:  # every host notes the file it came from: ask core once, repeat for the rest
                where = dict((key, host.vars[key]) for key in ("inventory_file", "inventory_dir") if key in host.vars)
        else:
            host = inventory.hosts[name] = Host(name)
            host.vars.update(where)
            host.vars.update(data)
        added[name] = host
    return added


def add_members(inventory: Any, group_name: str, hosts: Iterable) -> None:
    """Put Host objects into a group, made when needed; those in it already stay once."""
    group = inventory.groups[inventory.add_group(group_name)]
    known = group.host_names
    # Host names are remembered in a private set beside the public list; without it go the long way.
    if getattr(group, "_hosts", None) is not known:
        for host in hosts:
            group.add_host(host)
        return
    ancestors = group.get_ancestors()
    for host in hosts:
        if host.name in known:
            continue
        known.add(host.name)
        group.hosts.append(host)
        listed = host.groups
        for ancestor in ancestors:
            if ancestor not in listed:
                listed.append(ancestor)
        if group not in listed:
            listed.append(group)
    group.clear_hosts_cache()
    inventory._groups_dict_cache = {}  # as InventoryData.add_child does
