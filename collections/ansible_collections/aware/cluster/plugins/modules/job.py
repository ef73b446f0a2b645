#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an operation of a colony as a job."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job
short_description: Run an operation of a colony, or end a job
version_added: 0.1.0
description:
  - The queen of the colony runs the operation on her host, over the inventory of the colony. Which operations there are say
    the files of her host; a playbook cannot be sent along.
  - V(started) runs it every time. To do it once however often the play is repeated, set O(once).
author:
  - The AWARE founders (@aware-colony)
extends_documentation_fragment:
  - aware.cluster.gateway
  - aware.cluster.gateway.attributes
attributes:
  check_mode:
    support: full
    details: The plan is asked for and returned, and nothing is run.
  diff_mode:
    support: none
options:
  state:
    description:
      - V(started) runs O(operation). V(cancelled) ends the job O(id), if it has not ended yet.
    type: str
    choices: [started, cancelled]
    default: started
  operation:
    description:
      - Name of the operation.
    type: str
  parameters:
    description:
      - Parameters, as the schema of the operation wants them.
    type: dict
    default: {}
  secrets:
    description:
      - Parameters that nobody is shown. They are added to O(parameters).
    type: dict
    default: {}
  hosts:
    description:
      - Only these hosts of those that the operation may touch.
    type: list
    elements: str
    default: []
  once:
    description:
      - A key of your own. With the same key, user and request the job is started once within a day, and found again later.
    type: str
  id:
    description:
      - Identifier of the job to cancel.
    type: str
  wait:
    description:
      - Wait until the job has ended. The task fails unless it succeeded, or was cancelled where that is wanted.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait. The job goes on when they are over.
    type: float
    default: 900.0
"""

EXAMPLES = r"""
- name: Restart the web servers, two at a time
  aware.cluster.job:
    context: .aware/context.json
    operation: restart-web
    parameters:
      serial: 2
    secrets:
      password: "{{ vault_password }}"

- name: End a job
  aware.cluster.job:
    context: .aware/context.json
    state: cancelled
    id: 01J8ZC0000000000000000000A
"""

RETURN = r"""
job:
  description: The job as it is now. Not in check mode.
  returned: success, and when a job did not succeed
  type: dict
  sample: {"id": "01J8ZC", "operation": "restart-web", "state": "succeeded", "message": "done on 2 hosts"}
plan:
  description: What would run, on which hosts, with which parameters.
  returned: in check mode
  type: list
  elements: str
  sample: ["ada asked for restart-web", "hosts: demo-2, demo-3"]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, at, run_module

OPEN = ("queued", "running")
LOOK_S = 1.0


def work(module, client):
    """Start or cancel, then wait."""
    cancels = module.params["state"] == "cancelled"
    return cancelled(module, client) if cancels else started(module, client)


def started(module, client):
    """Run the operation; in check mode ask what would be run."""
    values = dict(module.params["parameters"], **module.params["secrets"])
    body = dict(operation=module.params["operation"], parameters=values, hosts=module.params["hosts"])
    if module.check_mode:
        plan = client.request("POST", "/v1/jobs?dry_run=true", body=body).document()
        return dict(changed=True, plan=plan["would"])
    once = module.params["once"]
    sent = {"Idempotency-Key": once} if once else None
    job = client.request("POST", "/v1/jobs", body=body, headers=sent).document()
    job = ended(module, client, job)
    succeeds = job["state"] == "succeeded" or not module.params["wait"]
    if not succeeds:
        module.fail_json(msg="job %s is %s: %s" % (job["id"], job["state"], job["message"]), job=job)
    return dict(changed=True, job=job)


def cancelled(module, client):
    """End the job, unless it has ended."""
    path = at("v1", "jobs", module.params["id"])
    job = client.get(path)
    if job["state"] not in OPEN:
        return dict(changed=False, job=job)
    if module.check_mode:
        return dict(changed=True, job=job, plan=["job %s is cancelled" % job["id"]])
    job = client.request("POST", path + "/cancel", body={}).document()
    return dict(changed=True, job=ended(module, client, job))


def ended(module, client, job):
    """Return the job when it has ended, or as it is when nobody waits."""
    end = time.monotonic() + module.params["wait_timeout"]
    while module.params["wait"] and job["state"] in OPEN:
        if time.monotonic() >= end:
            raise GatewayError("job %s is %s after %g s" % (job["id"], job["state"], module.params["wait_timeout"]))
        time.sleep(LOOK_S)
        try:
            job = client.get(at("v1", "jobs", job["id"]))
        except Refused:
            raise
        except GatewayError:
            pass  # between two queens it may be that nobody answers
    return job


def main():
    spec = argument_spec(
        state=dict(type="str", choices=["started", "cancelled"], default="started"),
        operation=dict(type="str"),
        parameters=dict(type="dict", default={}),
        secrets=dict(type="dict", default={}, no_log=True),
        hosts=dict(type="list", elements="str", default=[]),
        once=dict(type="str"),
        id=dict(type="str"),
        wait=dict(type="bool", default=True),
        wait_timeout=dict(type="float", default=900.0),
    )
    needs = [("state", "started", ["operation"]), ("state", "cancelled", ["id"])]
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True, required_if=needs), work)


if __name__ == "__main__":
    main()
