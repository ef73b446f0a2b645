# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory of a colony, read from its queen."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gateway
short_description: Inventory of an AWARE colony, read from its elected queen
version_added: 0.1.0
author:
  - The AWARE founders (@aware-colony)
description:
  - Reads all nodes of a colony with one request and follows the queen by itself. It asks the listed endpoints and the members
    remembered from last time, and follows redirects to those only, so the access token reaches nobody else.
  - The answer is whole or it is not used. When nobody answers, the last complete answer is used with a warning, and the variables
    C(aware_inventory_stale), C(aware_inventory_age_s) and C(aware_inventory_revision) of every host say so. Without one the run fails.
  - An answer older than one seen before, as a deposed queen may give, is not used.
  - Groups made by the gateway are one for each caste, V(spare), V(aware_queen), V(aware_council) (who has a seat, the queen too),
    V(aware_workers) (who has none), V(aware_cordoned), V(aware_alive) (the nodes that are ready) and V(aware_status_*), V(aware_zone_*), V(aware_label_*).
  - Values that come from nodes are data. They are never evaluated as templates, and apart from C(ansible_host) and C(ansible_port), which are
    checked, only variables that begin with C(aware_) are accepted.
  - Configuration files must end in C(aware.yml) or C(aware.yaml).
  - What options say wins over the environment, that over C(ansible.cfg), and that over the context file.
notes:
  - By default Ansible goes on with an empty inventory when a source cannot be read, and ends with success. O(on_failure=fatal) ends the run
    instead. A file that is not YAML never reaches this plugin; E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true) ends a run for that as well.
  - Keys of O(keyed_groups), O(groups) and O(compose) that are plain names such as V(aware_zone) or V(aware_labels.tier) are looked up without
    Jinja on ansible-core 2.19 and newer, with the same result and many times faster.
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: Must be V(aware.cluster.gateway).
    type: str
    required: true
    choices: [aware.cluster.gateway]
  context:
    description:
      - Context file that C(aware login) wrote, or the name under which C(aware context add) saved one. It names the endpoints, the CA
        and the token file of a colony.
      - Relative to the inventory file, or to the working directory when the environment names it. Other options win over what it says.
      - When neither this nor O(endpoints) is set, C(.aware/context.json) in the current directory and those above it, then
        C(aware/context.json) in E(XDG_CONFIG_HOME) (C(~/.config)) are used.
    type: str
    env:
      - name: AWARE_CONTEXT
    ini:
      - section: aware_inventory
        key: context
  endpoints:
    description: Base URLs of members of the colony, like V(https://192.0.2.7:8443). Any of them will do; more are asked when one is down.
    type: list
    elements: str
    env:
      - name: AWARE_ENDPOINTS
    ini:
      - section: aware_inventory
        key: endpoints
  token:
    description: Access token. A vault value or a template is fine.
    type: str
    env:
      - name: AWARE_TOKEN
  token_file:
    description: File with the access token, relative to the inventory file.
    type: str
    env:
      - name: AWARE_TOKEN_FILE
    ini:
      - section: aware_inventory
        key: token_file
  ca_path:
    description: File with the CA that signs the members' certificates, relative to the inventory file.
    type: str
    env:
      - name: AWARE_CA_PATH
    ini:
      - section: aware_inventory
        key: ca_path
  validate_certs:
    description: Verify the certificates of the members. Without it no members are remembered.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for one member.
    type: float
    default: 5
  deadline:
    description: Seconds for everything. It covers an election, so that a run does not fail because a queen just died.
    type: float
    default: 15
    ini:
      - section: aware_inventory
        key: deadline
  on_failure:
    description: What becomes of the run when this inventory cannot be read.
    type: str
    choices:
      ansible: What Ansible's own settings say. By default it warns and goes on without these hosts.
      fatal: The run ends with an error and one line that says why. A program that uses Ansible as a library sees C(SystemExit).
    default: ansible
    env:
      - name: AWARE_INVENTORY_ON_FAILURE
    ini:
      - section: aware_inventory
        key: on_failure
  stale:
    description: What to do when nobody answers and there is an earlier complete answer.
    type: str
    choices:
      allow: Use it and warn.
      error: Fail.
    default: allow
    env:
      - name: AWARE_INVENTORY_STALE
    ini:
      - section: aware_inventory
        key: stale
  stale_max_age:
    description: Age in seconds up to which an earlier answer may be used. V(0) means any age.
    type: int
    default: 86400
    ini:
      - section: aware_inventory
        key: stale_max_age
  stale_path:
    description:
      - Directory of the last complete answer, relative to the inventory file. Its files hold host data and are readable by their owner only.
      - The default is C(inventory) beside the context file, or C(aware.cluster) in E(XDG_CACHE_HOME) (C(~/.cache)) when there is none.
    type: str
    env:
      - name: AWARE_INVENTORY_STALE_PATH
    ini:
      - section: aware_inventory
        key: stale_path
  min_hosts:
    description: Fail when the colony has fewer hosts than this.
    type: int
    default: 0
  max_shrink:
    description: Fail when the colony has lost more than this percentage of its hosts since the last answer.
    type: int
    default: 100
    env:
      - name: AWARE_INVENTORY_MAX_SHRINK
  hostname:
    description: What hosts are called in the inventory.
    type: str
    choices:
      aware_name: The name of the node.
      aware_id: Its identifier, which stays when the name changes.
      aware_address: Its address. It must be different for every node.
    default: aware_name
"""

EXAMPLES = r"""
# inventories/aware.yml, after `aware login --context .aware/context.json`
plugin: aware.cluster.gateway
context: ../.aware/context.json

---
# inventories/production.aware.yml
plugin: aware.cluster.gateway
endpoints:
  - https://192.0.2.11:8443
  - https://192.0.2.12:8443
ca_path: colony-ca.crt
token: "{{ lookup('ansible.builtin.env', 'COLONY_TOKEN') }}"
stale_max_age: 3600
max_shrink: 30
strict: true
keyed_groups:
  - key: aware_zone
    prefix: zone
  - key: aware_labels
    prefix: label
groups:
  small: aware_ram_mib < 4096
compose:
  zone: aware_zone
"""

import hashlib
import json
import os
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError
from ansible_collections.aware.cluster.plugins.module_utils._context import (
    ENVIRONMENT,
    Connection,
    ContextError,
    connection_from,
    expanded,
    user_folder,
)
from ansible_collections.aware.cluster.plugins.module_utils._members import save_members
from ansible_collections.aware.cluster.plugins.plugin_utils._boundary import boundary, is_called
from ansible_collections.aware.cluster.plugins.plugin_utils._bulk import add_hosts, add_members, as_data, as_variables
from ansible_collections.aware.cluster.plugins.plugin_utils._constructed import Constructed
from ansible_collections.aware.cluster.plugins.plugin_utils._document import DocumentError, parse_document
from ansible_collections.aware.cluster.plugins.plugin_utils._lastgood import Head, LastGood, identity
from ansible_collections.aware.cluster.plugins.plugin_utils._source import Fetched, Guards, Source, SourceError

_CONNECTION = ("context", "endpoints", "token", "token_file", "ca_path", "validate_certs", "timeout", "deadline")
_OURS = (ContextError, GatewayError, SourceError, DocumentError)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads, checks, caches; then fills Ansible's inventory."""

    NAME = "aware.cluster.gateway"

    def verify_file(self, path: str) -> bool:
        """Accept files of the right name. Ansible's plugin auto asks for those that name this plugin; it gets the reason."""
        with boundary(self, path, _OURS):
            return super().verify_file(path) and is_called(path, self.NAME, ("aware.yml", "aware.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        with boundary(self, path, _OURS):
            super().parse(inventory, loader, path, cache)
            folder = os.path.dirname(os.path.abspath(path))
            link = self._connection(self._read_config_data(path), folder)
            self._fill(self._fetch(link, path, folder, cache))

    def _connection(self, config: Any, folder: str) -> Connection:
        """What the file says, then the environment, then ansible.cfg: Ansible itself no longer tells them apart."""
        said = dict((name, self._option(name)) for name in _CONNECTION)
        elsewhere = dict((name, said.pop(name)) for name in ENVIRONMENT if name not in config)
        return connection_from(said, base_dir=folder, settings=elsewhere)

    def _option(self, name: str) -> Any:
        """Return an option; what the user wrote as a template is evaluated, lists item by item."""
        value = self.get_option(name)
        if isinstance(value, list):
            return [self.templar.template(item) for item in value]
        return self.templar.template(value) if isinstance(value, str) else value

    def _fetch(self, link: Connection, path: str, folder: str, cache: bool) -> Fetched:
        ident = identity(link.context, link.endpoints, link.ca_path)
        guards = self._guards()
        key = "aware_%s" % hashlib.sha256(json.dumps([path, ident, guards.hostname]).encode()).hexdigest()[:24]
        if cache and self.get_option("cache"):
            kept = self._from_cache(key, guards)
            if kept:
                return kept
        store = LastGood(self._stale_folder(link, folder), ident)
        fetched = Source(link, store, guards, self._warn, fresh=not cache).fetch()
        save_members(link.context, [url for url in fetched.head.members if url.startswith("https://")])
        if self.get_option("cache") and not fetched.stale:
            head = fetched.head
            self._cache[key] = {
                "body": fetched.body.decode(),
                "saved_at": head.saved_at,
                "revision": head.revision,
                "term": head.term,
            }
        return fetched

    def _from_cache(self, key: str, guards: Guards) -> Fetched | None:
        """What Ansible's own inventory cache holds, as the text it came as: it stays data."""
        try:
            kept = self._cache[key]
            inventory = parse_document(kept["body"].encode(), guards.hostname)
            head = Head(
                colony=inventory.colony,
                revision=inventory.revision,
                term=inventory.term,
                saved_at=float(kept["saved_at"]),
            )
        except (KeyError, TypeError, AttributeError, DocumentError):
            return None
        return Fetched(inventory, b"", head, age_s=head.age_s())

    def _guards(self) -> Guards:
        return Guards(
            stale=self.get_option("stale") == "allow",
            stale_max_age=self.get_option("stale_max_age"),
            min_hosts=self.get_option("min_hosts"),
            max_shrink=self.get_option("max_shrink"),
            hostname=self.get_option("hostname"),
        )

    def _stale_folder(self, link: Connection, folder: str) -> str:
        named = self._option("stale_path")
        if named:
            return os.path.join(folder, expanded(named))
        if link.context:
            return os.path.join(os.path.dirname(link.context), "inventory")
        cache = user_folder("XDG_CACHE_HOME", ".cache", os.environ)
        return os.path.join(cache, "aware.cluster") if cache else ""

    def _compose(self, template: Any, variables: Any, *args: Any, **kwargs: Any) -> Any:
        """Results are data as well: before ansible-core 2.19 text put together from data would be taken for a template again."""
        return as_data(super()._compose(template, variables, *args, **kwargs))

    def _warn(self, text: str) -> None:
        self.display.warning("aware.cluster.gateway: %s" % text)

    def _fill(self, fetched: Fetched) -> None:
        found = fetched.inventory
        for text in found.warnings:
            self._warn(text)
        # From here on nothing holds the raw values: expressions of the user see the same data as plays do.
        variables = as_variables(found.hosts)
        hosts = add_hosts(self.inventory, variables)
        for name, members in found.groups.items():
            add_members(self.inventory, name, [hosts[member] for member in members])
        # Three variables of each host are a tenth of what --list costs: no more of them than are needed.
        facts = {
            "aware_inventory_revision": found.revision,
            "aware_inventory_stale": fetched.stale,
            "aware_inventory_age_s": fetched.age_s,
        }
        for name, value in facts.items():
            self.inventory.set_variable("all", name, value)
        Constructed(self).apply(hosts, variables)
