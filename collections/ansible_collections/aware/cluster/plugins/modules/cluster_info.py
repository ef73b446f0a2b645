#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State of a colony."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Read the state of a colony
version_added: 0.1.0
description:
  - Returns what the queen says of the colony, her term, the castes and the number of nodes in each state.
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
  council:
    description:
      - Read who sits in the council, too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the colony
  aware.cluster.cluster_info:
    context: .aware/context.json
  register: colony

- name: Show who reigns
  ansible.builtin.debug:
    msg: "{{ colony.cluster.queen.name }} since term {{ colony.cluster.term }}"
"""

RETURN = r"""
cluster:
  description: The colony as its queen sees it.
  returned: success
  type: dict
  contains:
    colony:
      description: Name of the colony.
      type: str
    revision:
      description: Revision of the state this was read at.
      type: int
    term:
      description: Term of the queen.
      type: int
    status:
      description: One of V(healthy), V(degraded), V(forming).
      type: str
    reason:
      description: Why it is not healthy.
      type: str
    queen:
      description: The queen.
      type: dict
    heir:
      description: Who would be queen next.
      type: dict
    size:
      description: Number of nodes wanted and in each state. C(wanted) is the spec's size; C(servers) how many there shall be, which is more where castes
        that scale want more; C(missing) how many are too few for that.
      type: dict
    castes:
      description: The castes with the nodes that serve in them.
      type: list
      elements: dict
  sample: {"colony": "demo", "revision": 41, "term": 7, "status": "healthy", "queen": {"name": "demo-1"}}
council:
  description: What the spec wants of the council, its members, each with its name, whether it answers and whether it votes, and what is being done about it.
  returned: when O(council) is set
  type: dict
  sample: {"wanted": {"size": 3}, "members": [{"name": "demo-1", "healthy": true, "learner": false}], "message": "", "trouble": ""}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, run_module


def work(module, client):
    """Read what was asked for."""
    found = dict(changed=False, cluster=client.get("/v1/cluster"))
    if module.params["council"]:
        found["council"] = client.get("/v1/council/members")
    return found


def main():
    spec = argument_spec(council=dict(type="bool", default=False))
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
