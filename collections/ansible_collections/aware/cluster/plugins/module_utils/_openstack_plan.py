# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What to do so that the servers there are become the servers wanted. Pure: no SDK, no clock, no network.

The same input gives the same plan, whoever asks and in whatever order the cloud lists its servers.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.aware.cluster.plugins.module_utils._openstack_marks import can_be_marked, mark_step, node_name
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import (
    SPARE,
    Caste,
    Plan,
    Server,
    Step,
    Wish,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_states import (
    kept_by_lock,
    remark,
    to_be_started,
    unlock_hint,
)


def make_plan(wish: Wish, servers: Iterable, foreign: Iterable = ()) -> Plan:
    """Plan for ``wish`` from the owned ``servers``; ``foreign`` are the names others use."""
    return _Planner(wish, servers, foreign).plan()


def failure(server: Server) -> str:
    """What to tell about a server in ERROR."""
    reason = server.fault or "Nova gives no reason"
    return "server %s (%s) is in ERROR: %s; set replace_failed to replace it" % (server.name, server.id, reason)


class _Planner:
    """One planning. ``live`` shrinks and ``steps`` grow on the way."""

    def __init__(self, wish: Wish, servers: Iterable, foreign: Iterable) -> None:
        self.wish = wish
        self.foreign = frozenset(foreign)
        self.live = sorted((server for server in servers if not server.leaving), key=_rank)
        self.deletes: list = []
        self.problems: list = []
        self.warnings: list = []

    def plan(self) -> Plan:
        self._drop_duplicates()
        self._drop_named()
        self._drop_failed()
        self._shrink()
        castes = self._assign()
        creates = self._grow(castes)
        marks: list = []
        for server in self.live:
            marks += self._mark(server, castes[server.id])
        steps = self.deletes + marks + self._starts() + creates
        keep = tuple(sorted(self.live, key=lambda server: server.index))
        return Plan(tuple(steps), keep, tuple(self.problems), tuple(map(failure, self._failed())), tuple(self.warnings))

    def _failed(self) -> list:
        return [server for server in self.live if server.state.failed]

    def _mark(self, server: Server, caste: str) -> list:
        steps, warnings = mark_step(self.wish, server, caste)
        self.warnings += warnings
        return steps

    def _starts(self) -> list:
        steps = []
        for server in self.live:
            if to_be_started(server.status, server.task) and server.locked:
                self.warnings.append("server %s is off and not started: %s" % (server.name, unlock_hint(server.id)))
            elif to_be_started(server.status, server.task):
                steps.append(Step("start", server.name, "it is shut off", server.index, server=server.id))
            elif remark(server.name, server.status, server.task):
                self.warnings.append(remark(server.name, server.status, server.task))
        return steps

    # -- removing

    def _named(self, server: Server, names: frozenset) -> bool:
        return server.name in names or server.id in names

    def _may_go(self, server: Server) -> str:
        """Why the server must stay; empty when it may go."""
        if self._named(server, self.wish.protect):
            return "%s is protected (it reigns, or you said so): hand over first" % server.name
        if server.locked:
            return kept_by_lock(server.name, server.id)
        return ""

    def _drop(self, server: Server, why: str) -> None:
        self.live.remove(server)
        self.deletes.append(Step("delete", server.name, why, server.index, server.caste, server.zone, server.id))

    def _drop_duplicates(self) -> None:
        first: dict = {}
        for server in list(self.live):
            if server.index in first:
                self._drop_unlocked(server, "a second server with this index; %s stays" % first[server.index])
            else:
                first[server.index] = server.id

    def _drop_unlocked(self, server: Server, why: str) -> None:
        """What has to go whoever it is; only a lock keeps it, and then nothing is done at all."""
        if server.locked:
            self.problems.append(self._may_go(server))
        else:
            self._drop(server, why)

    def _drop_named(self) -> None:
        for names, why in ((self.wish.remove, "named for removal"), (self.wish.replace, "named for replacement")):
            for server in [server for server in self.live if self._named(server, names)]:
                stays = self._may_go(server)
                if stays:
                    self.problems.append(stays)
                else:
                    self._drop(server, why)
        room = [node for node in self.wish.remove if node in {step.node for step in self.deletes}]
        if room and len(self.live) < self.wish.size:
            self.warnings.append("size is %d, so others are made for %s" % (self.wish.size, ", ".join(sorted(room))))

    def _drop_failed(self) -> None:
        if self.wish.replace_failed:
            for server in self._failed():
                self._drop_unlocked(server, "it failed: %s" % (server.fault or "Nova gives no reason"))

    def _shrink(self) -> None:
        if len(self.live) > self.wish.size and not self.wish.shrink:
            self.problems.append(
                "there are %d servers and size is %d, but none may go for that (shrink is false), as where castes scale and "
                "the colony did not say how many nodes they want: give its context, or a size of at least %d"
                % (len(self.live), self.wish.size, len(self.live))
            )
            return
        while len(self.live) > self.wish.size:
            castes = self._assign()
            ordered = sorted(self.live, key=lambda server: self._worth(server, castes))
            free = [server for server in ordered if not self._may_go(server)]
            if not free:
                self.problems.append(
                    "cannot shrink to %d: %s" % (self.wish.size, "; ".join(self._may_go(server) for server in ordered))
                )
                return
            self._drop(free[0], self._blame(free[0], castes))

    def _worth(self, server: Server, castes: Mapping) -> tuple:
        """Least first: failed and dead, shut off, without a seat in the council (to move one is work), without work, youngest."""
        broken = server.state.failed or self._named(server, self.wish.dead)
        idle = castes[server.id] == SPARE
        busy = not self._named(server, self.wish.spare)
        sits = self._named(server, self.wish.council)
        age = _Backwards(server.created)
        return (not broken, not server.state.off, sits, not idle, busy, age, -server.index)

    def _blame(self, server: Server, castes: Mapping) -> str:
        if server.state.failed:
            return "size is %d, and it failed" % self.wish.size
        if self._named(server, self.wish.dead):
            return "size is %d, and it is dead" % self.wish.size
        return "size is %d, and it is the youngest%s" % (self.wish.size, " spare" if castes[server.id] == SPARE else "")

    # -- castes

    def _assign(self) -> dict:
        """Caste of each live server: who has one keeps it, gaps are filled by spare servers that fit, smallest first."""
        taken = dict((server.id, SPARE) for server in self.live)
        for caste in self.wish.castes:
            staying = [server for server in self.live if server.caste == caste.name and self._serves(server, caste)]
            for server in sorted(staying, key=self._seniority)[: caste.count]:
                taken[server.id] = caste.name
        for caste in self.wish.castes:
            have = sum(1 for name in taken.values() if name == caste.name)
            idle = [server for server in self.live if taken[server.id] == SPARE and self._serves(server, caste)]
            idle.sort(
                key=lambda server: (not can_be_marked(server), server.size.vcpus, server.size.ram_mib, server.index)
            )
            for server in idle[: max(0, caste.count - have)]:
                taken[server.id] = caste.name
        return taken

    def _seniority(self, server: Server) -> tuple:
        return (server.state.failed or self._named(server, self.wish.dead), server.created, server.index)

    def _serves(self, server: Server, caste: Caste) -> bool:
        return server.size.fits(caste.need) and caste.zone in ("", server.zone)

    def _grow(self, castes: Mapping) -> list:
        """Steps for what is missing: castes first, then spare, at the lowest free indices."""
        missing = [
            caste
            for caste in self.wish.castes
            for unused in range(caste.count - sum(1 for name in castes.values() if name == caste.name))
        ]
        room = self.wish.size - len(self.live)
        if len(missing) > max(room, 0):
            short = missing[max(room, 0)]
            self.problems.append(
                "caste %s lacks %d node(s) with at least %s, but size %d is reached by servers that do not fit: raise size or remove some"
                % (
                    short.name,
                    sum(1 for caste in missing[max(room, 0) :] if caste is short),
                    _wanted(short),
                    self.wish.size,
                )
            )
        wanted: list = (missing + [None] * room)[: max(room, 0)]
        used = {server.index for server in self.live}
        free = [index for index in range(1, self.wish.size + len(used) + 1) if index not in used]
        return self._creates(wanted, free[: len(wanted)])

    def _creates(self, wanted: Sequence, indices: Sequence) -> list:
        load = dict((zone, sum(1 for server in self.live if server.zone == zone)) for zone in self.wish.zones)
        again = dict((step.index, step) for step in self.deletes)
        steps = []
        for caste, index in zip(wanted, indices):
            name = node_name(self.wish.colony, index)
            if name in self.foreign:
                self.problems.append(
                    "a server named %s exists and does not belong to colony %s: rename or delete it, or choose another colony name"
                    % (name, self.wish.colony)
                )
            zone = (
                caste.zone
                if caste and caste.zone
                else min(load, key=lambda zone: (load[zone], self.wish.zones.index(zone)))
                if load
                else ""
            )
            if zone in load:
                load[zone] += 1
            share = "caste %s" % caste.name if caste else "spare"
            why = "%s, instead of the one deleted" % share if index in again else share
            steps.append(Step("create", name, why, index, caste.name if caste else SPARE, zone))
        return steps


class _Backwards(str):
    """Sorts the other way round."""

    def __lt__(self, other: Any) -> bool:
        return str.__gt__(self, other)


def _rank(server: Server) -> tuple:
    """Of two servers with one index the better comes first: working, then older."""
    return (server.index, 0 if server.state.works else 2 if server.state.failed else 1, server.created, server.id)


def _wanted(caste: Caste) -> str:
    need = caste.need
    return "%d vCPU, %d MiB RAM, %d GiB disk%s" % (
        need.vcpus,
        need.ram_mib,
        need.disk_gib,
        " in zone " + caste.zone if caste.zone else "",
    )
