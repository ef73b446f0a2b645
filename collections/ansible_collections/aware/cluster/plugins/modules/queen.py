#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand over the reign of a colony."""

from __future__ import annotations

DOCUMENTATION = r"""
module: queen
short_description: Have the queen step down, or hand over to a named node
version_added: 0.1.0
description:
  - A hand-over is planned, so that nothing is lost and no client fails.
  - V(step_down) changes something every time. Giving O(to) changes nothing when that node reigns already.
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
      - V(step_down) lets the heir take over. V(transfer) hands over to the node named in O(to).
    type: str
    choices: [step_down, transfer]
    required: true
  to:
    description:
      - Name or identifier of the next queen.
    type: str
  wait:
    description:
      - Wait until another queen reigns.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait.
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Hand over before maintenance
  aware.cluster.queen:
    context: .aware/context.json
    state: step_down

- name: Let a certain node reign
  aware.cluster.queen:
    context: .aware/context.json
    state: transfer
    to: demo-4
"""

RETURN = r"""
queen:
  description: The queen after the change. In check mode, before it.
  returned: success
  type: dict
  sample: {"id": "01J8ZC", "name": "demo-4", "term": 58}
previous:
  description: The queen before the change.
  returned: success
  type: dict
  sample: {"id": "01J8ZB", "name": "demo-1", "term": 7}
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, run_module


def work(module, client):
    """Ask for the hand-over and see it through."""
    before = client.get("/v1/queen")
    to = module.params["to"]
    if module.params["state"] == "transfer" and to in (before.get("id"), before.get("name")):
        return dict(changed=False, queen=before, previous=before)
    if not module.check_mode:
        if module.params["state"] == "transfer":
            client.request("POST", "/v1/queen/transfer", body=dict(node=to))
        else:
            client.request("POST", "/v1/queen/step-down", body={})
    after = before if module.check_mode else successor(module, client, before)
    expected = to or (before.get("heir") or {}).get("name", "the heir") if module.check_mode else after.get("name")
    diff = dict(before=dict(queen=before.get("name")), after=dict(queen=expected))
    return dict(changed=True, queen=after, previous=before, diff=diff)


def successor(module, client, before):
    """Return the next queen, or whoever reigns when waiting is not wanted."""
    end = time.monotonic() + module.params["wait_timeout"]
    while module.params["wait"]:
        try:
            now = client.get("/v1/queen")
            if now.get("term", 0) > before.get("term", 0):
                return now
        except Refused:
            raise
        except GatewayError:
            pass  # between two queens nobody answers
        if time.monotonic() >= end:
            raise GatewayError("no other queen reigns after %g s" % module.params["wait_timeout"])
        time.sleep(0.2)
    return before


def main():
    spec = argument_spec(
        state=dict(type="str", choices=["step_down", "transfer"], required=True),
        to=dict(type="str"),
        wait=dict(type="bool", default=True),
        wait_timeout=dict(type="float", default=30.0),
    )
    run_module(
        AnsibleModule(argument_spec=spec, supports_check_mode=True, required_if=[("state", "transfer", ["to"])]), work
    )


if __name__ == "__main__":
    main()
