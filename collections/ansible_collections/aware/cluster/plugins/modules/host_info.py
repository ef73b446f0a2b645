#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See whether a host can take what is to be installed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Who listens on some ports of a host, and how much room is left on its disks
version_added: 0.1.0
description:
  - Answers the questions a role has before it installs a service, so that it can refuse without having touched anything.
  - It only reads C(/proc) and needs no programs. Processes of other users are named only when it runs as root.
author:
  - The AWARE founders (@aware-colony)
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
options:
  tcp_ports:
    description:
      - TCP ports to look at.
    type: list
    elements: int
    default: []
  udp_ports:
    description:
      - UDP ports to look at.
    type: list
    elements: int
    default: []
  paths:
    description:
      - Files or directories. They need not exist.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Look whether etcd can run here
  aware.cluster.host_info:
    tcp_ports: [2379, 2380]
    paths: [/var/lib/etcd]
  register: host

- name: Refuse a port that is taken
  ansible.builtin.assert:
    that: host.listeners | length == 0
"""

RETURN = r"""
listeners:
  description: Who listens. Without the right to look, C(pid) is 0 and the rest empty.
  returned: success
  type: list
  elements: dict
  sample: [{"port": 2379, "protocol": "tcp", "pid": 812, "program": "/usr/bin/etcd", "unit": "etcd.service"}]
free_mb:
  description: Room left for each of O(paths), in MiB.
  returned: success
  type: dict
  sample: {"/var/lib/etcd": 18211}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._boundary import leave_with
from ansible_collections.aware.cluster.plugins.module_utils._host import free_mb, listeners


def main():
    spec = dict(
        tcp_ports=dict(type="list", elements="int", default=[]),
        udp_ports=dict(type="list", elements="int", default=[]),
        paths=dict(type="list", elements="path", default=[]),
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    leave_with(module, lambda: look(module.params))


def look(params):
    """Return what is there."""
    found = listeners("tcp", params["tcp_ports"]) + listeners("udp", params["udp_ports"])
    return dict(changed=False, listeners=found, free_mb=dict((path, free_mb(path)) for path in params["paths"]))


if __name__ == "__main__":
    main()
