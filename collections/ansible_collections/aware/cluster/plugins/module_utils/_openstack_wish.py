# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From the options of the module to the wish the planner takes. Pure."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.aware.cluster.plugins.module_utils._names import flaw
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import size_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Caste, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import colony_tag
from ansible_collections.aware.cluster.plugins.module_utils._plain import misfit

MAX_NODES = 10000

SIZES = dict(vcpus=dict(type="int"), ram_mib=dict(type="int"), disk_gib=dict(type="int"))
_REQUIRES = dict(SIZES, zone=dict(type="str"), labels=dict(type="dict"), pinned=dict(type="bool"))
_CASTE_SPEC = dict(
    count=dict(type="int", required=True),
    flavor=dict(type="str"),
    requires=dict(type="dict", options=_REQUIRES),
    scale=dict(type="dict"),
)


def wish_of(params: Mapping, zones: tuple = ()) -> Wish:
    """Wish of the user. Raises CloudError that names the option."""
    colony, size = params["colony"], params["size"]
    check_colony(colony)
    if size is None or not 1 <= size <= MAX_NODES:
        raise CloudError("size %s is impossible: 1 to %d; state absent removes the colony" % (size, MAX_NODES))
    _check_keypair(params["infrastructure"].get("keypair") or {})
    castes = tuple(_caste(name, value) for name, value in checked_castes(params).items())
    wanted = sum(caste.count for caste in castes)
    if wanted > size:
        raise CloudError("castes want %d nodes, but size is %d: raise size or lower a count" % (wanted, size))
    sets = dict((key, frozenset(params[key] or ())) for key in ("remove", "replace", "dead", "spare", "protect", "council"))
    return Wish(
        colony=colony,
        size=size,
        castes=castes,
        zones=zones,
        marks=_marks(params["infrastructure"]["metadata"]),
        tags=tuple(sorted({colony_tag(colony)} | set(_tags(params["infrastructure"]["tags"])))),
        replace_failed=params["replace_failed"],
        shrink=params["shrink"],
        **sets,
    )


def check_colony(colony: str) -> None:
    """Raise CloudError for what cannot be a colony's name."""
    wrong = flaw("colony", colony)
    if wrong:
        raise CloudError("colony: " + wrong)


def _check_keypair(keypair: Mapping) -> None:
    wrong = flaw("keypair", keypair["name"]) if keypair.get("name") is not None else ""
    if wrong:
        raise CloudError("infrastructure.keypair.name: " + wrong)


def checked_castes(params: Mapping) -> dict:
    """The castes with their options checked, in order."""
    result = {}
    for name, value in (params["castes"] or {}).items():
        given = value if isinstance(value, dict) else {"count": value}
        wrong = flaw("caste", name) or misfit(_CASTE_SPEC, given, "%s." % name, text_numbers=True)
        if wrong:
            raise CloudError("castes: " + wrong)
        checked = ArgumentSpecValidator(_CASTE_SPEC).validate(given)
        if checked.error_messages or checked.unsupported_parameters:
            raise CloudError("castes.%s: %s" % (name, "; ".join(checked.error_messages)))
        result[name] = checked.validated_parameters
        if result[name]["count"] < 0:
            raise CloudError("castes.%s.count is %d; 0 or more is possible" % (name, result[name]["count"]))
    return result


def _caste(name: str, value: Mapping) -> Caste:
    requires = value["requires"] or {}
    return Caste(name, value["count"], size_of(requires), requires.get("zone") or "")


def _marks(metadata: Any) -> dict:
    marks = dict((str(key), str(value)) for key, value in (metadata or {}).items())
    for key, value in marks.items():
        if key.startswith("aware_"):
            raise CloudError("infrastructure.metadata: %s: keys that begin with aware_ are the colony's own" % key)
        if len(key) > 255 or len(value) > 255:
            raise CloudError("infrastructure.metadata: %s: Nova takes 255 characters" % key[:40])
    return marks


def _tags(tags: Any) -> list:
    for tag in tags or ():
        if "/" in tag or "," in tag or not 1 <= len(tag) <= 60:
            raise CloudError("infrastructure.tags: %r: Nova takes 1 to 60 characters without / and ," % tag)
        if tag.startswith("aware:"):
            raise CloudError("infrastructure.tags: %r: tags that begin with aware: say whose a server is" % tag)
    return list(tags or ())
