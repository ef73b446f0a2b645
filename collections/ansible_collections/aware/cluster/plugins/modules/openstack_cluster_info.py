#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a colony has in OpenStack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openstack_cluster_info
short_description: Read the servers of a colony in OpenStack
version_added: 0.1.0
description:
  - Returns the servers that belong to a colony, or to any colony of the project. It changes nothing.
author:
  - The AWARE founders (@aware-colony)
extends_documentation_fragment:
  - aware.cluster.openstack
  - aware.cluster.openstack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  colony:
    description:
      - Name of the colony.
    type: str
    required: true
  address_network:
    description:
      - Name or id of the network, one of the servers', at whose address nodes know each other and Ansible reaches them.
        Without it that is the first interface. For Ansible a floating address wins.
    type: str
"""

EXAMPLES = r"""
- name: See what colony demo has
  aware.cluster.openstack_cluster_info:
    cloud: mycloud
    colony: demo
  register: there
"""

RETURN = r"""
hosts:
  description: The servers, each as arguments for M(ansible.builtin.add_host).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "demo-1", "ansible_host": "192.0.2.11", "groups": ["aware_bootstrap", "web"], "aware_server_id": "6b0c..."}]
failed_servers:
  description: Servers in ERROR, with Nova's reason.
  returned: success
  type: list
  elements: str
foreign:
  description: Names of servers that look like nodes of the colony and belong to somebody else.
  returned: success
  type: list
  elements: str
held_by:
  description: The runs that change the colony at the moment, or wait to. One that was killed is named until the next run or its end of life.
  returned: success
  type: list
  elements: str
  sample: ["anna@desk (run 5e0c11d2)"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._openstack_connection import argument_spec, run_module
from ansible_collections.aware.cluster.plugins.module_utils._openstack_colony import read


def main():
    spec = argument_spec(colony=dict(type="str", required=True), address_network=dict(type="str"))
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), read)


if __name__ == "__main__":
    main()
