# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a plan changes, before and after, for people to read. Pure."""

from __future__ import annotations

from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Plan


def diff_of(plan: Plan, sentences: list) -> dict:
    """Nodes before and after, and the plan, for people to read."""
    before = dict(
        (server.name, dict(status=server.status, caste=server.caste or "spare", zone=server.zone))
        for server in plan.keep
    )
    after = dict((name, dict(value)) for name, value in before.items())
    for step in plan.of("delete"):
        before[step.node] = dict(status="to be deleted", caste=step.caste or "spare", zone=step.zone)
    for step in plan.of("create"):
        after[step.node] = dict(status="ACTIVE", caste=step.caste or "spare", zone=step.zone)
    for step in plan.of("mark"):
        after[step.node]["caste"] = step.caste or "spare"
    return dict(before=dict(nodes=before, plan=[]), after=dict(nodes=after, plan=sentences))
