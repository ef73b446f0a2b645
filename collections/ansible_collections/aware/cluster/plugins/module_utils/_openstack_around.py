# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What servers need around them: security group with rules, server group, keypair.

Each is known as ours by something that is set when it is created, so a run that is killed leaves nothing unmarked.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import (
    group_name,
    own_groups,
    tickets,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import colony_tag

_RULE = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
RULE_MARK = "aware: "


def wanted_rules(options: Mapping, own: str) -> list:
    """Rules AWARE needs, as Neutron takes them. ``own`` is the identifier of the group itself."""
    etcd = options["etcd_ports"]
    among = [
        ("beacons", "udp", options["discovery_port"], options["discovery_port"]),
        ("gateway of members", "tcp", options["gateway_port"], options["gateway_port"]),
        ("etcd", "tcp", min(etcd), max(etcd)),
    ]
    rules = []
    for family in ("IPv4", "IPv6"):
        for what, protocol, low, high in among:
            rules.append(_rule(what, family, protocol, low, high, group=own))
    for what, cidrs, port in (
        ("SSH", options["ssh_cidrs"], 22),
        ("gateway", options["gateway_cidrs"], options["gateway_port"]),
    ):
        for cidr in cidrs:
            network = _network(cidr, what)
            rules.append(
                _rule("%s from %s" % (what, network), "IPv%d" % network.version, "tcp", port, port, cidr=str(network))
            )
    return rules


def _network(cidr: str, what: str) -> Any:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError as exc:
        raise CloudError("security_group: %s from %r: %s" % (what, cidr, exc)) from None


def _rule(what: str, family: str, protocol: str, low: int, high: int, group: Any = None, cidr: Any = None) -> dict:
    return dict(
        direction="ingress",
        ethertype=family,
        protocol=protocol,
        port_range_min=low,
        port_range_max=high,
        remote_ip_prefix=cidr,
        remote_group_id=group,
        description=RULE_MARK + what,
    )


def rule_steps(wanted: Iterable, group: Mapping) -> tuple:
    """``(rules to add, ids of our own rules to remove)``. Rules somebody else added stay."""

    def key(rule: Mapping) -> tuple:
        return tuple(rule.get(name) for name in _RULE) + (rule.get("remote_group_id"),)

    have = dict((key(rule), rule) for rule in group.get("security_group_rules") or ())
    wanted = dict((key(rule), rule) for rule in wanted)
    add = [rule for name, rule in wanted.items() if name not in have]
    drop = [
        rule["id"]
        for name, rule in have.items()
        if name not in wanted and str(rule.get("description") or "").startswith(RULE_MARK)
    ]
    return add, drop


def same_key(one: str, other: str) -> bool:
    """True if two public keys differ in their comment only."""
    return one.split()[:2] == other.split()[:2]


@dataclass
class Around:
    """What is around the servers, and what is to be done there. ``steps`` are (sentence, function) pairs."""

    group: dict = field(default_factory=dict)
    server_group: str = ""
    key_name: str = ""
    steps: list = field(default_factory=list)


class Surroundings:
    """Looks and makes; everything may be called again after a crash."""

    def __init__(self, cloud: Cloud, colony: str, options: Mapping) -> None:
        self.cloud, self.colony, self.options = cloud, colony, options

    def look(self) -> Around:
        """See what is there and note what is missing. Raises CloudError for what cannot be."""
        around = Around()
        self._look_group(around)
        self._look_key(around)
        self._look_server_group(around)
        return around

    def _look_group(self, around: Around) -> None:
        options, own = self.options["security_group"], own_groups(self.cloud, self.colony)
        around.group = own[0] if own else {}
        # Two first runs at once may have made two. One with a ticket is somebody's lock, maybe ours, and waits for a later run.
        for surplus in [group for group in own[1:] if not tickets([group])]:
            self._later(
                around,
                "delete the surplus security group %s" % surplus["id"],
                lambda surplus=surplus: self._delete_group(surplus["id"]),
            )
        if not options["manage"]:
            return
        if not own:
            wanted_rules(options, "")
            self._later(
                around,
                "create security group %s with the rules AWARE needs" % group_name(self.colony),
                lambda: self._rules(around),
            )
            return
        add, drop = rule_steps(wanted_rules(options, around.group["id"]), around.group)
        if add or drop:
            texts = ["add " + rule["description"][len(RULE_MARK) :] for rule in add] + ["remove %d" % len(drop)] * bool(
                drop
            )
            self._later(
                around,
                "rules of security group %s: %s" % (group_name(self.colony), ", ".join(texts)),
                lambda: self._rules(around),
            )

    def _later(self, around: Around, sentence: str, act: Any) -> None:
        around.steps.append((sentence, act))

    def _rules(self, around: Around) -> None:
        """By now the lock has made the group; look at it again, it is cheap."""
        group = own_groups(self.cloud, self.colony)[0]
        around.group = group
        add, drop = rule_steps(wanted_rules(self.options["security_group"], group["id"]), group)
        for rule in drop:
            self.cloud.delete("network", "/security-group-rules/%s" % rule)
        rules = [dict(rule, security_group_id=group["id"]) for rule in add]
        if rules:
            try:
                self.cloud.create("network", "/security-group-rules", {"security_group_rules": rules})
            except Refused as exc:
                if exc.status not in (400, 409):  # no bulk here, or some of them are there by now
                    raise
                self._rules_one_by_one(rules)

    def _rules_one_by_one(self, rules: list) -> None:
        for rule in rules:
            try:
                self.cloud.create("network", "/security-group-rules", {"security_group_rule": rule})
            except Refused as exc:
                if exc.status != 409:  # there already
                    raise

    def _look_key(self, around: Around) -> None:
        keypair = self.options["keypair"] or {}
        if not keypair:
            return
        managed = bool(keypair.get("public_key"))
        name = keypair.get("name") or group_name(self.colony)
        try:
            there = self.cloud.get("compute", "/os-keypairs/%s" % name)["keypair"]
        except Refused as exc:
            if exc.status != 404:
                raise
            there = None
        around.key_name = name
        if there is None and not managed:
            raise CloudError("there is no keypair %r: create it, or give its public_key" % name)
        if there is not None and managed and not same_key(there["public_key"], keypair["public_key"]):
            raise CloudError(
                "keypair %r holds another public key (%s): delete it, or choose another name"
                % (name, there["fingerprint"])
            )
        if there is None:
            body = {"keypair": {"name": name, "public_key": keypair["public_key"].strip()}}
            self._later(around, "create keypair %s" % name, lambda: self._make_key(body))

    def _make_key(self, body: dict) -> None:
        try:
            self.cloud.create("compute", "/os-keypairs", body)
        except Refused as exc:
            if exc.status != 409:  # names of keypairs are unique, so this is it
                raise

    def server_groups(self) -> list:
        """Server groups of the colony. They carry no tags; the name with its colon is the mark."""
        found = self.cloud.get("compute", "/os-server-groups").get("server_groups") or []
        return sorted(
            (group for group in found if group["name"] == colony_tag(self.colony)), key=lambda group: group["id"]
        )

    def _look_server_group(self, around: Around) -> None:
        policy = self.options["server_group"]
        if policy == "none":
            return
        own = self.server_groups()
        right = [group for group in own if group["policy"] == policy]
        around.server_group = right[0]["id"] if right else ""
        for other in [group for group in own if group["id"] != around.server_group]:
            if other["members"]:
                raise CloudError(
                    "server group %s has policy %s and members; Nova cannot change it: wish for %s, or make the servers anew"
                    % (other["name"], other["policy"], other["policy"])
                )
            self._later(
                around,
                "delete the unused server group %s" % other["id"],
                lambda other=other: self.cloud.delete("compute", "/os-server-groups/%s" % other["id"]),
            )
        if not right:
            self._later(
                around,
                "create server group %s, %s" % (colony_tag(self.colony), policy),
                lambda: self._make_server_group(around, policy),
            )

    def _make_server_group(self, around: Around, policy: str) -> None:
        body = {"server_group": {"name": colony_tag(self.colony), "policy": policy}}

        def there() -> Any:
            right = [group for group in self.server_groups() if group["policy"] == policy]
            return {"server_group": right[0]} if right else None

        around.server_group = self.cloud.create("compute", "/os-server-groups", body, there)["server_group"]["id"]

    def _delete_group(self, group: str) -> None:
        self.cloud.delete("network", "/security-groups/%s" % group, busy=(409,))

    def remove_steps(self) -> list:
        """(sentence, function) pairs that remove all that is ours here; the security group, which is the lock, comes last."""
        steps: list = []
        for group in self.server_groups():
            steps.append(
                (
                    "delete server group %s" % group["name"],
                    lambda group=group: self.cloud.delete("compute", "/os-server-groups/%s" % group["id"]),
                )
            )
        keys = self.cloud.get("compute", "/os-keypairs").get("keypairs") or []
        if group_name(self.colony) in [entry["keypair"]["name"] for entry in keys]:
            steps.append(
                (
                    "delete keypair %s" % group_name(self.colony),
                    lambda: self.cloud.delete("compute", "/os-keypairs/%s" % group_name(self.colony)),
                )
            )
        for group in own_groups(self.cloud, self.colony)[::-1]:
            steps.append(
                ("delete security group %s" % group["name"], lambda group=group: self._delete_group(group["id"]))
            )
        return steps
