#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a colony to be formed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_wait
short_description: Wait until a colony is formed
version_added: 0.1.0
description:
  - Returns when a queen reigns, enough nodes are ready, all castes are filled and the colony says it is healthy, or fails after O(wait_timeout).
  - It only reads.
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
  status:
    description:
      - Status to wait for. V(any) does not look at it.
    type: str
    choices: [healthy, degraded, any]
    default: healthy
  nodes:
    description:
      - Least number of nodes that are ready. The default is the size of the spec.
    type: int
  castes:
    description:
      - Wait until no caste misses a node.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait.
    type: float
    default: 60.0
"""

EXAMPLES = r"""
- name: Wait until the colony is formed
  aware.cluster.cluster_wait:
    context: .aware/context.json
    nodes: 5
    wait_timeout: 90
"""

RETURN = r"""
cluster:
  description: The colony as last seen.
  returned: always
  type: dict
  sample: {"colony": "demo", "status": "healthy", "size": {"wanted": 5, "ready": 5}}
waited_s:
  description: Seconds waited.
  returned: success
  type: float
  sample: 3.2
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._client import GatewayError, Unreachable
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, run_module


def work(module, client):
    """Look again and again until nothing is missing."""
    start = time.monotonic()
    end = start + module.params["wait_timeout"]
    cluster = {}
    while True:
        try:
            cluster = client.get("/v1/cluster")
            missing = what_is_missing(module.params, cluster)
        except Unreachable as exc:
            missing = [str(exc)]
        if not missing:
            return dict(changed=False, cluster=cluster, waited_s=round(time.monotonic() - start, 1))
        if time.monotonic() >= end:
            raise GatewayError(
                "the colony is not formed after %g s: %s" % (module.params["wait_timeout"], "; ".join(missing))
            )
        time.sleep(0.3)


def what_is_missing(params, cluster):
    """Return one sentence for each condition that does not hold."""
    missing = []
    if not cluster.get("queen"):
        missing.append("no queen reigns")
    size = cluster.get("size") or {}
    wanted = size.get("wanted", 0) if params["nodes"] is None else params["nodes"]
    if size.get("ready", 0) < wanted:
        missing.append("%d of %d nodes are ready" % (size.get("ready", 0), wanted))
    if params["castes"]:
        short = [caste for caste in cluster.get("castes") or [] if caste.get("missing")]
        missing += ["caste %s misses %d" % (caste.get("name"), caste["missing"]) for caste in short]
    if params["status"] != "any" and cluster.get("status") not in (params["status"], "healthy"):
        missing.append("status is %s (%s)" % (cluster.get("status"), cluster.get("reason") or "no reason given"))
    return missing


def main():
    spec = argument_spec(
        status=dict(type="str", choices=["healthy", "degraded", "any"], default="healthy"),
        nodes=dict(type="int"),
        castes=dict(type="bool", default=True),
        wait_timeout=dict(type="float", default=60.0),
    )
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
