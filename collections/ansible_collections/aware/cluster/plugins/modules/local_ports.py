#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports, chosen once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: local_ports
short_description: Choose free ports of this machine once and remember them
version_added: 0.1.0
description:
  - Gives each name a port nobody uses, and the same one ever after, as long as the file is there.
  - Ports are chosen at random, so that colonies of several users of one machine keep out of each other's way.
author:
  - The AWARE founders (@aware-colony)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
    support: full
options:
  path:
    description:
      - JSON file with the ports. Its directory must exist.
    type: path
    required: true
  tcp:
    description:
      - Names that need a TCP port.
    type: list
    elements: str
    default: []
  udp:
    description:
      - Names that need a UDP port.
    type: list
    elements: str
    default: []
  address:
    description:
      - Address on which the ports must be free.
    type: str
    default: 127.0.0.1
  low:
    description:
      - Lowest port.
    type: int
    default: 20000
  high:
    description:
      - Highest port. The default stays below the ports that clients get by themselves.
    type: int
    default: 31999
"""

EXAMPLES = r"""
- name: Choose ports
  aware.cluster.local_ports:
    path: .aware/ports.json
    tcp: [etcd-client, etcd-peer, gateway-demo-1]
    udp: [discovery]
  register: chosen
"""

RETURN = r"""
ports:
  description: Ports by name. In check mode, those that are remembered or could be taken.
  returned: success
  type: dict
  sample: {"etcd-client": 23456, "discovery": 27001}
"""

import json
import os
import random
import socket
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._boundary import leave_with
from ansible_collections.aware.cluster.plugins.module_utils._plain import refuse_misfits

TRIES = 500


def read(module, path):
    """Return the remembered ports."""
    try:
        with open(path, encoding="utf-8") as stream:
            ports = json.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        module.fail_json(msg="%s cannot be read: %s" % (path, exc))
    if not isinstance(ports, dict) or not all(isinstance(port, int) for port in ports.values()):
        module.fail_json(msg="%s is not a file of ports by name" % path)
    return ports


def is_free(address, port, kind):
    """Whether nobody listens on the port. Without SO_REUSEADDR, so that a lingering one is not taken."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def choose(module, taken, kind):
    """Return a free port that is not taken."""
    params = module.params
    for attempt in range(TRIES):
        port = random.SystemRandom().randint(params["low"], params["high"])
        if port not in taken and is_free(params["address"], port, kind):
            return port
    module.fail_json(msg="no free port from %d to %d on %s" % (params["low"], params["high"], params["address"]))


def write(path, ports):
    """Replace the file as a whole."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".ports-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(ports, stream, indent=2, sort_keys=True)
        stream.write("\n")
    os.replace(temporary, path)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            tcp=dict(type="list", elements="str", default=[]),
            udp=dict(type="list", elements="str", default=[]),
            address=dict(type="str", default="127.0.0.1"),
            low=dict(type="int", default=20000),
            high=dict(type="int", default=31999),
        ),
        supports_check_mode=True,
    )
    refuse_misfits(module)
    leave_with(module, lambda: work(module))


def work(module):
    """Keep the ports there are and choose those that are missing."""
    path = os.path.abspath(module.params["path"])
    before = read(module, path)
    ports = dict(before)
    for kind, names in ((socket.SOCK_STREAM, module.params["tcp"]), (socket.SOCK_DGRAM, module.params["udp"])):
        for name in names:
            if name not in ports:
                ports[name] = choose(module, set(ports.values()), kind)
    changed = ports != before
    if changed and not module.check_mode:
        try:
            write(path, ports)
        except OSError as exc:
            module.fail_json(msg="%s cannot be written: %s" % (path, exc.strerror))
    return dict(changed=changed, ports=ports, diff=dict(before=before, after=ports))


if __name__ == "__main__":
    main()
