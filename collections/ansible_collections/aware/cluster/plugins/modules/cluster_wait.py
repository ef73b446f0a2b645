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
  - Returns when a queen reigns, enough nodes are ready, all castes and the council's seats are filled and the colony says it is healthy, or fails
    after O(wait_timeout).
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
  council:
    description:
      - Wait until all seats that the spec asks for are taken by members that vote and answer.
    type: bool
    default: true
  without:
    description:
      - Names of nodes that are known to be away. As long as they are not ready, nothing is asked for that they would have to give - so many nodes less
        have to be ready, as many places in castes and seats of the council may be empty, and that they are silent or dead makes the colony no worse.
      - Nodes that the colony itself knows to be away (C(aware nodes away)) are always among them, whether they answer or not.
    type: list
    elements: str
    default: []
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
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, Unreachable
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, run_module


def work(module, client):
    """Look again and again until nothing is missing."""
    start = time.monotonic()
    end = start + module.params["wait_timeout"]
    cluster = {}
    while True:
        try:
            cluster = client.get("/v1/cluster")
            nodes = client.get("/v1/nodes")["nodes"] if module.params["without"] or _someone_is_away(cluster) else []
            missing = what_is_missing(module.params, cluster, nodes)
            if module.params["council"]:
                missing += what_the_council_misses(module.params, client.get("/v1/council/members"), nodes)
        except Unreachable as exc:
            missing = [str(exc)]
        if not missing:
            return dict(changed=False, cluster=cluster, waited_s=round(time.monotonic() - start, 1))
        if time.monotonic() >= end:
            raise GatewayError(
                "the colony is not formed after %g s: %s" % (module.params["wait_timeout"], "; ".join(missing))
            )
        time.sleep(0.3)


def _someone_is_away(cluster):
    return bool((cluster.get("size") or {}).get("away"))


def who_is_excused(params, nodes):
    """Return names of nodes that have to do nothing: away, as the colony knows, or as the task says and not ready."""
    away = [node["name"] for node in nodes if node["status"] == "away"]
    ready = [node["name"] for node in nodes if node["status"] == "ready"]
    return away + [name for name in params["without"] if name not in ready + away]


def what_is_missing(params, cluster, nodes):
    """Return one sentence for each condition that does not hold."""
    excused = who_is_excused(params, nodes)
    missing = []
    if not cluster.get("queen"):
        missing.append("no queen reigns")
    size = cluster.get("size") or {}
    wanted = (size.get("wanted", 0) if params["nodes"] is None else params["nodes"]) - len(excused)
    if size.get("ready", 0) < wanted:
        missing.append("%d of %d nodes are ready" % (size.get("ready", 0), wanted))
    if params["castes"]:
        short = [caste for caste in cluster.get("castes") or [] if caste.get("missing")]
        if sum(caste["missing"] for caste in short) > len(excused):
            missing += ["caste %s misses %d" % (caste.get("name"), caste["missing"]) for caste in short]
    if params["status"] == "any":
        return missing
    if excused:
        # The colony's own word counts those who are away.
        ill = [node for node in nodes if node["status"] in ("suspect", "dead") and node["name"] not in excused]
        missing += ["%s is %s" % (node["name"], node["status"]) for node in ill]
    elif cluster.get("status") not in (params["status"], "healthy"):
        missing.append("status is %s (%s)" % (cluster.get("status"), cluster.get("reason") or "no reason given"))
    return missing


def what_the_council_misses(params, council, nodes):
    """Return a sentence when seats are empty or their members silent. Without a word in the spec there is nothing to ask for."""
    excused = who_is_excused(params, nodes)
    wanted = (council.get("wanted") or {}).get("size", 0)
    well = [one for one in council.get("members") or [] if one.get("healthy") and not one.get("learner")]
    if len(well) >= wanted - len(excused):
        return []
    reason = council.get("trouble") or council.get("message") or "no reason given"
    return ["%d of %d seats of the council are taken (%s)" % (len(well), wanted, reason)]


def main():
    spec = argument_spec(
        status=dict(type="str", choices=["healthy", "degraded", "any"], default="healthy"),
        nodes=dict(type="int"),
        castes=dict(type="bool", default=True),
        council=dict(type="bool", default=True),
        without=dict(type="list", elements="str", default=[]),
        wait_timeout=dict(type="float", default=60.0),
    )
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
