# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What every module that talks to a gateway has in common."""

from __future__ import annotations

from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._boundary import leave_with
from ansible_collections.aware.cluster.plugins.module_utils._client import GatewayClient
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._context import ContextError, connection_from
from ansible_collections.aware.cluster.plugins.module_utils._paths import path_of
from ansible_collections.aware.cluster.plugins.module_utils._plain import refuse_misfits
from ansible_collections.aware.cluster.plugins.module_utils._tracing import traced


def argument_spec(**more: Any) -> dict:
    """Return the options of the doc fragment aware.cluster.gateway, and those of the module."""
    spec = dict(
        context=dict(type="path"),
        endpoints=dict(type="list", elements="str"),
        token=dict(type="str", no_log=True),
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
    refuse_misfits(module)

    def asked() -> dict:
        link = connection_from(module.params)
        module.no_log_values.add(link.token)  # it may have come from a file or the environment
        return work(module, GatewayClient(link))

    with traced("aware.cluster.%s" % module._name.rpartition(".")[2]):
        leave_with(module, asked, _told)


def _told(exc: Exception) -> dict | None:
    if isinstance(exc, Refused):
        return dict(msg=str(exc), status=exc.status, code=exc.code)
    return dict(msg=str(exc)) if isinstance(exc, (ContextError, GatewayError)) else None


def at(*segments: str) -> str:
    """Return the path of these segments, each quoted. Raises GatewayError for what cannot be one."""
    return path_of(segments, GatewayError)


def node_path(node: str, *rest: str) -> str:
    """Return the path of a node resource. Raises GatewayError."""
    return at("v1", "nodes", node, *rest)


def if_match(revision: Any) -> dict:
    """Headers that make a write fail when the resource changed since ``revision``."""
    return {} if revision is None else {"If-Match": '"%s"' % revision}
