# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster spec as users write it: checked before anything is made."""

from __future__ import annotations

import re
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_NAME = re.compile(r"^[a-z][a-z0-9-]{0,62}$")
_CASTE = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_RESERVED = frozenset(("all", "ungrouped", "spare", "queen", "worker", "aware"))
_RESERVED_NODES = frozenset(("all", "ungrouped", "localhost"))
MAX_NODES = 10000

_REQUIRES = dict(
    vcpus=dict(type="int"),
    ram_mib=dict(type="int"),
    disk_gib=dict(type="int"),
    zone=dict(type="str"),
    labels=dict(type="dict"),
)
_KEEP = dict(last=dict(type="int"), daily=dict(type="int"), weekly=dict(type="int"))
_BACKUP = dict(
    every=dict(type="str", required=True),
    keep=dict(type="dict", options=_KEEP),
    target=dict(type="str", choices=["directory", "s3", "swift"]),
)
_EVERY = re.compile(r"^([1-9][0-9]{0,5})([mhd])$")
_SPEC = dict(
    plugin=dict(type="str", required=True),
    provider=dict(type="str", default="local", choices=["local", "openstack", "static"]),
    directory=dict(type="str"),
    colony=dict(type="str", required=True),
    size=dict(type="int"),
    hosts=dict(type="dict"),
    castes=dict(type="dict", default={}),
    policies=dict(
        type="dict",
        options=dict(
            dead_after_s=dict(type="float"),
            replace_dead=dict(type="str", choices=["spare", "never"]),
            keep_events=dict(type="int"),
            backup=dict(type="dict", options=_BACKUP),
            certificate_lifetime_s=dict(type="float"),
        ),
    ),
)
_CASTE_SPEC = dict(count=dict(type="int", required=True), requires=dict(type="dict", options=_REQUIRES))


class SpecError(Exception):
    """The spec breaks a rule. One line that names the key."""


def checked_spec(config: dict) -> dict:
    """Return ``{provider, directory, hosts, spec}``, where spec is the document the gateway takes. Raises SpecError."""
    values = _validated(_SPEC, config, "cluster spec")
    hosts = _hosts(values)
    values["size"] = _size(values, hosts)
    spec: dict = {"colony": values["colony"], "size": values["size"], "castes": {}}
    for name, caste in values["castes"].items():
        spec["castes"][name] = _caste(name, caste)
    policies = _without_none(values["policies"] or {})
    if "backup" in policies:
        policies["backup"] = _backup(policies["backup"])
    if policies:
        spec["policies"] = policies
    _check_counts(spec)
    _check_policies(policies)
    return {"provider": values["provider"], "directory": values["directory"], "hosts": hosts, "spec": spec}


def _hosts(values: dict) -> dict:
    """Variables of each host the spec names. An address alone stands for C(ansible_host)."""
    if values["hosts"] is None:
        return {}
    if values["provider"] != "static":
        raise SpecError("hosts are for provider static; provider %s makes its own" % values["provider"])
    hosts = {}
    for name, given in values["hosts"].items():
        if not isinstance(name, str) or not _NAME.match(name) or name in _RESERVED_NODES:
            raise SpecError(
                "hosts: %r cannot be a node's name: lower-case letters, digits and -, starting with a letter" % name
            )
        if given is not None and not isinstance(given, (str, dict)):
            raise SpecError("hosts.%s must be an address, or variables like {ansible_host: 192.0.2.11}" % name)
        hosts[name] = {"ansible_host": given} if isinstance(given, str) else dict(given or {})
    return hosts


def _size(values: dict, hosts: dict) -> int:
    size = values["size"]
    if size is None and not hosts:
        raise SpecError("cluster spec: missing required arguments: size")
    if size is not None and hosts and size != len(hosts):
        raise SpecError("size is %d, but hosts names %d: leave size out, or make them agree" % (size, len(hosts)))
    return len(hosts) if size is None else size


def _caste(name: Any, caste: Any) -> dict:
    if not isinstance(name, str) or not _CASTE.match(name) or name in _RESERVED:
        raise SpecError(
            "castes: %r cannot be a group name: lower-case letters, digits and _, not one of %s"
            % (name, ", ".join(sorted(_RESERVED)))
        )
    if not isinstance(caste, dict):
        raise SpecError("castes.%s must be like {count: 2}" % name)
    values = _validated(_CASTE_SPEC, caste, "castes.%s" % name)
    if values["count"] < 0:
        raise SpecError("castes.%s.count is %d; 0 or more is possible" % (name, values["count"]))
    result: dict = {"count": values["count"]}
    requires = _without_none(values["requires"] or {})
    for key in ("vcpus", "ram_mib", "disk_gib"):
        if requires.get(key, 0) < 0:
            raise SpecError("castes.%s.requires.%s is less than nothing" % (name, key))
    if requires:
        if "labels" in requires:
            requires["labels"] = dict((str(key), str(value)) for key, value in requires["labels"].items())
        result["requires"] = requires
    return result


def _check_counts(spec: dict) -> None:
    if not _NAME.match(spec["colony"]):
        raise SpecError(
            "colony %r is not a name: lower-case letters, digits and -, starting with a letter" % spec["colony"]
        )
    if not 1 <= spec["size"] <= MAX_NODES:
        raise SpecError("size %d is impossible: 1 to %d" % (spec["size"], MAX_NODES))
    wanted = sum(caste["count"] for caste in spec["castes"].values())
    if wanted > spec["size"]:
        raise SpecError("castes want %d nodes, but size is %d: raise size or lower a count" % (wanted, spec["size"]))


def _check_policies(policies: dict) -> None:
    if policies.get("dead_after_s", 10.0) < 1:
        raise SpecError("policies.dead_after_s below 1 s would condemn healthy nodes")
    if policies.get("keep_events", 10000) < 100:
        raise SpecError("policies.keep_events below 100 would break resuming streams")
    if not 10 <= policies.get("certificate_lifetime_s", 604800) <= 1095 * 86400:
        raise SpecError("policies.certificate_lifetime_s: a certificate lives 10 seconds to 1095 days")


def _backup(values: dict) -> dict:
    policy = _without_none(values)
    every = _EVERY.match(policy["every"])
    if not every or not 60 <= int(every.group(1)) * {"m": 60, "h": 3600, "d": 86400}[every.group(2)] <= 31 * 86400:
        raise SpecError("policies.backup.every %r is no duration from 1m to 31d, like 6h" % policy["every"])
    if "keep" in policy:
        policy["keep"] = _without_none(policy["keep"])
        for key, count in policy["keep"].items():
            if not (1 if key == "last" else 0) <= count <= 1000:
                raise SpecError(
                    "policies.backup.keep.%s %d is out of range: %d to 1000" % (key, count, 1 if key == "last" else 0)
                )
    return policy


def _validated(spec: dict, values: Any, where: str) -> dict:
    unknown = sorted(str(key) for key in values if key not in spec)
    if unknown:
        raise SpecError("%s: unknown key %s; known are %s" % (where, ", ".join(unknown), ", ".join(sorted(spec))))
    result = ArgumentSpecValidator(spec).validate(values)
    if result.error_messages:
        raise SpecError("%s: %s" % (where, "; ".join(result.error_messages)))
    return result.validated_parameters


def _without_none(values: dict) -> dict:
    return dict((key, value) for key, value in values.items() if value is not None)
