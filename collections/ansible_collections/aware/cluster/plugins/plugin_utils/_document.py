# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory document of a gateway: is it whole, and what of it may reach Ansible.

The gateway speaks for nodes that may lie. A document that breaks the shape is refused whole (never half used); single
values that could steer Ansible (connection variables) pass an allow-list.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import Any

_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$")
_VARIABLE = re.compile(r"^aware_[a-z0-9_]{1,120}$")
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1", "all", "ungrouped"))
# What the plugin itself says; a remote host may not speak in its name.
OWN_VARIABLES = frozenset(("aware_inventory_stale", "aware_inventory_age_s", "aware_inventory_revision"))
NOWHERE = "refused.invalid"  # RFC 6761: never resolves, so nothing is reached by accident


class DocumentError(Exception):
    """The document is not a whole inventory of an AWARE gateway."""


@dataclass
class Inventory:
    """A checked document. ``hosts`` maps names to allowed variables, ``groups`` names to lists of those names."""

    colony: str
    revision: int
    term: int
    members: list
    hosts: dict
    groups: dict
    warnings: list = field(default_factory=list)


def parse_document(body: bytes, hostname: str = "aware_name") -> Inventory:
    """Check ``body`` and return what may be used of it. Raises DocumentError, one line."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise DocumentError("the answer is not JSON") from exc
    if not isinstance(document, dict) or document.get("complete") is not True:
        raise DocumentError("the answer is not a complete inventory")
    raw_hosts, raw_groups = document.get("hosts"), document.get("groups")
    if not isinstance(raw_hosts, dict) or not isinstance(raw_groups, dict):
        raise DocumentError("the answer has no hosts and groups")
    result = Inventory(
        colony=_text(document, "colony"),
        revision=_number(document, "revision"),
        term=_number(document, "term"),
        members=[str(url) for url in document.get("members") or [] if isinstance(url, str)],
        hosts={},
        groups={},
    )
    names = _names(raw_hosts, hostname)
    result.hosts = _hosts(raw_hosts, names, result.warnings)
    result.groups = dict((str(group), _members(group, listed, names)) for group, listed in raw_groups.items())
    return result


def _text(document: dict, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise DocumentError("the answer has no %s" % name)
    return value


def _number(document: dict, name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DocumentError("the answer has no %s" % name)
    return value


def _names(raw_hosts: dict, hostname: str) -> dict:
    """Map the document's host names to inventory names; refuse names that mean something to Ansible."""
    names: dict = {}
    for name, values in raw_hosts.items():
        if not isinstance(values, dict):
            raise DocumentError("host %.80r has no variables" % name)
        wanted = name if hostname == "aware_name" else values.get(hostname)
        if (
            not isinstance(wanted, str)
            or not _host_name(wanted)
            or wanted.lower() in _LOCAL
            and hostname != "aware_address"
        ):
            raise DocumentError("host name %.80r cannot be used in an inventory" % (wanted,))
        names[name] = wanted
    if len(set(names.values())) != len(names):
        raise DocumentError("several hosts share one %s; choose another hostname" % hostname)
    return names


def _host_name(text: str) -> bool:
    return bool(_HOST.match(text)) or _address(text)


def _hosts(raw_hosts: dict, names: dict, warnings: list) -> dict:
    hosts, dropped = {}, {}
    allowed: dict = {}  # the same few names come with every host: judge each once
    for name, values in raw_hosts.items():
        kept = {}
        for key, value in values.items():
            verdict = allowed.get(key)
            if verdict is None:
                verdict = allowed[key] = key not in OWN_VARIABLES and bool(_VARIABLE.match(key))
            if verdict:
                kept[key] = value
            elif not _connection_variable(key, value, kept):
                dropped.setdefault(key, name)
        hosts[names[name]] = kept
    for key, name in sorted(dropped.items())[:5]:
        warnings.append("variable %.80r of host %s is not one a gateway may set; ignored" % (key, name))
    return hosts


def _connection_variable(key: str, value: Any, kept: dict) -> bool:
    """Take over ansible_host and ansible_port when they are what they should be; report whether all is well."""
    if key == "ansible_host":
        fine = isinstance(value, str) and _host_name(value)
        kept[key] = value if fine else NOWHERE
        return fine
    if key == "ansible_port":
        fine = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
        if fine:
            kept[key] = value
        return fine
    return False


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _members(group: Any, listed: Any, names: dict) -> list:
    if not isinstance(listed, list):
        raise DocumentError("group %.80r is not a list of hosts" % (group,))
    try:
        return [names[name] for name in listed]
    except (KeyError, TypeError) as exc:
        raise DocumentError("group %.80r names a host the answer does not have" % (group,)) from exc
