# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for many servers with one list request at a time, and what happens to each as soon as it is ready."""

from __future__ import annotations

from typing import Callable, Iterable

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Server
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import list_owned, read_server
from ansible_collections.aware.cluster.plugins.module_utils._openstack_states import is_busy

DELETE_TRIES = 5


class Waiter:
    """Looks at the servers of one colony until a condition holds. ``tell`` gets progress, once for each change of it."""

    def __init__(self, cloud: Cloud, colony: str, timeout_s: float, tell: Callable) -> None:
        self.cloud, self.colony, self.timeout_s, self.tell = cloud, colony, timeout_s, tell

    def settled(self, expected: Iterable, each: Callable) -> list:
        """Wait until no server is being built and ``expected`` names are all there; returns the servers.

        ``each`` is called once with every server that is ready, while others are not yet.
        """
        expected, seen = set(expected), set()

        def look(servers: list) -> str:
            for server in servers:
                if not busy(server) and server.id not in seen:
                    seen.add(server.id)
                    each(server)
            absent = sorted(expected - {server.name for server in servers})
            waited = [server for server in servers if busy(server)]
            texts = [
                "%s is %s%s" % (server.name, server.status, " (%s)" % server.task if server.task else "")
                for server in waited
            ]
            texts += ["%s does not show" % name for name in absent]
            self.tell("%d of %d servers are ready" % (len(servers) - len(waited), len(servers) + len(absent)))
            return ", ".join(texts)

        return self._until(look, "become ready")

    def gone(self, ids: Iterable, again: Callable, each: Callable = lambda identifier: None) -> None:
        """Wait until these servers are no more; ``each`` is called with the id of one when that is seen.

        A deletion that failed is asked for ``again``, a few times.
        """
        ids = list(dict.fromkeys(ids))
        tries: dict = {}
        seen: set = set()

        def look(unused: list, everything: Iterable) -> str:
            rest = [server for server in everything if server.id in ids and server.state.there]
            there = {server.id for server in rest}
            for identifier in [one for one in ids if one not in there and one not in seen]:
                seen.add(identifier)
                each(identifier)
            self.tell("%d of %d servers are gone" % (len(ids) - len(rest), len(ids)))
            for server in rest:
                # The interface notes the task before it answers, so one without a task was given up.
                if not server.leaving:
                    tries[server.id] = tries.get(server.id, 0) + 1
                    if tries[server.id] > DELETE_TRIES:
                        raise CloudError(
                            "server %s (%s) cannot be deleted: %s"
                            % (server.name, server.id, server.fault or "Nova gives no reason")
                        )
                    again(server)
            return ", ".join("%s is %s" % (server.name, server.task or server.status) for server in rest)

        self._until(look, "go", leaving=True)

    def _until(self, look: Callable, what: str, leaving: bool = False) -> list:
        end = self.cloud.clock() + self.timeout_s
        while True:
            everything = [read_server(raw, self.colony) for raw in list_owned(self.cloud, self.colony)]
            servers = [server for server in everything if not server.leaving]
            missing = look(servers, everything) if leaving else look(servers)
            if not missing:
                return servers
            if self.cloud.clock() >= end:
                raise CloudError("after %d s servers did not %s: %s" % (self.timeout_s, what, missing))
            self.cloud.sleep(pace(len(everything)))


def pace(servers: int) -> float:
    """Seconds between two looks: a list of many servers is work for the cloud."""
    return min(5.0, 0.5 + 0.02 * servers)


def busy(server: Server) -> bool:
    """True while Nova is at it."""
    return is_busy(server.status, server.task)


def ready(server: Server) -> bool:
    """True if Nova would take a change of it now."""
    return not busy(server) and not server.state.failed
