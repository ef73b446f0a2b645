# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What belongs to the project. Every list that decides whose something is comes from here.

An administrator is shown the resources of all projects, everybody those that others share with him, and names are
unique nowhere. So the project is part of the question wherever the API takes it, and each entry of the answer is looked
at again: what says another project, or none, is dropped and counted.
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud

# Kind: service, path, key of the list, and whether the query takes project_id. Nova's lists are the project's own as
# long as nobody asks for all_tenants or all_projects.
_KINDS: dict = {
    "server": ("compute", "/servers/detail", "servers", False),
    "server group": ("compute", "/os-server-groups", "server_groups", False),
    "security group": ("network", "/security-groups", "security_groups", True),
    "floating address": ("network", "/floatingips", "floatingips", True),
    "port": ("network", "/ports", "ports", True),
}


def owned(cloud: Cloud, kind: str, **query: Any) -> list:
    """All of a kind that the session's own project has and ``query`` matches. Raises as Cloud.pages does."""
    service, path, key, filtered = _KINDS[kind]
    if filtered:
        query["project_id"] = cloud.project
    mine = []
    for entry in cloud.pages(service, path, key, query):
        if project_of(entry) == cloud.project:
            mine.append(entry)
        else:
            cloud.foreign.add((kind, str(entry.get("id"))))
    return mine


def project_of(entry: Mapping) -> str:
    """Id of the project a resource belongs to; empty when it does not say."""
    return str(entry.get("project_id") or entry.get("tenant_id") or "")


def keypairs(cloud: Cloud) -> list:
    """Keypairs of the user. They belong to no project, so those of a colony say in their comment whose they are."""
    return [entry["keypair"] for entry in cloud.pages("compute", "/os-keypairs", "keypairs")]


def usable(cloud: Cloud, service: str, path: str, key: str, wanted: str) -> list:
    """What ``wanted``, a name or an id, may mean: of the project's own, of what is shared with it, or anything by id."""
    return [
        entry
        for entry in cloud.pages(service, path, key)
        if project_of(entry) == cloud.project
        or entry.get("shared")
        or entry.get("router:external")
        or entry["id"] == wanted
    ]


def foreign_text(cloud: Cloud) -> str:
    """A warning about what was dropped; empty when nothing was."""
    counts: dict = {}
    for kind, unused in cloud.foreign:
        counts[kind] = counts.get(kind, 0) + 1
    if not counts:
        return ""
    listed = ", ".join("%d of kind %s" % (number, kind) for kind, number in sorted(counts.items()))
    return "the cloud listed resources of other projects (%s); they are left alone" % listed
