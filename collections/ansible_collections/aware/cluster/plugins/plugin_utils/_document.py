# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory document of a gateway: is it whole, and what of it may reach Ansible.

The gateway speaks for nodes that may lie. A document that is not whole is not used. In one that is, what cannot be used
is left out one by one, so that one bad host costs nobody the others; values that could steer Ansible (connection
variables) pass an allow-list.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._input import MAX_NUMBER, json_of
from ansible_collections.aware.cluster.plugins.module_utils._names import is_name

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,249}\Z")
_VARIABLE = re.compile(r"aware_[a-z0-9_]{1,120}\Z")
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1", "all", "ungrouped"))
_NOT_GROUPS = frozenset(("all", "ungrouped", "localhost"))
MOST_WARNINGS = 10
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


class Warnings:
    """Sentences for the user, the first few of them and how many more there were."""

    def __init__(self) -> None:
        self._texts: list = []
        self._more = 0

    def add(self, text: str) -> None:
        """One more."""
        if len(self._texts) < MOST_WARNINGS:
            self._texts.append(text)
        else:
            self._more += 1

    def texts(self) -> list:
        """All that shall be shown."""
        return self._texts + (["%d more warnings of this kind" % self._more] if self._more else [])


def parse_document(body: bytes, hostname: str = "aware_name") -> Inventory:
    """Check ``body`` and return what may be used of it. Raises DocumentError, one line."""
    try:
        document = json_of(body)
    except ValueError as exc:
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
        members=_texts(document.get("members")),
        hosts={},
        groups={},
    )
    warnings = Warnings()
    names = _names(raw_hosts, hostname, raw_groups, warnings)
    if raw_hosts and not names:
        raise DocumentError("no host of the answer can be used: %s" % warnings.texts()[0])
    result.hosts = _hosts(raw_hosts, names, warnings)
    result.groups = _groups(raw_groups, names, raw_hosts, warnings)
    result.warnings = warnings.texts()
    return result


def _texts(listed: Any) -> list:
    return [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []


def _text(document: dict, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise DocumentError("the answer has no %s" % name)
    return value


def _number(document: dict, name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise DocumentError("the answer has no %s" % name)
    return value


def _names(raw_hosts: dict, hostname: str, groups: Any, warnings: Warnings) -> dict:
    """Map the document's host names to inventory names. A host that cannot have one is left out, and told of."""
    names: dict = {}
    for name, values in raw_hosts.items():
        wanted = name if hostname == "aware_name" else values.get(hostname) if isinstance(values, dict) else None
        if not isinstance(values, dict):
            warnings.add("host %.80r is left out: it has no variables" % (name,))
        elif not _usable(wanted, hostname):
            warnings.add("host %.80r is left out: %.80r cannot be a host's name in an inventory" % (name, wanted))
        elif wanted in groups:
            warnings.add("host %.80r is left out: a group has the same name, and Ansible would hide one" % (wanted,))
        else:
            names[name] = wanted
    shared = set(wanted for wanted, count in Counter(names.values()).items() if count > 1)
    for name in [name for name, wanted in names.items() if wanted in shared]:
        warnings.add("host %.80r is left out: others have its %s too; choose another hostname" % (name, hostname))
        del names[name]
    return names


def _usable(wanted: Any, hostname: str) -> bool:
    if hostname == "aware_name":
        return is_name("node", wanted)
    if hostname == "aware_address":
        return isinstance(wanted, str) and is_host_name(wanted) and wanted.lower() not in ("all", "ungrouped")
    return isinstance(wanted, str) and bool(_HOST.match(wanted)) and wanted.lower() not in _LOCAL


def is_host_name(text: str) -> bool:
    """Whether something may be reached at this: a name or an address, and nothing a program takes for an option."""
    return bool(_HOST.match(text)) or _address(text)


def _hosts(raw_hosts: dict, names: dict, warnings: Warnings) -> dict:
    hosts, dropped = {}, {}
    allowed: dict = {}  # the same few names come with every host: judge each once
    for name in names:
        values = raw_hosts[name]
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
        warnings.add("variable %.80r of host %s is not one a gateway may set; ignored" % (key, name))
    return hosts


def _connection_variable(key: str, value: Any, kept: dict) -> bool:
    """Take over ansible_host and ansible_port when they are what they should be; report whether all is well."""
    if key == "ansible_host":
        fine = isinstance(value, str) and is_host_name(value)
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


def _groups(raw_groups: dict, names: dict, raw_hosts: dict, warnings: Warnings) -> dict:
    """Groups with the inventory names of their hosts. What cannot be used is left out, and told of."""
    groups: dict = {}
    for group, listed in raw_groups.items():
        if not _GROUP.match(group) or group in _NOT_GROUPS:
            warnings.add("group %.80r is left out: that is no name of a group" % (group,))
        elif not isinstance(listed, list):
            warnings.add("group %.80r is left out: it is not a list of hosts" % (group,))
        else:
            groups[group] = [names[name] for name in listed if isinstance(name, str) and name in names]
            strangers = [name for name in listed if not isinstance(name, str) or name not in raw_hosts]
            if strangers:
                warnings.add("group %s names %.80r, which the answer does not have; ignored" % (group, strangers[0]))
    return groups
