# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The work of the modules openstack_cluster and openstack_cluster_info, from options to result."""

from __future__ import annotations

from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._openstack_absent import Absent
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_around import Around
from ansible_collections.aware.cluster.plugins.module_utils._openstack_attached import Attachments, Seen
from ansible_collections.aware.cluster.plugins.module_utils._openstack_diff import diff_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_drift import remarks, wanted_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_findings import Findings
from ansible_collections.aware.cluster.plugins.module_utils._openstack_hosts import hosts_of
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import own_groups
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lookup import Lookup
from ansible_collections.aware.cluster.plugins.module_utils._openstack_marks import own_marks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import SPARE, Plan
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import (
    Networks,
    address_network,
    networks_of_ports,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_parts import (
    bound_to_flavors,
    flavors_of,
    needs_of,
    parts_of,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_plan import failure, make_plan
from ansible_collections.aware.cluster.plugins.module_utils._openstack_preflight import (
    Planned,
    obstacles,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_run import Run
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import Blueprint, Found, find
from ansible_collections.aware.cluster.plugins.module_utils._openstack_tickets import (
    holder_text,
    is_ticketed,
    tickets,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import check_colony, wish_of


def work(module: Any, cloud: Cloud) -> dict:
    """The module openstack_cluster."""
    colony = _Present(module, cloud) if module.params["state"] == "present" else Absent(module, cloud)
    try:
        return colony.run()
    except CloudError as exc:
        exc.facts = dict(
            changed=bool(colony.done),
            done=colony.done,
            removed=[dict(name=step.node, id=step.server) for step in colony.gone],
            progress=colony.progress,
        )
        raise


def read(module: Any, cloud: Cloud) -> dict:
    """The module openstack_cluster_info."""
    check_colony(module.params["colony"])
    found = find(cloud, module.params["colony"])
    groups = own_groups(cloud, module.params["colony"])
    held = [holder_text(groups, run) for run in sorted(tickets(groups))]
    living = [server for server in found.owned if not server.leaving]
    networks = Networks(floating="any")
    seen = Attachments(cloud, module.params["colony"], networks, (), ()).look(living, ())
    ports = [port for server in living for port in seen.ports[server.id]]
    network = ""
    if module.params["address_network"] and ports:
        network = address_network(module.params["address_network"], networks_of_ports(cloud, ports))
    return dict(
        changed=False,
        hosts=hosts_of(found, seen.ports, network, seen.shares.addresses),
        foreign=sorted(found.foreign),
        held_by=held,
        failed_servers=[failure(server) for server in found.owned if server.status == "ERROR"],
    )


class _Present(Run):
    """Bring the colony to its size."""

    def run(self) -> dict:
        lookup, params, findings = Lookup(self.cloud), self.params, Findings()
        wish = wish_of(params, tuple(self.options["availability_zones"]))
        findings.attempt(lookup.check_zones, wish.zones + tuple(caste.zone for caste in wish.castes if caste.zone))
        flavors = findings.attempt(flavors_of, params, lookup, findings.attempt) or {}
        parts = findings.attempt(parts_of, params, lookup, findings.attempt) or {}
        wish = bound_to_flavors(wish, params, flavors)
        found, around = find(self.cloud, self.colony), self.around.look(findings.attempt)
        plan = findings.attempt(self._checked, wish, found)
        # Where another run is at work, what was seen is of the middle of it: wait for its end, and look again.
        later = is_ticketed(around.groups) and not self.module.check_mode
        seen = self._look(self._attachments(parts, around), plan, found) if plan and parts else Seen()
        if plan and not later:
            findings.add(self._preflight(wish, plan, found, around, flavors, seen))
        findings.check()
        sentences = [sentence for sentence, unused in around.steps] + [str(step) for step in plan.steps]
        sentences += [sentence for sentence, unused in seen.steps]
        if parts["places"].floating:
            sentences += ["give server %s a floating address" % step.node for step in plan.of("create")]
        building = [server for server in plan.keep if server.status == "BUILD"]
        deletes, diff = plan.of("delete"), diff_of(plan, sentences)
        if self.module.check_mode:
            self.warn_of_others(around.groups)
        elif sentences or building or later:
            plan, found, seen = self._make(wish, dict(parts, wish=wish, flavors=flavors), later)
        wanted = wanted_of(self.options, wish, parts, flavors, needs_of(params), around.key_name)
        for warning in plan.warnings + tuple(seen.warnings) + self._differences(plan, found, seen, wanted):
            self.module.warn(warning)
        hosts = hosts_of(found, seen.ports, parts["places"].address, seen.shares.addresses)
        result = dict(self.outcome(sentences, deletes), diff=diff, hosts=hosts)
        if plan.failures:
            result.update(failed=True, msg="; ".join(plan.failures) + self._affinity_hint(plan))
        return result

    @staticmethod
    def _differences(plan: Plan, found: Found, seen: Seen, wanted: Any) -> tuple:
        return tuple(
            remark
            for server in plan.keep
            for remark in remarks(server, found.raw[server.id], seen.ports[server.id], wanted)
        )

    @staticmethod
    def _look(attachments: Attachments, plan: Plan, found: Found) -> Seen:
        living = [server for server in found.owned if not server.leaving]
        return attachments.look(living, {server.id for server in plan.keep}, len(plan.of("create")))

    def _groups(self, parts: dict, around: Around) -> tuple:
        """Ids of the security groups of each server; that of the colony is empty while it is not there yet."""
        own = (around.group.get("id") or "",) if self.options["security_group"]["manage"] else ()
        return own + parts["extra"]

    def _attachments(self, parts: dict, around: Around) -> Attachments:
        given = [port["id"] for port in parts["given"]]
        return Attachments(self.cloud, self.colony, parts["places"], self._groups(parts, around), given)

    def _affinity_hint(self, plan: Plan) -> str:
        if self.options["server_group"] != "anti-affinity" or not any(
            "No valid host" in text for text in plan.failures
        ):
            return ""
        return "; server_group anti-affinity puts no two on one host: wish for fewer, or for soft-anti-affinity when the colony is made anew"

    def _make(self, wish: Any, parts: dict, unchecked: bool) -> tuple:
        """Do it, under the lock. What was looked at before may have changed, so look again."""
        with self.lock():
            around = self.around.look()
            if unchecked:
                self._check_now(wish, around, parts)
            self.act(around.steps)
            attachments = self._attachments(parts, around)
            rest = dict((key, value) for key, value in parts.items() if key not in ("places", "given", "extra"))
            blueprint = Blueprint(
                security_groups=self._groups(parts, around),
                key_name=around.key_name,
                server_group=around.server_group,
                **rest,
            )
            plan, found = self.builder(lambda: blueprint).converge(wish)
            seen = self._look(attachments, plan, found)
            if seen.steps:
                self.act(seen.steps)
                seen = self._look(attachments, plan, found)
            return plan, found, seen

    def _checked(self, wish: Any, found: Found) -> Plan:
        plan = make_plan(wish, found.owned, found.foreign)
        if plan.problems:
            raise CloudError("; ".join(plan.problems))
        return plan

    def _check_now(self, wish: Any, around: Around, parts: dict) -> None:
        found, findings = find(self.cloud, self.colony), Findings()
        plan = self._checked(wish, found)
        seen = self._look(self._attachments(parts, around), plan, found)
        findings.add(self._preflight(wish, plan, found, around, parts["flavors"], seen))
        findings.check()

    def _preflight(self, wish: Any, plan: Plan, found: Found, around: Around, flavors: dict, seen: Seen) -> list:
        """What stands in the way of this plan, one sentence each."""
        planned = Planned(
            plan=plan,
            raw=found.raw,
            flavors=flavors,
            options=self.options,
            marks=len(own_marks(wish, 1, SPARE)) + (self.params["term"] is not None),
            tags=len(wish.tags),
            addresses=seen.more,
            members=around.members,
            made=around.made,
        )
        return obstacles(self.cloud, planned)
