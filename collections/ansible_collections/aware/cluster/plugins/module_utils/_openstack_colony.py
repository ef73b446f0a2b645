# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The work of the modules openstack_cluster and openstack_cluster_info, from options to result."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_apply import Builder
from ansible_collections.aware.cluster.plugins.module_utils._openstack_around import Around, Surroundings
from ansible_collections.aware.cluster.plugins.module_utils._openstack_floating import FloatingAddresses
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import (
    Lock,
    has_leftovers,
    holder_text,
    own_groups,
    tickets,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import Lookup
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Plan, Step
from ansible_collections.aware.cluster.plugins.module_utils._openstack_parts import (
    bound_to_flavors,
    flavors_of,
    parts_of,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_plan import failure, make_plan
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import Blueprint, Found, find, host_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wait import Waiter
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import check_colony, wish_of


def work(module: Any, cloud: Cloud) -> dict:
    """The module openstack_cluster."""
    colony = _Present(module, cloud) if module.params["state"] == "present" else _Absent(module, cloud)
    try:
        return colony.run()
    except CloudError as exc:
        exc.facts = dict(changed=bool(colony.done), done=colony.done, progress=colony.progress)
        raise


def read(module: Any, cloud: Cloud) -> dict:
    """The module openstack_cluster_info."""
    check_colony(module.params["colony"])
    found = find(cloud, module.params["colony"])
    groups = own_groups(cloud, module.params["colony"])
    held = [holder_text(groups, run) for run in sorted(tickets(groups))]
    floating = FloatingAddresses(cloud, module.params["colony"], "").bound()
    return dict(
        changed=False,
        hosts=hosts_of(found, module.params["address_network"], floating),
        foreign=sorted(found.foreign),
        held_by=held,
        failed_servers=[failure(server) for server in found.owned if server.status == "ERROR"],
    )


def hosts_of(found: Found, network: Any, floating: dict) -> list:
    """Arguments for add_host, by index."""
    servers = sorted(
        (server for server in found.owned if not server.leaving), key=lambda server: (server.index, server.created)
    )
    return [host_of(server, found.raw[server.id], network or "", floating.get(server.name, "")) for server in servers]


class _Run:
    """What both states have in common."""

    def __init__(self, module: Any, cloud: Cloud) -> None:
        self.module, self.cloud, self.params = module, cloud, module.params
        self.colony, self.options = self.params["colony"], self.params["infrastructure"]
        self.start = cloud.clock()
        self.progress: list = []
        self.done: list = []
        check_colony(self.colony)
        if self.params["parallel"] < 1:
            raise CloudError("parallel %d is impossible: 1 or more" % self.params["parallel"])
        self.around = Surroundings(cloud, self.colony, self.options)

    def tell(self, text: str) -> None:
        """Note progress; the same line is not told twice in a row."""
        if self.progress and self.progress[-1].endswith("s " + text):
            return
        line = "%7.1f s %s" % (self.cloud.clock() - self.start, text)
        self.progress.append(line)
        if self.params["progress_file"]:
            try:
                with open(self.params["progress_file"], "a", encoding="utf-8") as stream:
                    stream.write(line + "\n")
            except OSError as exc:
                raise CloudError("progress_file: %s" % exc) from None

    def lock(self) -> Lock:
        who = "%s@%s" % (_user(), socket.gethostname())
        return Lock(self.cloud, self.colony, who, self.params["lock_wait"], self.params["lock_life"], self.tell)

    def builder(self, blueprint: Any = None) -> Builder:
        builder = Builder(
            self.cloud,
            blueprint,
            self.params["timeout"],
            self.params["parallel"],
            self.params["multi_create"],
            self.tell,
        )
        self.done = builder.done = self.done
        return builder

    def act(self, steps: list) -> None:
        """Do (sentence, function) pairs in order."""
        for sentence, function in steps:
            function()
            self.done.append(sentence)
            self.tell(sentence)


class _Present(_Run):
    """Bring the colony to its size."""

    def run(self) -> dict:
        lookup, params = Lookup(self.cloud), self.params
        wish = wish_of(params, lookup.zones(self.options["availability_zones"]))
        flavors = flavors_of(params, lookup)
        parts = parts_of(params, lookup)
        wish = bound_to_flavors(wish, params, flavors)
        found, around = find(self.cloud, self.colony), self.around.look()
        plan = self._checked(wish, found)
        self._check_quota(lookup, plan, flavors)
        floating = FloatingAddresses(self.cloud, self.colony, parts.pop("floating"))
        sentences = [sentence for sentence, unused in around.steps] + [str(step) for step in plan.steps]
        sentences += ["give server %s a floating address" % name for name in self._without_address(floating, plan)]
        building = [server for server in plan.keep if server.status == "BUILD"]
        result = dict(
            plan=sentences,
            removed=[dict(name=step.node, id=step.server) for step in plan.of("delete")],
            diff=_diff(plan, around, sentences),
        )
        if (sentences or building) and not self.module.check_mode:
            plan, found = self._make(wish, dict(parts, wish=wish, flavors=flavors), floating)
        elif not self.module.check_mode and has_leftovers(self.cloud, around.group, params["lock_life"]):
            with self.lock():
                pass  # a run was killed when all was done; taking the lock removes its ticket
        for warning in plan.warnings:
            self.module.warn(warning)
        hosts = hosts_of(found, self.options["address_network"], floating.bound() if floating.network else {})
        result.update(changed=bool(sentences), done=self.done, progress=self.progress, hosts=hosts)
        if plan.failures:
            result.update(failed=True, msg="; ".join(plan.failures) + self._affinity_hint(plan))
        return result

    def _affinity_hint(self, plan: Plan) -> str:
        if self.options["server_group"] != "anti-affinity" or not any(
            "No valid host" in text for text in plan.failures
        ):
            return ""
        return "; server_group anti-affinity puts no two on one host: wish for fewer, or for soft-anti-affinity when the colony is made anew"

    def _make(self, wish: Any, parts: dict, floating: FloatingAddresses) -> tuple:
        """Do it, under the lock. What was looked at before may have changed, so look again."""
        with self.lock():
            around = self.around.look()
            self.act(around.steps)
            extra = parts.pop("extra")
            groups = ((around.group["id"],) if self.options["security_group"]["manage"] else ()) + extra
            blueprint = Blueprint(
                security_groups=groups, key_name=around.key_name, server_group=around.server_group, **parts
            )
            plan, found = self.builder(lambda: blueprint).converge(wish)
            if floating.network:
                wanting, idle = floating.missing(server for server in plan.keep if server.status != "ERROR")
                self.act(
                    [
                        (
                            "give server %s a floating address" % server.name,
                            lambda server=server: floating.give(server, idle),
                        )
                        for server in wanting
                    ]
                )
                floating.release(idle)
            return plan, found

    def _checked(self, wish: Any, found: Found) -> Plan:
        plan = make_plan(wish, found.owned, found.foreign)
        if plan.problems:
            raise CloudError("; ".join(plan.problems))
        return plan

    def _check_quota(self, lookup: Lookup, plan: Plan, flavors: dict) -> None:
        creates = plan.of("create")
        if creates:
            gone = dict((step.server, step) for step in plan.of("delete"))
            freed = [server.size for server in find(self.cloud, self.colony).owned if server.id in gone] if gone else []
            lookup.check_quota([flavors[step.caste].size for step in creates], freed)

    def _without_address(self, floating: FloatingAddresses, plan: Plan) -> list:
        if not floating.network:
            return []
        wanting, unused = floating.missing(server for server in plan.keep if server.status != "ERROR")
        return [server.name for server in wanting] + [step.node for step in plan.of("create")]


class _Absent(_Run):
    """Remove what the colony owns, and nothing else."""

    def run(self) -> dict:
        found = find(self.cloud, self.colony)
        floating = FloatingAddresses(self.cloud, self.colony, "")
        steps = [
            Step("delete", server.name, "the colony is removed", server.index, server=server.id)
            for server in found.owned
            if not server.leaving
        ]
        addresses, around = floating.owned(), self.around.remove_steps()
        sentences = [str(step) for step in steps] + [
            "release floating address %s" % one["floating_ip_address"] for one in addresses
        ]
        sentences += [sentence for sentence, unused in around]
        removed = [dict(name=step.node, id=step.server) for step in steps]
        if sentences and not self.module.check_mode:
            self._remove(floating)
        before = dict(nodes=dict((step.node, step.server) for step in steps), plan=[])
        return dict(
            changed=bool(sentences),
            plan=sentences,
            done=self.done,
            removed=removed,
            progress=self.progress,
            diff=dict(before=before, after=dict(nodes={}, plan=sentences)),
        )

    def _remove(self, floating: FloatingAddresses) -> None:
        with self.lock() as lock:
            waiter = Waiter(self.cloud, self.colony, self.params["timeout"], self.tell)
            servers = find(self.cloud, self.colony).owned
            steps = [
                Step("delete", server.name, "the colony is removed", server.index, server=server.id)
                for server in servers
            ]
            self.builder().delete(waiter, steps)
            floating.release(floating.owned())
            around = self.around.remove_steps()
            self.act([pair for pair in around if "security group" not in pair[0]])
            lock.forget()
            self.act([pair for pair in around if "security group" in pair[0]])


def _diff(plan: Plan, around: Around, sentences: list) -> dict:
    """Nodes before and after, and the plan, for people to read."""
    before = dict(
        (server.name, dict(status=server.status, caste=server.caste or "spare", zone=server.zone))
        for server in plan.keep
    )
    after = dict((name, dict(value)) for name, value in before.items())
    for step in plan.of("delete"):
        before[step.node] = dict(status="to be deleted", caste=step.caste or "spare", zone=step.zone)
    for step in plan.of("create"):
        after[step.node] = dict(status="ACTIVE", caste=step.caste or "spare", zone=step.zone)
    for step in plan.of("mark"):
        after[step.node]["caste"] = step.caste or "spare"
    return dict(before=dict(nodes=before, plan=[]), after=dict(nodes=after, plan=sentences))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
