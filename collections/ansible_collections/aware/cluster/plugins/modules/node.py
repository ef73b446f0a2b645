#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change a node of a colony."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Set labels, cordon and configuration of a node, or remove it
version_added: 0.1.0
description:
  - Changes what differs and nothing else. A configuration is written with the revision it was decided on, so that a change made
    meanwhile by somebody else makes the task fail instead of being lost.
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
  node:
    description:
      - Name or identifier of the node.
    type: str
    required: true
  state:
    description:
      - V(present) sets what is given for a node that has joined. It does not make nodes.
      - V(absent) removes the node from the colony.
    type: str
    choices: [present, absent]
    default: present
  labels:
    description:
      - Labels to set. Labels not named stay; a label with value V(null) is removed.
    type: dict
  cordoned:
    description:
      - Whether the node is kept from new work. V(false) ends O(drained) too.
    type: bool
  drained:
    description:
      - Whether the node is kept from new work and others take over what it does - its reign, its seat in the council, its place
        in a caste. What nobody else can take over it keeps. The module does not wait for that; C(aware nodes drain) does. V(true) takes the role admin.
    type: bool
  away:
    description:
      - Whether the node is away - its host is repaired or powered off. Nobody misses it then; others get its work and its seat, and playbooks leave it
        out. It stays away until this is V(false), or until O(away_until). This takes the role admin.
    type: bool
  away_reason:
    description:
      - With O(away=true), why. Without it, a reason that was given before stays.
    type: str
  away_until:
    description:
      - With O(away=true), when it ends by itself, in seconds since 1970. Without it, a time that was given before stays.
    type: float
  pinned:
    description:
      - All addresses its certificate names beside the one it is seen at, such as a floating address. This takes the role admin.
    type: list
    elements: str
  config:
    description:
      - Configuration to set. Each of the parts given replaces that part, the other stays.
    type: dict
    suboptions:
      agent:
        description:
          - Settings of the agent, such as C(log_level), C(candidate) and C(priority).
        type: dict
      vars:
        description:
          - Free variables. They reach Ansible as the host variable C(aware_vars).
        type: dict
  force:
    description:
      - With O(state=absent), remove a node even though it is alive.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep new work from a node and label it
  aware.cluster.node:
    context: .aware/context.json
    node: demo-3
    cordoned: true
    labels:
      rack: r7
      old: null

- name: Configure a node
  aware.cluster.node:
    context: .aware/context.json
    node: demo-3
    config:
      agent:
        log_level: debug
      vars:
        http_port: 8080

- name: Miss nobody while a host is repaired
  aware.cluster.node:
    context: .aware/context.json
    node: demo-3
    away: true
    away_reason: a new disk

- name: Forget a node that is gone
  aware.cluster.node:
    context: .aware/context.json
    node: demo-9
    state: absent
"""

RETURN = r"""
node:
  description: The node after the change. In check mode, as it would be.
  returned: when O(state=present)
  type: dict
  sample: {"name": "demo-3", "cordoned": true, "labels": {"rack": "r7"}}
config:
  description: The configuration after the change. In check mode, as it would be.
  returned: when O(config) is given
  type: dict
  sample: {"agent": {"log_level": "debug"}, "vars": {"http_port": 8080}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._gateway import (
    argument_spec,
    if_match,
    node_path,
    run_module,
)
from ansible_collections.aware.cluster.plugins.module_utils._names import label_flaw
from ansible_collections.aware.cluster.plugins.module_utils._plain import kind_of


def work(module, client):
    """Bring the node to the state asked for."""
    if module.params["state"] == "absent":
        return remove(module, client)
    node = client.get(node_path(module.params["node"]))
    before, after = {}, {}
    patch = wanted_patch(module.params, node, before, after)
    away = wanted_away(module.params, node, before, after)
    document = client.get(node_path(node["id"], "config")) if module.params["config"] else {}
    config = wanted_config(module.params["config"], document.get("config") or {}, before, after)
    changed = before != after
    if changed and not module.check_mode:
        write(client, node, patch, config, document)
        write_away(client, node, away)
        node = client.get(node_path(node["id"]))
    elif changed:
        node = dict(node, **dict((key, value) for key, value in after.items() if key != "config"))
    node.pop("revision", None)
    result = dict(changed=changed, node=node, diff=dict(before=before, after=after))
    if config is not None:
        result["config"] = config
    return result


def wanted_patch(params, node, before, after):
    """Return the body of the PATCH; note what differs."""
    patch = {}
    labels = wanted_labels(params["labels"] or {})
    have = node.get("labels") or {}
    differ = dict((key, value) for key, value in labels.items() if have.get(key) != value)
    if differ:
        merged = dict(have, **differ)
        before["labels"], patch["labels"] = have, differ
        after["labels"] = dict((key, value) for key, value in merged.items() if value is not None)
    if params["cordoned"] is not None and params["cordoned"] != node.get("cordoned"):
        before["cordoned"], after["cordoned"] = node.get("cordoned"), params["cordoned"]
        patch["cordoned"] = params["cordoned"]
    if params["drained"] is not None and params["drained"] != node.get("drained"):
        before["drained"], after["drained"] = node.get("drained"), params["drained"]
        patch["drained"] = params["drained"]
    if params["pinned"] is not None and params["pinned"] != (node.get("pinned") or []):
        before["pinned"], after["pinned"] = node.get("pinned") or [], params["pinned"]
        patch["pinned"] = params["pinned"]
    return patch


def wanted_away(params, node, before, after):
    """Return the body of the PUT, False to bring it back, None when nothing differs; note what differs."""
    have = node.get("away")
    if not params["away"] and (params["away_reason"] is not None or params["away_until"] is not None):
        raise GatewayError("away_reason and away_until go with away: true")
    if params["away"] is None:
        return None
    if not params["away"]:
        if have is None:
            return None
        before["away"], after["away"] = have, None
        return False
    kept = have or {}
    body = dict(reason=params["away_reason"], until=params["away_until"])
    body = dict((key, kept.get(key, "" if key == "reason" else None) if value is None else value) for key, value in body.items())
    if have is not None and all(have.get(key) == value for key, value in body.items()):
        return None
    before["away"], after["away"] = have, dict(kept, **body)
    return body


def write_away(client, node, away):
    """Send it away or bring it back."""
    if away is not None:
        path = node_path(node["id"], "away")
        client.request("DELETE", path) if away is False else client.request("PUT", path, body=away)


def wanted_labels(given):
    """Return labels as text. true is refused: what it would be written as depends on who reads it."""
    for key, value in given.items():
        if isinstance(value, (bool, dict, list)):
            raise GatewayError("labels.%s must be text, not %s; quote it" % (key, kind_of(value)))
    labels = dict((str(key), None if value is None else str(value)) for key, value in given.items())
    wrong = label_flaw(labels)
    if wrong:
        raise GatewayError("labels: " + wrong)
    return labels


def wanted_config(given, have, before, after):
    """Return the whole configuration as it shall be, or None when none is asked for; note what differs."""
    if not given:
        return None
    have = dict(agent=have.get("agent") or {}, vars=have.get("vars") or {})
    config = dict((part, have[part] if given.get(part) is None else given[part]) for part in ("agent", "vars"))
    if config != have:
        before["config"], after["config"] = have, config
    return config


def write(client, node, patch, config, document):
    """Send what differs."""
    if patch:
        client.request("PATCH", node_path(node["id"]), body=patch)
    if config is not None and config != document.get("config"):
        body = dict(config=config)
        client.request("PUT", node_path(node["id"], "config"), body=body, headers=if_match(document.get("revision")))


def remove(module, client):
    """Remove the node if there is one."""
    try:
        node = client.get(node_path(module.params["node"]))
    except Refused as exc:
        if exc.status == 404:
            return dict(changed=False)
        raise
    if not module.check_mode:
        path = node_path(node["id"]) + ("?force=true" if module.params["force"] else "")
        try:
            client.request("DELETE", path)
        except Refused as exc:  # an answer may be lost and the request sent again
            if exc.status != 404:
                raise
    return dict(changed=True, diff=dict(before=dict(name=node.get("name"), status=node.get("status")), after={}))


def main():
    config = dict(type="dict", options=dict(agent=dict(type="dict"), vars=dict(type="dict")))
    spec = argument_spec(
        node=dict(type="str", required=True),
        state=dict(type="str", choices=["present", "absent"], default="present"),
        labels=dict(type="dict"),
        cordoned=dict(type="bool"),
        drained=dict(type="bool"),
        away=dict(type="bool"),
        away_reason=dict(type="str"),
        away_until=dict(type="float"),
        pinned=dict(type="list", elements="str"),
        config=config,
        force=dict(type="bool", default=False),
    )
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
