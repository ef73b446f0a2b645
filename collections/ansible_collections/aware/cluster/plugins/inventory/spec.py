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
  - Reads a cluster spec and gives the hosts to make the colony of, in group V(aware_bootstrap), to run C(aware.cluster.site) on. With
    O(provider=local) they are C(<colony>-1) to C(<colony>-<size>).
  - Variables of all are C(aware_spec) (the document the gateway takes), C(aware_provider) and C(aware_directory).
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
      - With V(static) they are machines that are there already, named by O(hosts) or put into group V(aware_bootstrap) by another inventory.
    type: str
    choices: [local, openstack, static]
    default: local
  hosts:
    description:
      - "The machines of provider V(static): names mapped to an address, or to a dictionary of host variables with C(ansible_host) and what
        else Ansible needs to reach them."
    type: dict
  directory:
    description:
      - Directory of this machine for the colony's files, relative to the spec. The default is C(.aware) beside it. The local provider keeps
        everything there, others the colony's CA, its passwords and what clients need.
    type: str
  colony:
    description: Name of the colony.
    type: str
    required: true
  size:
    description: Number of nodes. Needed unless O(hosts) names them.
    type: int
  castes:
    description:
      - "Shares of the work: names mapped to a dictionary with C(count) and, if wanted, C(requires) (C(vcpus), C(ram_mib), C(disk_gib),
        C(zone), C(labels), C(pinned)) and C(scale) (C(min), C(max), targets C(cpu), C(memory), C(load) or C(demand), C(tolerance), C(out),
        C(in), C(zone), C(schedule)). Nodes no caste takes are spare."
    type: dict
    default: {}
  council:
    description: "Nodes that carry the colony: a dictionary with C(size) (1, 3, 5 or 7) and, if wanted, C(replace_after_s)
      (0 for never). Left out, the members of etcd stay as they are; the local provider then takes three seats, or one for less than three
      nodes."
    type: dict
  policies:
    description: "How the queen treats trouble: C(dead_after_s), C(replace_dead) (V(spare) or V(never)), C(keep_events), C(keep_audit),
      C(backup), C(jobs), C(limits), C(servers), C(certificate_lifetime_s), C(session_lifetime_s), C(service_token_lifetime_s)."
    type: dict
"""

EXAMPLES = r"""
# inventories/local/cluster.yml
plugin: aware.cluster.spec
provider: local
directory: ../../.aware
colony: demo
size: 5
council:
  size: 3
castes:
  web:
    count: 2
  store:
    count: 1
---
# inventories/static/cluster.yml
plugin: aware.cluster.spec
provider: static
colony: demo
hosts:
  demo-1: 192.0.2.11
  demo-2: 192.0.2.12
  demo-3:
    ansible_host: demo-3.example.org
    ansible_user: admin
castes:
  web:
    count: 2
"""

import os
import sys
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.aware.cluster.plugins.module_utils._context import ContextError, expanded
from ansible.utils.display import Display
from ansible_collections.aware.cluster.plugins.module_utils._names import flaw
from ansible_collections.aware.cluster.plugins.module_utils._reasons import line_of
from ansible_collections.aware.cluster.plugins.plugin_utils._boundary import boundary, is_called, names_plugin
from ansible_collections.aware.cluster.plugins.plugin_utils._spec import SpecError, checked_spec

GROUP = "aware_bootstrap"
PROVIDERS = ("local", "openstack", "static")
# What these do depends on what is there, and not on what is wanted: a spec with a fault must not keep a colony running.
TAKE_DOWN = frozenset(
    ending % name for name in ("down", "destroy") for ending in ("%s.yml", "%s.yaml", "aware.cluster.%s")
)


class InventoryModule(BaseInventoryPlugin):
    """Turns a spec into the hosts it names or counts."""

    NAME = "aware.cluster.spec"

    def verify_file(self, path: str) -> bool:
        """Accept files of the right name whose ``plugin:`` is this one, so that other plugins keep theirs."""
        with boundary(self, path, (SpecError,)):
            return (
                super().verify_file(path)
                and is_called(path, self.NAME, ("cluster.yml", "cluster.yaml"))
                and os.path.basename(path) in ("cluster.yml", "cluster.yaml")
                and names_plugin(path, self.NAME)
            )

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        with boundary(self, path, (SpecError, ContextError)):
            super().parse(inventory, loader, path, cache)
            config: Any = None
            try:
                config = loader.load_from_file(path, cache="none")
                checked = _checked(config, path)
            except (SpecError, AnsibleError) as exc:
                if not takes_down():
                    raise
                Display().warning("%s. What is there is taken down all the same" % line_of(exc))
                checked = told_of(config)
            self._fill(checked, os.path.dirname(os.path.abspath(path)))

    def _fill(self, checked: dict, folder: str) -> None:
        spec = checked["spec"]
        directory = os.path.normpath(os.path.join(folder, expanded(checked["directory"] or ".aware")))
        self.inventory.add_group(GROUP)
        if checked["provider"] != "local":
            self.inventory.add_group("aware_etcd")  # filled by whoever decides who carries etcd
        # Of all, not of the group: localhost does the work of the controller, and has no group.
        for name, value in (
            ("aware_spec", spec),
            ("aware_provider", checked["provider"]),
            ("aware_directory", directory),
        ):
            self.inventory.set_variable("all", name, value)
        for name, variables in self._hosts(checked).items():
            host = self.inventory.add_host(name, group=GROUP)
            for key, value in variables.items():
                self.inventory.set_variable(host, key, value)

    @staticmethod
    def _hosts(checked: dict) -> dict:
        """Variables of each host. Those of OpenStack are not there before the servers are."""
        spec = checked["spec"]
        if checked["provider"] != "local":
            return checked["hosts"]
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        return dict(("%s-%d" % (spec["colony"], number), here) for number in range(1, spec["size"] + 1))


def _checked(config: Any, path: str) -> dict:
    if not isinstance(config, dict):
        raise SpecError("%s is not a dictionary" % path)
    try:
        return checked_spec(config)
    except SpecError as exc:
        raise SpecError("%s: %s" % (path, exc)) from None


def takes_down() -> bool:
    """Whether this run only takes down what is there."""
    named = [os.path.basename(str(name)) for name in context.CLIARGS.get("args") or ()]
    return bool(named) and TAKE_DOWN.issuperset(named)


def told_of(config: Any) -> dict:
    """What a spec with a fault still tells: whose colony it is, and where its files are."""
    said = config if isinstance(config, dict) else {}
    colony, directory = said.get("colony"), said.get("directory")
    known = isinstance(colony, str) and not flaw("colony", colony)
    return {
        "provider": said.get("provider", "local") if said.get("provider", "local") in PROVIDERS else "",
        "directory": directory if isinstance(directory, str) else None,
        "hosts": {},
        "spec": {"colony": str(colony) if known else "", "size": 0, "castes": {}},
    }
