# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster spec as users write it: checked before anything is made."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._input import is_bounded
from ansible_collections.aware.cluster.plugins.module_utils._names import (
    MAX_LABEL_VALUE,
    flaw,
    is_label_value,
    label_flaw,
)
from ansible_collections.aware.cluster.plugins.module_utils._plain import kind_of
from ansible_collections.aware.cluster.plugins.plugin_utils._checking import SpecError, refuse, short, validated, without_none
from ansible_collections.aware.cluster.plugins.plugin_utils._document import is_host_name
from ansible_collections.aware.cluster.plugins.plugin_utils._policies import (
    POLICIES,
    check_policies,
    checked_backup,
    checked_jobs,
    checked_limits,
    checked_servers,
)
from ansible_collections.aware.cluster.plugins.plugin_utils._scale import SCALE, WINDOW, highest, scale_flaw

MAX_NODES = 10000
MAX_AMOUNT = 1000000000

_REQUIRES = dict(
    vcpus=dict(type="int"),
    ram_mib=dict(type="int"),
    disk_gib=dict(type="int"),
    zone=dict(type="str"),
    labels=dict(type="dict"),
    pinned=dict(type="bool"),
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,120}\Z")
_SPEC = dict(
    plugin=dict(type="str", required=True),
    provider=dict(type="str", default="local", choices=["local", "openstack", "static"]),
    directory=dict(type="str"),
    colony=dict(type="str", required=True),
    size=dict(type="int"),
    hosts=dict(type="dict"),
    castes=dict(type="dict", default={}),
    council=dict(
        type="dict",
        options=dict(size=dict(type="int", required=True), replace_after_s=dict(type="float")),
    ),
    policies=dict(type="dict", options=POLICIES),
)
_CASTE_SPEC = dict(
    count=dict(type="int", required=True),
    requires=dict(type="dict", options=_REQUIRES),
    scale=dict(type="dict", options=SCALE),
)


def checked_spec(config: dict) -> dict:
    """Return ``{provider, directory, hosts, spec}``, where spec is the document the gateway takes. Raises SpecError."""
    if not is_bounded(config):
        raise SpecError("cluster spec: it is nested too deeply, or holds itself by an alias")
    values = validated(_SPEC, config, "cluster spec")
    hosts = _hosts(values)
    values["size"] = _size(values, hosts)
    spec: dict = {"colony": values["colony"], "size": values["size"], "castes": {}}
    for name, caste in values["castes"].items():
        spec["castes"][name] = _caste(name, caste)
    if values["council"] is not None:
        spec["council"] = _council(values["council"], spec["size"])
    policies = without_none(values["policies"] or {})
    if "backup" in policies:
        policies["backup"] = checked_backup(policies["backup"])
    if "jobs" in policies:
        policies["jobs"] = checked_jobs(policies["jobs"])
    if "limits" in policies:
        policies["limits"] = checked_limits(policies["limits"])
    if "servers" in policies:
        policies["servers"] = checked_servers(policies["servers"])
    if policies:
        spec["policies"] = policies
    _check_counts(spec)
    check_policies(policies)
    return {"provider": values["provider"], "directory": values["directory"], "hosts": hosts, "spec": spec}


def _hosts(values: dict) -> dict:
    """Variables of each host the spec names. An address alone stands for C(ansible_host)."""
    if values["hosts"] is None:
        return {}
    if values["provider"] != "static":
        raise SpecError("hosts are for provider static; provider %s makes its own" % values["provider"])
    hosts = {}
    for name, given in values["hosts"].items():
        refuse(flaw("node", name), "hosts: ")
        if name in values["castes"]:
            raise SpecError("hosts: %s is also a caste, and Ansible could not tell them apart; rename one" % name)
        if given is not None and not isinstance(given, (str, dict)):
            raise SpecError("hosts.%s must be an address, or variables like {ansible_host: 192.0.2.11}" % name)
        hosts[name] = {"ansible_host": given} if isinstance(given, str) else dict(given or {})
        refuse(_host_flaw(hosts[name]), "hosts.%s" % name)
    _check_apart(hosts)
    return hosts


def _host_flaw(variables: dict) -> str:
    """What is wrong with the variables of a host the spec names. Templates are left to Ansible."""
    for key in variables:
        if not isinstance(key, str) or not _VARIABLE.match(key):
            return ": %.80r cannot be the name of a variable" % (key,)
    address, port = variables.get("ansible_host"), variables.get("ansible_port")
    if address is not None and not _is_template(address) and not (isinstance(address, str) and is_host_name(address)):
        return ".ansible_host: %.80r is not an address or the name of a host" % (address,)
    if port is not None and not _is_template(port) and not _is_port(port):
        return ".ansible_port: %.80r is not a port" % (port,)
    return ""


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _is_port(value: Any) -> bool:
    number = int(value) if isinstance(value, str) and re.match(r"[0-9]{1,5}\Z", value) else value
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < 65536


def _check_apart(hosts: dict) -> None:
    """Two names of one host would be two nodes that fight for its ports."""
    seen: dict = {}
    for name, variables in hosts.items():
        place = (variables.get("ansible_host", name), str(variables.get("ansible_port", "")))
        if _is_template(place[0]) or _is_template(place[1]) or "ansible_connection" in variables:
            continue
        if place in seen:
            raise SpecError("hosts: %s and %s are reached at the same address, %s" % (seen[place], name, place[0]))
        seen[place] = name


def _size(values: dict, hosts: dict) -> int:
    size = values["size"]
    if size is None and not hosts:
        raise SpecError("cluster spec: missing required arguments: size")
    if size is not None and hosts and size != len(hosts):
        raise SpecError(
            "size is %s, but hosts names %d: leave size out, or make them agree" % (short(size), len(hosts))
        )
    return len(hosts) if size is None else size


def _caste(name: Any, caste: Any) -> dict:
    refuse(flaw("caste", name), "castes: ")
    if not isinstance(caste, dict):
        raise SpecError("castes.%s must be a mapping like {count: 2}, not %s" % (name, kind_of(caste)))
    said = caste.get("requires")
    if isinstance(said, dict) and said.get("pinned") is not None and not isinstance(said["pinned"], bool):
        raise SpecError("castes.%s.requires.pinned must be true or false, not %s" % (name, kind_of(said["pinned"])))
    values = validated(_CASTE_SPEC, caste, "castes.%s" % name)
    if not 0 <= values["count"] <= MAX_NODES:
        raise SpecError("castes.%s.count is %s; 0 to %d is possible" % (name, short(values["count"]), MAX_NODES))
    result: dict = {"count": values["count"]}
    requires = without_none(values["requires"] or {})
    for key in ("vcpus", "ram_mib", "disk_gib"):
        if not 0 <= requires.get(key, 0) <= MAX_AMOUNT:
            raise SpecError(
                "castes.%s.requires.%s is %s; 0 to %d is possible" % (name, key, short(requires[key]), MAX_AMOUNT)
            )
    if not is_label_value(requires.get("zone", "")):
        raise SpecError(
            "castes.%s.requires.zone is not printable text of at most %d characters" % (name, MAX_LABEL_VALUE)
        )
    if requires:
        if "labels" in requires:
            requires["labels"] = _labels(requires["labels"], "castes.%s.requires.labels" % name)
        if requires.get("pinned") and not (requires.get("zone") or requires.get("labels")):
            raise SpecError("castes.%s.requires.pinned wants pinned facts and names none: a zone or labels" % name)
        result["requires"] = requires
    if values["scale"] is not None:
        result["scale"] = _scale(values["scale"], values["count"], "castes.%s" % name)
    return result


def _scale(values: dict, count: int, where: str) -> dict:
    scale = without_none(values)
    windows = scale.get("schedule", [])
    checked = [
        without_none(validated(WINDOW, one, "%s.scale.schedule.%d" % (where, number)))
        for number, one in enumerate(windows)
    ]
    for key in ("demand", "out", "in"):
        if key in scale:
            scale[key] = without_none(scale[key])
    if windows:
        scale["schedule"] = checked
    refuse(scale_flaw(scale, count), where)
    return scale


def _council(values: dict, nodes: int) -> dict:
    council = without_none(values)
    if council["size"] not in (1, 3, 5, 7):
        raise SpecError("council.size %s is impossible: 1, 3, 5 or 7" % short(council["size"]))
    if council["size"] > nodes:
        raise SpecError("council.size %d is larger than the colony of %d nodes" % (council["size"], nodes))
    if council.get("replace_after_s", 300.0) != 0 and not council.get("replace_after_s", 300.0) >= 5:
        raise SpecError("council.replace_after_s would replace members that only paused: at least 5, or 0 for never")
    if council.get("replace_after_s", 300.0) > 30 * 86400:
        raise SpecError("council.replace_after_s is more than 30 days")
    return council


def _check_counts(spec: dict) -> None:
    refuse(flaw("colony", spec["colony"]), "colony: ")
    if not 1 <= spec["size"] <= MAX_NODES:
        raise SpecError("size %s is impossible: 1 to %d" % (short(spec["size"]), MAX_NODES))
    most = sum(highest(caste["scale"]) if "scale" in caste else caste["count"] for caste in spec["castes"].values())
    if most > MAX_NODES:
        raise SpecError("castes may come to want %d nodes: at most %d in all" % (most, MAX_NODES))
    wanted = sum(caste["count"] for caste in spec["castes"].values())
    if wanted > spec["size"]:
        raise SpecError("castes want %d nodes, but size is %d: raise size or lower a count" % (wanted, spec["size"]))


def _labels(given: dict, where: str) -> dict:
    """Labels as text. true and 007 are refused: what they would be written as depends on who reads them."""
    for key, value in given.items():
        if not isinstance(value, str):
            raise SpecError("%s.%s must be text, not %s; quote it" % (where, key, kind_of(value)))
    labels = dict((key, str(value)) for key, value in given.items())
    refuse(label_flaw(labels), where + ": ")
    return labels
