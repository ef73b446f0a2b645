#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotate CA and secret of a colony."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rotation
short_description: Rotate CA and secret of a colony, in two phases
version_added: 0.1.0
description:
  - A rotation gives all nodes a new generation of CA and colony secret while the old one still signs (O(state=started)), lets the new one sign
    while both are believed (O(state=switched)), and forgets the old one (O(state=finished)). Each step is taken only when every node has shown
    that it is ready for it, and etcd too. Until the last step O(state=aborted) leaves everything as it was.
  - Each state is the aim. What is there already is not done again, except that V(started) begins a rotation when none is under way.
  - To keep CA and secret in a material directory, start with C(aware rotation start --material) instead. This module then follows it.
author:
  - The AWARE founders (@aware-colony)
extends_documentation_fragment:
  - aware.cluster.gateway
  - aware.cluster.gateway.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  state:
    description:
      - How far the rotation shall be.
    type: str
    choices: [started, switched, finished, aborted]
    required: true
  hold:
    description:
      - With O(state=started), wait for V(switched) and V(finished) to be asked for. Otherwise the queen takes the steps by herself.
    type: bool
    default: true
  patience:
    description:
      - With O(state=started), seconds a node that is away is waited for in each phase. Who comes later needs a join token.
    type: float
    default: 300.0
  keep_ca:
    description:
      - With O(state=started), only the secret is new.
    type: bool
    default: false
  wait:
    description:
      - Wait until every node has what it needs in the phase that was asked for.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait.
    type: float
    default: 120.0
"""

EXAMPLES = r"""
- name: Give all nodes a new secret
  aware.cluster.rotation:
    context: .aware/context.json
    state: started
    keep_ca: true

- name: Sign with it
  aware.cluster.rotation:
    context: .aware/context.json
    state: switched

- name: Forget the old one
  aware.cluster.rotation:
    context: .aware/context.json
    state: finished
"""

RETURN = r"""
rotation:
  description: How far it is, with one line for each node. In check mode, as it is before.
  returned: success
  type: dict
  sample: {"phase": "switched", "generation": 2, "other": 1, "nodes": [{"name": "demo-1", "standing": "ready"}]}
left_behind:
  description: Names of nodes that were away too long. They need a join token to come back.
  returned: success
  type: list
  elements: str
  sample: ["demo-7"]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, Unreachable
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, run_module

PHASE = dict(started="distributing", switched="switched", finished="settled", aborted="settled")
# What is asked for is there, or more: (aim, phase).
REACHED = (
    ("started", "distributing"),
    ("started", "switched"),
    ("started", "finishing"),
    ("switched", "switched"),
    ("switched", "finishing"),
    ("finished", "settled"),
    ("aborted", "settled"),
)


def work(module, client):
    """Give the order that leads to the state asked for, and see it through."""
    aim = module.params["state"]
    before = client.get("/v1/rotation")
    body = order(module.params, before)
    result = dict(
        changed=body is not None,
        diff=dict(before=dict(phase=before["phase"]), after=dict(phase=PHASE[aim] if body else before["phase"])),
    )
    if module.check_mode:
        return dict(result, rotation=before, left_behind=left_behind(before))
    if body:
        client.request("POST", "/v1/rotation", body=body)
    after = arrived(module, client, aim) if module.params["wait"] else client.get("/v1/rotation")
    return dict(result, rotation=after, left_behind=left_behind(after))


def order(params, now):
    """Return the body of the order, or None when nothing has to be ordered. Raises GatewayError when it makes no sense."""
    aim, phase = params["state"], now["phase"]
    if (aim, phase) in REACHED:
        return None
    if aim == "started" and phase == "settled":
        return dict(action="start", hold=params["hold"], patience_s=params["patience"], keep_ca=params["keep_ca"])
    if phase == "finishing":  # aims are finished or aborted: it gets there by itself
        return None
    if phase == "returning":
        if aim == "aborted":
            return None
        raise GatewayError("the rotation is being aborted; wait until it is settled")
    if aim == "aborted":
        return dict(action="abort")
    if (aim, phase) in (("switched", "distributing"), ("finished", "switched")):
        return None if now["released"] or not now["hold"] else dict(action="continue")
    raise GatewayError("the rotation is %s, it cannot be %s from there" % (phase, aim))


def arrived(module, client, aim):
    """Wait until the phase is reached and all nodes are ready in it."""
    end = time.monotonic() + module.params["wait_timeout"]
    now, missing = {}, "nothing is known"
    while True:
        try:
            now = client.get("/v1/rotation")
            missing = what_is_missing(now, aim)
        except Unreachable as exc:
            missing = str(exc)
        if not missing:
            return now
        if time.monotonic() >= end:
            raise GatewayError("the rotation is not %s after %g s: %s" % (aim, module.params["wait_timeout"], missing))
        time.sleep(0.3)


def what_is_missing(now, aim):
    """Return one sentence, or nothing when all is well."""
    waiting = [
        "%s lacks %s" % (node["name"], node["lacks"])
        for node in now["nodes"]
        if node["standing"] in ("waiting", "silent")
    ]
    there = (aim, now["phase"]) in REACHED
    if not there and now["etcd"]:
        return "; ".join(now["etcd"][:3])
    if waiting:
        return "; ".join(waiting[:5])
    return "" if there else "it is %s" % now["phase"]


def left_behind(now):
    """Return the names of nodes that are not waited for any more."""
    return [node["name"] for node in now["nodes"] if node["standing"] == "left-behind"]


def main():
    spec = argument_spec(
        state=dict(type="str", choices=["started", "switched", "finished", "aborted"], required=True),
        hold=dict(type="bool", default=True),
        patience=dict(type="float", default=300.0),
        keep_ca=dict(type="bool", default=False),
        wait=dict(type="bool", default=True),
        wait_timeout=dict(type="float", default=120.0),
    )
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
