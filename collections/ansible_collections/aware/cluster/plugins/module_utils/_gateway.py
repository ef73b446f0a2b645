# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What every module that talks to a gateway has in common."""

from __future__ import annotations

from typing import Any, Callable
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.aware.cluster.plugins.module_utils._client import GatewayClient, GatewayError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._context import ContextError, connection_from


def argument_spec(**more: Any) -> dict:
    """Return the options of the doc fragment aware.cluster.gateway, and those of the module."""
    spec = dict(
        context=dict(type="path"),
        endpoints=dict(type="list", elements="str"),
        token=dict(type="str", no_log=True, fallback=(env_fallback, ["AWARE_TOKEN"])),
        token_file=dict(type="path", no_log=False),
        ca_path=dict(type="path"),
        validate_certs=dict(type="bool", default=True),
        timeout=dict(type="float", default=5.0),
        deadline=dict(type="float", default=15.0),
    )
    spec.update(more)
    return spec


def run_module(module: AnsibleModule, work: Callable) -> None:
    """Call ``work(module, client)``, which returns the result, and leave with it or with one clear line."""
    try:
        client = GatewayClient(connection_from(module.params))
        result = work(module, client)
    except Refused as exc:
        module.fail_json(msg=str(exc), status=exc.status, code=exc.code)
    except (ContextError, GatewayError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


def node_path(node: str, *rest: str) -> str:
    """Return the path of a node resource; the name is quoted whole, it cannot climb."""
    return "/".join(["/v1/nodes", quote(node, safe="")] + list(rest))


def if_match(revision: Any) -> dict:
    """Headers that make a write fail when the resource changed since ``revision``."""
    return {} if revision is None else {"If-Match": '"%s"' % revision}
