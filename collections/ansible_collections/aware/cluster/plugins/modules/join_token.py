#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make or revoke a join token of a colony."""

from __future__ import annotations

DOCUMENTATION = r"""
module: join_token
short_description: Make a join token, with which new nodes come in, or revoke one
version_added: 0.1.0
description:
  - A join token has a lifetime, a number of uses and, when wanted, the one node name it lets in. Nodes that joined with it stay when it is revoked.
  - With O(dest) the token is written to a file that only its owner can read, and is B(not) in the result. The file is kept for as long as
    the token in it is good, so that the task changes nothing when it is run again.
  - Without O(dest) every run makes a new token and returns it this one time. Anybody who reads it can join, so put C(no_log=true)
    on such a task; the module itself cannot hide what it returns.
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
  state:
    description:
      - V(present) makes a token. V(absent) revokes the one given by O(id), or the one in the file O(dest), which is removed then.
    type: str
    choices: [present, absent]
    default: present
  id:
    description:
      - Identifier of the token to revoke, the part after the first dot.
    type: str
  dest:
    description:
      - File for the token, mode 0600, on the host the module runs on. Its directory must exist.
    type: path
  ttl:
    description:
      - How long the token is good, as a number and C(s), C(m), C(h) or C(d), or V(never) for until it is revoked.
    type: str
    default: 1h
  uses:
    description:
      - How many nodes it lets in. V(0) means any number.
    type: int
    default: 1
  node:
    description:
      - The only node name it lets in.
    type: str
  eligible:
    description:
      - Whether the nodes it lets in may reign. Without, they are workers, which get no secret of the colony.
    type: bool
    default: false
  addresses:
    description:
      - Addresses for the certificate of the node it lets in, beside or in place of the one it is seen at.
    type: list
    elements: str
    default: []
  renew_before:
    description:
      - With O(dest), make a new token when the one in the file is good for less than so many seconds.
    type: float
    default: 300.0
"""

EXAMPLES = r"""
- name: A token for ten nodes within the hour, in a file
  aware.cluster.join_token:
    context: .aware/context.json
    dest: /root/join-token
    uses: 10

- name: A token for one certain node, to be used at once
  aware.cluster.join_token:
    context: .aware/context.json
    ttl: 10m
    node: web-7
  register: join
  no_log: true

- name: Revoke it
  aware.cluster.join_token:
    context: .aware/context.json
    state: absent
    id: "{{ join.id }}"
"""

RETURN = r"""
id:
  description: Identifier of the token. It is no secret.
  returned: when there is a token
  type: str
  sample: 0a1b2c3d4e5f6071
token:
  description: The token itself, this one time.
  returned: when a token was made and O(dest) is not given
  type: str
  sample: aware1.0a1b2c3d4e5f6071.(secret).(pin of the CA)
expires_at:
  description: When it ends, in Unix seconds; none when it is good until it is revoked.
  returned: when there is a token
  type: float
  sample: 1790000000.0
uses_left:
  description: How many nodes it still lets in; none means any number.
  returned: when there is a token
  type: int
  sample: 10
"""

import os
import re
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec, at, run_module
from ansible_collections.aware.cluster.plugins.module_utils._names import flaw

UNITS = dict(s=1, m=60, h=3600, d=86400)
TOKEN = re.compile(r"aware1\.([0-9a-f]{16})\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}\s*")


def work(module, client):
    """Bring token and file to the state asked for."""
    if module.params["state"] == "absent":
        return revoke(module, client)
    body = dict(
        ttl_s=seconds(module.params["ttl"]),
        uses=module.params["uses"] or None,
        node_name=module.params["node"],
        eligible=module.params["eligible"],
        addresses=module.params["addresses"],
    )
    wrong = flaw("node", module.params["node"]) if module.params["node"] is not None else ""
    if wrong:
        raise GatewayError("node: " + wrong)
    kept = still_good(module, client)
    if kept:
        return dict(changed=False, **public(kept))
    if module.check_mode:
        return dict(changed=True)
    check_directory(module.params["dest"])
    made = client.request("POST", "/v1/tokens", body=body).document()
    result = dict(changed=True, **public(made))
    if module.params["dest"]:
        write(module, made["token"])
    else:
        result["token"] = made["token"]
    return result


def public(token):
    """Return what may be shown of a token."""
    return dict((key, token.get(key)) for key in ("id", "expires_at", "uses_left"))


def still_good(module, client):
    """Return the token in the file as the colony knows it, or None when a new one has to be made."""
    token_id = id_in(module.params["dest"])
    if not token_id:
        return None
    soonest = time.time() + module.params["renew_before"]
    for token in client.get("/v1/tokens").get("tokens") or []:
        lasts = token.get("expires_at") is None or token["expires_at"] > soonest
        if token.get("id") == token_id and lasts and token.get("uses_left") != 0:
            asked = (module.params["node"], module.params["eligible"], module.params["addresses"])
            given = (token.get("node_name"), token.get("eligible"), token.get("addresses") or [])
            return token if given == asked else None
    return None


def revoke(module, client):
    """Revoke the token if it is there, and remove its file."""
    path = module.params["dest"]
    token_id = module.params["id"] or id_in(path)
    known = bool(token_id) and any(
        token.get("id") == token_id for token in client.get("/v1/tokens").get("tokens") or []
    )
    there = bool(path) and os.path.exists(path)
    if not module.check_mode:
        if known:
            try:
                client.request("DELETE", at("v1", "tokens", token_id))
            except Refused as exc:  # an answer may be lost and the request sent again
                if exc.status != 404:
                    raise
        if there:
            os.unlink(path)
    return dict(changed=known or there)


def id_in(path):
    """Return the identifier of the token in a file, or an empty string. Refuses to touch a file that holds something else."""
    if not path or not os.path.exists(path):
        return ""
    try:
        with open(path, "r", encoding="ascii") as file:
            text = file.read(1024)
    except (OSError, ValueError) as exc:
        raise GatewayError(
            "%s cannot be read as a join token: %s" % (path, getattr(exc, "strerror", None) or "not text")
        ) from exc
    found = TOKEN.fullmatch(text)
    if text.strip() and not found:
        raise GatewayError("%s holds something else than a join token; name another file" % path)
    return found.group(1) if found else ""


def check_directory(path):
    """Refuse before a token is made that could not be kept."""
    folder = os.path.dirname(path or "")
    if path and not os.access(folder or ".", os.W_OK | os.X_OK):
        raise GatewayError("%s is no directory this user can write to" % (folder or "."))


def write(module, token):
    """Replace the file whole; nobody but its owner ever could read it."""
    path = module.params["dest"]
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".join-token")
    with os.fdopen(handle, "w") as file:
        file.write(token + "\n")
    module.atomic_move(temporary, path)
    os.chmod(path, 0o600)


def seconds(text):
    """Return a duration such as 90m in seconds, None for never."""
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if text == "never":
        return None
    if not found:
        raise GatewayError("ttl %r is not a duration: a number and s, m, h or d, or never" % text)
    return int(found.group(1)) * UNITS[found.group(2)]


def main():
    spec = argument_spec(
        state=dict(type="str", choices=["present", "absent"], default="present"),
        id=dict(type="str"),
        dest=dict(type="path"),
        ttl=dict(type="str", default="1h"),
        uses=dict(type="int", default=1),
        node=dict(type="str"),
        eligible=dict(type="bool", default=False),
        addresses=dict(type="list", elements="str", default=[]),
        renew_before=dict(type="float", default=300.0),
    )
    run_module(
        AnsibleModule(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "absent", ["id", "dest"], True)]
        ),
        work,
    )


if __name__ == "__main__":
    main()
