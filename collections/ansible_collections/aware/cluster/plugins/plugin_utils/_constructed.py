# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""compose, groups and keyed_groups; plain names without Jinja.

``aware_zone`` or ``aware_labels.tier`` as an expression means: look the value up. Doing just that gives the same
result as Ansible's Constructable at a tenth of the price. Whatever is not certain to be the same is left to Constructable,
value by value: other expressions, names Jinja knows, text that looks like a template, and ansible-core before 2.19.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable

from ansible.errors import AnsibleParserError
from ansible_collections.aware.cluster.plugins.plugin_utils._bulk import UNTRUSTED_BY_NATURE, add_members

_PATH = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")
_SIMPLE = (str, int, float, bool, type(None))
# Names that mean something else than a host variable: Jinja's words and tests, and Ansible's magic variables.
_TAKEN = frozenset(
    "true false none True False None and or not if else in is inventory_hostname inventory_hostname_short group_names groups hostvars "
    "vars omit environment ansible_version playbook_dir inventory_dir inventory_file lookup query q now undef range dict lipsum cycler "
    "joiner namespace self super loop caller varargs kwargs".split()
)
# A key of this name may be an attribute of the mapping to Jinja: let Jinja say.
_DICT_ATTRIBUTES = frozenset(dir(dict))


class Unsure(Exception):
    """The short way is not certain to give what Jinja gives."""


def exact(value: Any) -> type:
    """The very type: subclasses of text and dictionaries carry Ansible's trust or are lazy templates, and go to Jinja."""
    return type(value)


def plain_path(expression: Any) -> tuple | None:
    """Return the names of a plain dotted expression, or None."""
    if not UNTRUSTED_BY_NATURE or not isinstance(expression, str) or not _PATH.match(expression):
        return None
    names = tuple(str(expression).split("."))
    if names[0] in _TAKEN or any(name in _DICT_ATTRIBUTES or name.startswith("__") for name in names):
        return None
    return names


def look_up(path: tuple, variables: dict) -> Any:
    """Return the value at ``path``. Raises Unsure when only Jinja can tell."""
    value: Any = variables
    for name in path:
        if exact(value) is not dict or name not in value:
            raise Unsure(name)
        value = value[name]
    if not _is_data(value):
        raise Unsure(path)
    return value


def _is_data(value: Any, depth: int = 8) -> bool:
    """True for values templating would give back as they are: no tagged, lazy or template-like thing in them."""
    kind = exact(value)
    if kind is str:
        return "{" not in value
    if kind in _SIMPLE:
        return True
    if not depth:
        return False
    if kind is list:
        return all(_is_data(item, depth - 1) for item in value)
    return kind is dict and all(exact(key) is str and _is_data(item, depth - 1) for key, item in value.items())


class Keyed:
    """One entry of keyed_groups with a plain key: from a value to group names, each value once."""

    def __init__(self, entry: dict, path: tuple, strict: bool, leading: bool, sanitize: Callable) -> None:
        self.entry, self.path = entry, path
        self._strict, self._leading, self._sanitize = strict, leading, sanitize
        self._known: dict = {}
        self.members: dict = {}

    def add(self, host: Any, variables: dict) -> None:
        """Note the groups of ``host``. Raises Unsure or AnsibleParserError, then nothing was noted."""
        value = look_up(self.path, variables)
        try:
            known = self._known.get(value) if exact(value) is str else None
        except TypeError:
            known = None
        if known is None:
            known = self._names(value)
            if exact(value) is str:
                self._known[value] = known
        for name in known:
            self.members.setdefault(name, []).append(host)

    def _names(self, value: Any) -> list:
        default = self.entry.get("default_value")
        empty = value is None or value == ""
        if not value and not (empty and default is not None):
            if self._strict and value not in ([], {}):
                raise Unsure(value)  # core words the error
            return []
        prefix, separator = self.entry.get("prefix", ""), self.entry.get("separator", "_")
        bare = self._bare(value, default, separator, empty)
        if prefix == "" and not self._leading:
            separator = ""
        return [self._sanitize("%s%s%s" % (prefix, separator, name)) for name in bare]

    def _bare(self, value: Any, default: Any, separator: str, empty: bool) -> list:
        if empty:
            return [default]
        if isinstance(value, str):
            return [value]
        if isinstance(value, list):
            return [default if default is not None and (name is None or name == "") else name for name in value]
        if isinstance(value, dict):
            return [self._pair(key, item, default, separator) for key, item in value.items()]
        raise Unsure(value)

    def _pair(self, key: str, item: Any, default: Any, separator: str) -> str:
        if item is None or item == "":
            if default is not None:
                return "%s%s%s" % (key, separator, default)
            if self.entry.get("trailing_separator") is False:
                return key
        return "%s%s%s" % (key, separator, item)


class Constructed:
    """Applies the constructed options of ``plugin`` (an inventory plugin with Constructable) to hosts."""

    def __init__(self, plugin: Any) -> None:
        self._plugin = plugin
        self._strict = plugin.get_option("strict")
        self._compose = plugin.get_option("compose") or {}
        self._groups = plugin.get_option("groups") or {}
        self._keyed = [entry for entry in plugin.get_option("keyed_groups") or [] if entry]
        # Extra variables win over host variables only in Constructable's own templating.
        self._short = not plugin.get_option("use_extra_vars") and not self._order_matters()

    def _order_matters(self) -> bool:
        """An expression that reads group membership sees what earlier entries did: keep core's order for all."""
        texts = [*self._compose.values(), *self._groups.values(), *(entry.get("key") for entry in self._keyed)]
        return any("group" in str(text) or "hostvars" in str(text) or "vars[" in str(text) for text in texts)

    def apply(self, hosts: dict, variables: dict) -> None:
        """``hosts``: Host objects by name; ``variables``: what the gateway gave for each."""
        if not (self._compose or self._groups or self._keyed):
            return
        compose = [(name, text, self._path(text)) for name, text in self._compose.items()]
        groups = [
            (self._plugin._sanitize_group_name(name), name, text, self._path(text))
            for name, text in self._groups.items()
        ]
        keyed = [(entry, self._short_keyed(entry)) for entry in self._keyed]
        joined: dict = {}
        for name, host in hosts.items():
            self._compose_host(compose, host, variables[name])
            self._group_host(groups, host, variables[name], joined)
            self._key_host(keyed, host, variables[name])
        self._flush(joined.items())
        self._flush(item for _entry, short in keyed if short for item in short.members.items())
        self._parents(keyed)

    def _path(self, text: Any) -> tuple | None:
        return plain_path(text) if self._short else None

    def _short_keyed(self, entry: dict) -> Keyed | None:
        path, parent = self._path(entry.get("key")), entry.get("parent_group")
        both = entry.get("default_value") is not None and entry.get("trailing_separator") is not None
        if path is None or both or (parent and (not isinstance(parent, str) or "{" in parent)):
            return None
        if not all(isinstance(entry.get(name, ""), str) for name in ("prefix", "separator")):
            return None
        return Keyed(
            entry,
            path,
            self._strict,
            self._plugin.get_option("leading_separator") is not False,
            self._plugin._sanitize_group_name,
        )

    def _compose_host(self, compose: list, host: Any, given: dict) -> None:
        for name, text, path in compose:
            try:
                if path is None:
                    raise Unsure(text)
                host.set_variable(name, look_up(path, given))
            except Unsure:
                self._plugin._set_composite_vars({name: text}, given, host.name, strict=self._strict)

    def _group_host(self, groups: list, host: Any, given: dict, joined: dict) -> None:
        for safe, name, text, path in groups:
            try:
                if path is None:
                    raise Unsure(text)
                answer = look_up(path, self._seen(path, host, given))
                if exact(answer) is not bool:
                    raise Unsure(text)
                if answer:
                    joined.setdefault(safe, []).append(host)
            except Unsure:
                self._plugin._add_host_to_composed_groups({name: text}, given, host.name, strict=self._strict)

    def _key_host(self, keyed: list, host: Any, given: dict) -> None:
        for entry, short in keyed:
            try:
                if short is None:
                    raise Unsure(entry)
                short.add(host, self._seen(short.path, host, given))
            except Unsure:
                self._plugin._add_host_to_keyed_groups([entry], given, host.name, strict=self._strict)

    @staticmethod
    def _seen(path: tuple, host: Any, given: dict) -> dict:
        """The variables that hold the first name: the host's own, with what compose and other sources set, come first."""
        return host.vars if path[0] in host.vars else given

    def _flush(self, groups: Iterable) -> None:
        for name, hosts in groups:
            add_members(self._plugin.inventory, name, hosts)

    def _parents(self, keyed: list) -> None:
        for entry, short in keyed:
            parent = entry.get("parent_group")
            if not short or not parent or not short.members:
                continue
            safe = self._plugin._sanitize_group_name(parent)
            self._plugin.inventory.add_group(safe)
            for name in short.members:
                if name == safe:
                    raise AnsibleParserError("keyed group %s cannot be its own parent" % name)
                self._plugin.inventory.add_child(safe, name)
