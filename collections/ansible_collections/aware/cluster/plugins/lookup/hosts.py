# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of a play of a colony's playbooks: without those that are away, and never in a run that leaves out tasks."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts
short_description: Hosts for a play of the playbooks of aware.cluster
version_added: 0.1.0
author:
  - The AWARE founders (@aware-colony)
description:
  - Returns the hosts of some groups, without those of the group C(aware_left_out), where the playbooks put hosts that are known to be away
    (C(aware_away)).
  - Ends a run that leaves out tasks in a way that no task could notice (C(--start-at-task), C(--step), and C(--skip-tags) with a
    word that means tasks without tags). The playbooks are made to be run whole, again and again.
options:
  _terms:
    description: Names of groups and hosts. One that is not there has no hosts.
    type: list
    elements: str
    required: true
  steered:
    description:
      - With C(--limit), let the run have C(localhost) beside the hosts that the limit names, in this play and all later ones. Ansible leaves out
        C(localhost) as any other host; a playbook that is steered from there could not be limited to C(newhost) otherwise. Not in the first play of a
        run.
    type: bool
    default: false
    version_added: 0.1.0
"""

EXAMPLES = r"""
- name: Look at the hosts
  hosts: "{{ lookup('aware.cluster.hosts', 'aware_bootstrap', 'aware_etcd') }}"
  tasks: []
"""

RETURN = r"""
_raw:
  description: One pattern that matches these hosts, or no host.
  type: list
  elements: str
"""

from typing import Any

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

LEFT_OUT = "aware_left_out"
NOBODY = "all:!all"
# No task has a tag of its own: other names skip nothing.
_SKIPPING = frozenset(("all", "always", "tagged", "untagged"))
_LISTING = ("listhosts", "listtasks", "listtags", "syntax")


class LookupModule(LookupBase):
    """Resolves names against the groups of now, those made during the run among them."""

    def run(self, terms: list, variables: Any = None, **kwargs: Any) -> list:
        refuse_a_run_in_parts(context.CLIARGS)
        self.set_options(var_options=variables, direct=kwargs)
        if self.get_option("steered") and context.CLIARGS.get("subset"):
            let_localhost_in(variables or {})
        groups = (variables or {}).get("groups") or {}
        names = [name for term in terms for name in groups.get(term, [term] if _is_host(term, groups) else [])]
        away = groups.get(LEFT_OUT) or []
        return [",".join(name for name in dict.fromkeys(names) if name not in away) or NOBODY]


def _is_host(name: str, groups: Any) -> bool:
    return name == "localhost" or name in groups.get("all", [])


def let_localhost_in(variables: Any) -> None:
    """Widen the limit of the run by localhost. The hosts it names now stay all it names: a limit may be an intersection, which nothing widens.

    Only hostvars, which a run has from its second play on, lead to the inventory. Raises AnsibleLookupError where that way is closed: without
    localhost the plays that steer the run would be left out without a word.
    """
    inventory = getattr(variables.get("hostvars"), "_inventory", None)
    if inventory is None:
        raise AnsibleLookupError(
            "--limit leaves out localhost, which steers the run, and this Ansible has no way to let it in: name it, --limit HOST,localhost"
        )
    if not inventory.get_hosts("localhost"):
        inventory.subset([host.name for host in inventory.get_hosts("all")] + ["localhost"])


def refuse_a_run_in_parts(arguments: Any) -> None:
    """Raise AnsibleLookupError when tasks are left out and no task may be there to say so."""
    if any(arguments.get(name) for name in _LISTING):
        return
    used = [
        option
        for option, given in (
            ("--start-at-task", arguments.get("start_at_task")),
            ("--step", arguments.get("step")),
            ("--skip-tags", _SKIPPING.intersection(arguments.get("skip_tags") or ())),
        )
        if given
    ]
    if used:
        raise AnsibleLookupError(
            "%s would leave out tasks that later ones build on: run the whole playbook again without it. What is done already is not done twice."
            % " and ".join(used)
        )
