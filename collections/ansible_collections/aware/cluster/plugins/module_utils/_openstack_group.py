# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The security group of a colony: its rules, and who uses it when it is to go."""

from __future__ import annotations

from typing import Any, Collection, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused, at
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import group_name, own_groups
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import project_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_rules import rule_steps, texts, wanted_rules

_NAMED = 5  # ports in a sentence; more are counted


class SecurityGroup:
    """Rules and removal; that the group is there is the business of the lock."""

    def __init__(self, cloud: Cloud, colony: str, options: Mapping) -> None:
        self.cloud, self.colony, self.options = cloud, colony, options

    def steps(self, group: Mapping) -> tuple:
        """``(rules to add, ids of rules to remove)``."""
        return rule_steps(wanted_rules(self.options, group["id"]), group)

    def apply(self) -> dict:
        """Bring the rules to what is wanted, and return the group as it was seen then. Raises CloudError for a rule that is not there."""
        group = self._now()
        add, drop = self.steps(group)
        for rule in drop:
            self.cloud.delete("network", at("security-group-rules", rule))
        reason = self._add([dict(rule, security_group_id=group["id"]) for rule in add])
        group = self._now()
        missing, surplus = self.steps(group)
        if missing:
            raise CloudError(
                "security group %s lacks the rules for %s%s" % (group_name(self.colony), texts(missing), _why(reason))
            )
        if surplus:
            raise CloudError(
                "security group %s keeps rules that are not wanted: %s" % (group_name(self.colony), ", ".join(surplus))
            )
        return group

    def _now(self) -> dict:
        own = own_groups(self.cloud, self.colony)
        if not own:
            raise CloudError("security group %s was deleted meanwhile: run again" % group_name(self.colony))
        return own[0]

    def _add(self, rules: list) -> Any:
        """Ask for all at once, else one by one; returns the last refusal. What came of it is for the caller to see."""
        if not rules:
            return None
        try:
            self.cloud.create("network", "/security-group-rules", {"security_group_rules": rules})
            return None
        except Refused as exc:
            if exc.quota or exc.status not in (400, 409, 501):
                return exc
        reason = None
        for rule in rules:  # no bulk here, or some of them are there by now
            try:
                self.cloud.create("network", "/security-group-rules", {"security_group_rule": rule})
            except Refused as exc:
                reason = exc
        return reason

    # -- removing

    def kept_by(self, groups: Iterable, servers: Collection) -> list:
        """A sentence for each group that ports of something else than these ``servers`` (ids) would keep from going."""
        others = [(group, self.ports(group, servers)) for group in groups]
        return [in_use_text(group, ports) for group, ports in others if ports]

    def delete(self, group: Mapping, servers: Collection = ()) -> None:
        """Delete a group of the colony. Raises CloudError that names the ports that use it.

        Ports that were given to its ``servers`` (ids) outlive them, without the group.
        """
        path = at("security-groups", group["id"])
        for port in self.ports(group) if servers else ():
            if project_of(port) == self.cloud.project and (port.get("device_id") or "") in ("", *servers):
                self._take_off(group, port)
        try:
            self.cloud.delete("network", path, lambda: self._is_there(group), busy=(409,))
        except Refused as exc:
            if exc.status != 409:
                raise
            raise CloudError(in_use_text(group, self.ports(group))) from exc

    def _take_off(self, group: Mapping, port: Mapping) -> None:
        rest = [one for one in port["security_groups"] if one != group["id"]]
        try:
            self.cloud.request("network", "PUT", at("ports", port["id"]), {"port": {"security_groups": rest}})
        except Refused as exc:
            if exc.status != 404:  # it went with its server; whether it did shows when the group is deleted
                raise

    def _is_there(self, group: Mapping) -> bool:
        return any(one["id"] == group["id"] for one in own_groups(self.cloud, self.colony))

    def ports(self, group: Mapping, but: Collection = ()) -> list:
        """Ports with this group, of whatever project, but those of the servers ``but``."""
        ports = self.cloud.pages("network", "/ports", "ports", {"security_groups": group["id"]})
        # Clouds that do not filter by it list all ports.
        ports = [port for port in ports if group["id"] in (port.get("security_groups") or ())]
        return [port for port in ports if port.get("device_id") not in but]


def in_use_text(group: Mapping, ports: list) -> str:
    """One sentence: which ports keep the group, and what to do."""
    named = ", ".join(
        "%s (%s)" % (port["id"], _device(port)) for port in sorted(ports, key=lambda port: port["id"])[:_NAMED]
    )
    more = " and %d more" % (len(ports) - _NAMED) if len(ports) > _NAMED else ""
    return "security group %s (%s) is used by %s%s, not of the colony's servers: %s, then run again" % (
        group["name"],
        group["id"],
        "port " + named if named else "ports this project may not see",
        more,
        "take it off (openstack port unset --security-group %s PORT) or delete them" % group["id"]
        if named
        else "ask the cloud's administrator who uses it",
    )


def _device(port: Mapping) -> str:
    words = ["named " + port["name"]] if port.get("name") else []
    words.append("of " + port["device_id"] if port.get("device_id") else "of no server")
    return ", ".join(words)


def _why(reason: Any) -> str:
    if reason is None:
        return ", though the cloud took them: run again"
    if reason.quota:
        return (
            ", for the project's quota of security group rules is reached (%s): raise it "
            "(openstack quota set --secgroup-rules NUMBER PROJECT) or delete rules nobody needs, and run again" % reason
        )
    return ": %s" % reason
