# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstrap inventory: the hosts a spec asks for, before there is a colony to ask."""
from __future__ import annotations

DOCUMENTATION = r"""
name: spec
short_description: Hosts to make a colony of, from its spec
version_added: 0.1.0
author:
  - The AWARE founders (@aware-colony)
description:
  - Reads a cluster spec and gives the hosts C(<colony>-1) to C(<colony>-<size>) in group V(aware_bootstrap), to run
    C(aware.cluster.site) on.
  - Group variables are C(aware_spec) (the document the gateway takes), C(aware_provider) and C(aware_directory).
  - A spec with unknown keys or impossible counts is refused in one line, and nothing is made.
  - Files must be called C(cluster.yml) or C(cluster.yaml).
options:
  plugin:
    description: Must be V(aware.cluster.spec).
    type: str
    required: true
    choices: [aware.cluster.spec]
  provider:
    description:
      - Who makes the nodes. V(local) runs them as processes of this machine.
      - With V(openstack) there are no hosts before the servers are made, only C(aware_spec) and C(aware_provider) as variables of all.
        C(aware.cluster.provision) makes the servers and adds them to group V(aware_bootstrap).
    type: str
    choices: [local, openstack]
    default: local
  directory:
    description: Where the local provider keeps everything, relative to the spec. The default is C(.aware) beside it.
    type: str
  colony:
    description: Name of the colony.
    type: str
    required: true
  size:
    description: Number of nodes.
    type: int
    required: true
  castes:
    description:
      - "Shares of the work: names mapped to a dictionary with C(count) and, if wanted, C(requires) (C(vcpus), C(ram_mib), C(disk_gib),
        C(zone), C(labels)). Nodes no caste takes are spare."
    type: dict
    default: {}
  policies:
    description: "How the queen treats trouble: C(dead_after_s), C(replace_dead) (V(spare) or V(never)), C(keep_events)."
    type: dict
"""

EXAMPLES = r"""
# inventories/local/cluster.yml
plugin: aware.cluster.spec
provider: local
directory: ../../.aware
colony: demo
size: 5
castes:
  web:
    count: 2
  store:
    count: 1
"""

import os
import sys
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.aware.cluster.plugins.plugin_utils._spec import SpecError, checked_spec

GROUP = "aware_bootstrap"


class InventoryModule(BaseInventoryPlugin):
    """Turns a spec into hosts of the local provider."""

    NAME = "aware.cluster.spec"

    def verify_file(self, path: str) -> bool:
        """Accept files of the right name whose ``plugin:`` is this one, so that other plugins keep theirs."""
        if os.path.basename(path) not in ("cluster.yml", "cluster.yaml") or not super().verify_file(path):
            return False
        with open(path, encoding="utf-8", errors="replace") as stream:
            return any(line.split("#")[0].replace('"', "").replace("'", "").split() == ["plugin:", self.NAME] for line in stream)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = loader.load_from_file(path, cache="none")
        if not isinstance(config, dict):
            raise AnsibleParserError("aware.cluster.spec: %s is not a dictionary" % path)
        try:
            checked = checked_spec(config)
        except SpecError as exc:
            raise AnsibleParserError("aware.cluster.spec: %s: %s" % (path, exc)) from None  # core prints causes again
        self._fill(checked, os.path.dirname(os.path.abspath(path)))

    def _fill(self, checked: dict, folder: str) -> None:
        spec = checked["spec"]
        self.inventory.add_group(GROUP)
        if checked["provider"] == "openstack":  # localhost makes the servers, and has no group
            self.inventory.set_variable("all", "aware_spec", spec)
            self.inventory.set_variable("all", "aware_provider", checked["provider"])
            return
        directory = os.path.normpath(os.path.join(folder, os.path.expanduser(checked["directory"] or ".aware")))
        for name, value in (("aware_spec", spec), ("aware_provider", checked["provider"]), ("aware_directory", directory)):
            self.inventory.set_variable(GROUP, name, value)
        for number in range(1, spec["size"] + 1):
            host = self.inventory.add_host("%s-%d" % (spec["colony"], number), group=GROUP)
            self.inventory.set_variable(host, "ansible_connection", "local")
            self.inventory.set_variable(host, "ansible_python_interpreter", sys.executable)
