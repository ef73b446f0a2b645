#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a colony."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Read the nodes of a colony
version_added: 0.1.0
description:
  - Returns all nodes, or one, and its configuration if wanted.
author:
  - The AWARE founders (@aware-colony)
extends_documentation_fragment:
  - aware.cluster.gateway
  - aware.cluster.gateway.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  node:
    description:
      - Name or identifier of the only node to return. It is an error when there is no such node.
    type: str
  config:
    description:
      - Return the configuration too. Needs O(node).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read all nodes
  aware.cluster.node_info:
    context: .aware/context.json
  register: colony

- name: Read one node and its configuration
  aware.cluster.node_info:
    context: .aware/context.json
    node: demo-3
    config: true
"""

RETURN = r"""
nodes:
  description: The nodes, sorted by name.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "demo-3", "status": "ready", "caste": "web", "cordoned": false}]
revision:
  description: Revision of the state this was read at.
  returned: success
  type: int
  sample: 41
config:
  description: Configuration of the node, with its version and whether the node has applied it.
  returned: when O(config=true)
  type: dict
  sample: {"version": 2, "applied": true, "config": {"agent": {}, "vars": {}}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, node_path, run_module


def work(module, client):
    """Read all nodes or one."""
    name = module.params["node"]
    if not name:
        document = client.get("/v1/nodes")
        return dict(changed=False, nodes=document.get("nodes", []), revision=document.get("revision"))
    node = client.get(node_path(name))
    revision = node.pop("revision", None)
    result = dict(changed=False, nodes=[node], revision=revision)
    if module.params["config"]:
        result["config"] = client.get(node_path(name, "config"))
    return result


def main():
    spec = argument_spec(node=dict(type="str"), config=dict(type="bool", default=False))
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
