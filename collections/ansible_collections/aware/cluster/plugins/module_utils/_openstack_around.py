# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What servers need around them: security group with rules, server group, keypair.

Each is known as ours by something that is set when it is created, so a run that is killed leaves nothing unmarked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Collection, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, at
from ansible_collections.aware.cluster.plugins.module_utils._openstack_findings import straight
from ansible_collections.aware.cluster.plugins.module_utils._openstack_group import SecurityGroup
from ansible_collections.aware.cluster.plugins.module_utils._openstack_keys import Keypairs
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import group_name, own_groups
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import owned
from ansible_collections.aware.cluster.plugins.module_utils._openstack_rules import texts, wanted_rules
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import colony_tag
from ansible_collections.aware.cluster.plugins.module_utils._openstack_tickets import tickets


@dataclass
class Around:
    """What is around the servers, and what is to be done there. ``steps`` are (sentence, function) pairs."""

    group: dict = field(default_factory=dict)
    groups: list = field(default_factory=list)  # all of the colony; the first is the group
    server_group: str = ""
    key_name: str = ""
    steps: list = field(default_factory=list)
    members: tuple = ()  # ids of the servers in the server group
    made: dict = field(default_factory=dict)  # how many more there are of what, by quota, when all steps are done

    def add(self, quota: str, number: int) -> None:
        """Note that so many more of it are made."""
        self.made[quota] = self.made.get(quota, 0) + number


class Surroundings:
    """Looks and makes; everything may be called again after a crash."""

    def __init__(self, cloud: Cloud, colony: str, options: Mapping) -> None:
        self.cloud, self.colony, self.options = cloud, colony, options
        self.group = SecurityGroup(cloud, colony, options["security_group"])
        self.keypairs = Keypairs(cloud, colony)

    def look(self, attempt: Callable = straight) -> Around:
        """See what is there and note what is missing. What cannot be raises CloudError, unless ``attempt`` notes it."""
        around = Around()
        for look in (self._look_group, self._look_key, self._look_server_group):
            attempt(look, around)
        return around

    def _look_group(self, around: Around) -> None:
        options, own = self.options["security_group"], own_groups(self.cloud, self.colony)
        around.group, around.groups = own[0] if own else {}, own
        # Two first runs at once may have made two. One with a ticket is somebody's lock, maybe ours, and waits for a later run.
        for surplus in [group for group in own[1:] if not tickets([group])]:
            self._later(
                around,
                "delete the surplus security group %s" % surplus["id"],
                lambda surplus=surplus: self.group.delete(surplus),
                security_group=-1,
            )
        if not own:
            around.add("security_group", 1)  # the lock makes it, with two rules of Neutron's own
            around.add("security_group_rule", 2)
        if not options["manage"]:
            return
        if not own:
            rules = wanted_rules(options, "")
            self._later(
                around,
                "create security group %s with the rules AWARE needs" % group_name(self.colony),
                lambda: self._rules(around),
                security_group_rule=len(rules),
            )
            return
        add, drop = self.group.steps(around.group)
        if add or drop:
            what = ["add " + texts(add)] * bool(add) + ["remove %d" % len(drop)] * bool(drop)
            self._later(
                around,
                "rules of security group %s: %s" % (group_name(self.colony), ", ".join(what)),
                lambda: self._rules(around),
                security_group_rule=len(add) - len(drop),
            )

    def _later(self, around: Around, sentence: str, act: Any, **made: int) -> None:
        around.steps.append((sentence, act))
        for quota, number in made.items():
            around.add(quota, number)

    def _rules(self, around: Around) -> None:
        """By now the lock has made the group; look at it again, it is cheap."""
        around.group = self.group.apply()

    def _look_key(self, around: Around) -> None:
        wanted = self.options["keypair"] or {}
        if not wanted:
            return
        around.key_name, key = self.keypairs.look(wanted)
        if key:
            self._later(
                around,
                "create keypair %s" % around.key_name,
                lambda: self.keypairs.make(around.key_name, key),
                key_pairs=1,
            )

    def server_groups(self) -> list:
        """Server groups of the colony. They carry no tags; the name with its colon is the mark."""
        found = owned(self.cloud, "server group")
        return sorted(
            (group for group in found if group["name"] == colony_tag(self.colony)), key=lambda group: group["id"]
        )

    def _delete_server_group(self, group: Mapping) -> None:
        self.cloud.delete(
            "compute",
            at("os-server-groups", group["id"]),
            lambda: any(one["id"] == group["id"] for one in self.server_groups()),
        )

    def _look_server_group(self, around: Around) -> None:
        policy = self.options["server_group"]
        if policy == "none":
            return
        own = self.server_groups()
        right = [group for group in own if group["policy"] == policy]
        around.server_group = right[0]["id"] if right else ""
        around.members = tuple(right[0]["members"]) if right else ()
        for other in [group for group in own if group["id"] != around.server_group]:
            if other["members"]:
                raise CloudError(
                    "server group %s has policy %s and members; Nova cannot change it: wish for %s, or make the servers anew"
                    % (other["name"], other["policy"], other["policy"])
                )
            self._later(
                around,
                "delete the unused server group %s" % other["id"],
                lambda other=other: self._delete_server_group(other),
                server_groups=-1,
            )
        if not right:
            self._later(
                around,
                "create server group %s, %s" % (colony_tag(self.colony), policy),
                lambda: self._make_server_group(around, policy),
                server_groups=1,
            )

    def _make_server_group(self, around: Around, policy: str) -> None:
        body = {"server_group": {"name": colony_tag(self.colony), "policy": policy}}

        def there() -> Any:
            right = [group for group in self.server_groups() if group["policy"] == policy]
            return {"server_group": right[0]} if right else None

        around.server_group = self.cloud.create("compute", "/os-server-groups", body, there)["server_group"]["id"]

    def remove_steps(self) -> list:
        """(sentence, function) pairs that remove all that is ours here but the security group, which is the lock."""
        steps: list = []
        for group in self.server_groups():
            steps.append(
                ("delete server group %s" % group["name"], lambda group=group: self._delete_server_group(group))
            )
        for name in self.keypairs.owned():
            steps.append(("delete keypair %s" % name, lambda name=name: self.keypairs.delete(name)))
        return steps

    def remove_group_steps(self, servers: Collection) -> list:
        """(sentence, function) pairs that remove the security group. ``servers`` are ids of the colony's."""
        return [
            ("delete security group %s" % group["name"], lambda group=group: self.group.delete(group, servers))
            for group in own_groups(self.cloud, self.colony)[::-1]
        ]
