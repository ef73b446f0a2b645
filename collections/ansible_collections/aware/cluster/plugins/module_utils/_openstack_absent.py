# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Remove a colony: all it owns, and nothing else."""

from __future__ import annotations

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_floating import FloatingAddresses
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import own_groups
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Step
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import Networks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_ports import is_departed, of_servers
from ansible_collections.aware.cluster.plugins.module_utils._openstack_run import Run
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import Found, find
from ansible_collections.aware.cluster.plugins.module_utils._openstack_states import kept_by_lock
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wait import Waiter


class Absent(Run):
    """Remove what the colony owns, and nothing else."""

    def run(self) -> dict:
        found, groups, users = self._all_may_go()
        floating = FloatingAddresses(self.cloud, self.colony, Networks())
        steps = self._deletes(found)
        sentences = [str(step) for step in steps]
        sentences += [sentence for sentence, unused in self._releases(floating) + self.around.remove_steps()]
        sentences += [sentence for sentence, unused in self.around.remove_group_steps(users)]
        if self.module.check_mode:
            self.warn_of_others(groups)
        elif sentences:
            self._remove(floating)
        before = dict(nodes=dict((step.node, step.server) for step in steps), plan=[])
        return dict(
            self.outcome(sentences, steps),
            diff=dict(before=before, after=dict(nodes={}, plan=sentences)),
        )

    def _all_may_go(self) -> tuple:
        """``(found, security groups, ids of servers whose ports may be in them)``.

        Before the first is deleted it is known that nothing keeps one.
        """
        found, groups = find(self.cloud, self.colony), own_groups(self.cloud, self.colony)
        users = self._users(found, groups)
        texts = [kept_by_lock(server.name, server.id) for server in found.owned if server.locked and not server.leaving]
        texts += self.around.group.kept_by(groups, users)
        if texts:
            raise CloudError("nothing was deleted: %s" % "; ".join(texts))
        return found, groups, users

    def _users(self, found: Found, groups: list) -> set:
        """Servers of the colony that are there, and those deleted softly: Nova lists them no more, but keeps their ports."""
        ports = [port for group in groups for port in self.around.group.ports(group, found.raw)]
        others = of_servers(self.cloud, ports)
        return set(found.raw) | {server for server in others if is_departed(self.cloud, self.colony, server)}

    def _remove(self, floating: FloatingAddresses) -> None:
        with self.lock() as lock:
            waiter = Waiter(self.cloud, self.colony, self.params["timeout"], self.tell)
            found, unused, users = self._all_may_go()
            leaving = [server.id for server in found.owned if server.leaving]
            self.builder().delete(waiter, self._deletes(found), leaving)
            self.act(self._releases(floating))
            self.act(self.around.remove_steps())
            with lock.going():
                self.act(self.around.remove_group_steps(users))

    def _deletes(self, found: Found) -> list:
        return [
            Step("delete", server.name, "the colony is removed", server.index, server=server.id)
            for server in found.owned
            if not server.leaving
        ]

    def _releases(self, floating: FloatingAddresses) -> list:
        return [
            ("release floating address %s" % one["floating_ip_address"], lambda one=one: floating.release([one]))
            for one in floating.owned()
        ]
