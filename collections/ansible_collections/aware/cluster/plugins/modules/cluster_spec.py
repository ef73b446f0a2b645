#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the spec of a colony."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_spec
short_description: Apply the spec of a colony
version_added: 0.1.0
description:
  - Gives the queen the size and castes wanted. She says before what she would do, which is returned as C(steps) and is all that happens in check mode.
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
  spec:
    description:
      - The whole spec as the gateway takes it. What it does not name has its default.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask for two more web nodes
  aware.cluster.cluster_spec:
    context: .aware/context.json
    spec:
      colony: demo
      size: 7
      castes:
        web:
          count: 4
        store:
          count: 1
"""

RETURN = r"""
steps:
  description: What the queen does about it, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["demo-4 becomes web"]
spec:
  description: The spec after the change. In check mode, as it would be.
  returned: success
  type: dict
  sample: {"colony": "demo", "size": 7}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, if_match, run_module


def work(module, client):
    """Ask for the plan, then for the change."""
    wanted = module.params["spec"]
    current = client.get("/v1/spec")
    plan = client.request("PUT", "/v1/spec?dry_run=true", body=wanted).document()
    changed = bool(plan.get("changed"))
    if changed and not module.check_mode:
        client.request("PUT", "/v1/spec", body=wanted, headers=if_match(current.get("revision")))
    diff = dict(before=plan.get("before") or {}, after=plan.get("after") or {})
    return dict(changed=changed, steps=plan.get("steps") or [], spec=plan.get("after") or wanted, diff=diff)


def main():
    spec = argument_spec(spec=dict(type="dict", required=True))
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
