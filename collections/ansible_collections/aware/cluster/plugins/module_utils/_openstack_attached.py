# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What hangs on the servers of a colony and may come off: security groups of their ports, and floating addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Collection, Iterable

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud
from ansible_collections.aware.cluster.plugins.module_utils._openstack_floating import FloatingAddresses, Shares
from ansible_collections.aware.cluster.plugins.module_utils._openstack_networks import Networks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_ports import outside, ports_of, put_inside


@dataclass
class Seen:
    """One look: ports by server's id, floating addresses by node, (sentence, function) pairs to do, and what to tell."""

    ports: dict = field(default_factory=dict)
    shares: Shares = Shares({})
    more: int = 0  # floating addresses to be allocated
    steps: list = field(default_factory=list)
    warnings: list = field(default_factory=list)


class Attachments:
    """Looks at the ports of servers; ``groups`` are ids they shall have, and ``given`` the ids of ports the user made."""

    def __init__(self, cloud: Cloud, colony: str, networks: Networks, groups: Collection, given: Collection) -> None:
        self.cloud, self.groups, self.given = cloud, groups, given
        self.floating = FloatingAddresses(cloud, colony, networks)

    def look(self, living: Iterable, staying: Collection, coming: int = 0) -> Seen:
        """See what the ``living`` servers have, and those ``staying`` (ids) lack. ``coming`` are made soon, and take addresses too."""
        living = list(living)
        seen = Seen(ports_of(self.cloud, living, self.given))
        kept = [server for server in living if server.id in staying]
        ports, seen.warnings = outside(kept, seen.ports, self.groups, self.given)
        for server, port in ports:
            self._later(
                seen,
                "put port %s of server %s into the colony's security groups" % (port["id"], server.name),
                lambda port=port: put_inside(self.cloud, port, self.groups),
            )
        if self.floating.networks.floating:
            self._look_floating(seen, living, staying, coming)
        return seen

    def _look_floating(self, seen: Seen, living: list, staying: Collection, coming: int) -> None:
        seen.shares = self.floating.look(living, seen.ports)
        seen.warnings += seen.shares.warnings
        idle = list(seen.shares.idle)
        gifts = [gift for gift in seen.shares.gifts if gift.server.id in staying]
        for gift in gifts:
            self._later(seen, str(gift), lambda gift=gift: self.floating.give(gift, idle))
        wanting = coming + sum(1 for gift in gifts if not gift.entry)
        freed = [one for one in living if one.id not in staying and one.name in seen.shares.addresses]
        seen.more = max(0, wanting - len(idle) - len(freed))
        # Which of them are left over shows when all have theirs.
        surplus = len(idle) - wanting
        if surplus > 0:
            self._later(
                seen,
                "release %d floating address(es) that serve no server" % surplus,
                lambda: self.floating.release(idle),
            )

    @staticmethod
    def _later(seen: Seen, sentence: str, act: Any) -> None:
        seen.steps.append((sentence, act))
