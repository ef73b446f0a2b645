# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What to do so that the servers there are become the servers wanted. Pure: no SDK, no clock, no network.

The same input gives the same plan, whoever asks and in whatever order the cloud lists its servers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import (
    ETCD_MEMBER,
    ETCD_WANTED,
    ODD,
    SPARE,
    Caste,
    Plan,
    Server,
    Step,
    Wish,
)


def make_plan(wish: Wish, servers: Iterable, foreign: Iterable = ()) -> Plan:
    """Plan for ``wish`` from the owned ``servers``; ``foreign`` are the names others use."""
    return _Planner(wish, servers, foreign).plan()


def node_name(colony: str, index: int) -> str:
    """Name of a node; the same index has the same name, always."""
    return "%s-%d" % (colony, index)


def failure(server: Server) -> str:
    """What to tell about a server in ERROR."""
    reason = server.fault or "Nova gives no reason"
    return "server %s (%s) is in ERROR: %s; set replace_failed to replace it" % (server.name, server.id, reason)


def own_marks(wish: Wish, index: int, caste: str, etcd: str = "") -> dict:
    """Metadata a server of the colony carries for good."""
    marks = dict((str(key), str(value)) for key, value in wish.marks.items())
    marks.update(
        aware_colony=wish.colony, aware_node=node_name(wish.colony, index), aware_index=str(index), aware_caste=caste
    )
    if etcd:
        marks["aware_etcd"] = etcd
    return marks


class _Planner:
    """One planning. ``live`` shrinks and ``steps`` grow on the way."""

    def __init__(self, wish: Wish, servers: Iterable, foreign: Iterable) -> None:
        self.wish = wish
        self.foreign = frozenset(foreign)
        self.live = sorted((server for server in servers if not server.leaving), key=_rank)
        self.deletes: list = []
        self.problems: list = []
        self.warnings: list = []
        self.members = wish.etcd | {
            server.name for server in self.live if server.marks.get("aware_etcd") == ETCD_MEMBER
        }
        # One that somebody deleted took its mark along, but its etcd still counts it.
        self.votes = max(len(self.members), wish.etcd_size) if self.members else 0
        self.etcd_left = self._etcd_budget()

    def plan(self) -> Plan:
        self._drop_duplicates()
        self._drop_named()
        self._drop_failed()
        self._shrink()
        castes = self._assign()
        creates = self._grow(castes)
        carriers = self._carriers(creates)
        creates = [replace(step, etcd=carriers.get(step.node, "")) for step in creates]
        marks = [
            step
            for server in self.live
            for step in self._mark(server, castes[server.id], carriers.get(server.name, ""))
        ]
        starts = [
            Step("start", server.name, "it is shut off", server.index, server=server.id)
            for server in self.live
            if server.status == "SHUTOFF"
        ]
        for server in self.live:
            if server.status in ODD:
                self.warnings.append("server %s is %s; it counts, and is left as it is" % (server.name, server.status))
        steps = self.deletes + marks + starts + creates
        keep = tuple(sorted(self.live, key=lambda server: server.index))
        return Plan(tuple(steps), keep, tuple(self.problems), tuple(map(failure, self._failed())), tuple(self.warnings))

    def _failed(self) -> list:
        return [server for server in self.live if server.status == "ERROR"]

    # -- removing

    def _etcd_budget(self) -> int:
        """How many members of etcd may go before the rest is no majority."""
        well = [server for server in self.live if self._votes(server)]
        return max(0, len(well) - (self.votes // 2 + 1)) if self.votes else len(self.live)

    def _votes(self, server: Server) -> bool:
        """Whether etcd loses a working member when this server goes. A server under an old name that was made anew has none yet."""
        mark = server.marks.get("aware_etcd")
        member = server.name in self.wish.etcd or mark == ETCD_MEMBER
        return member and server.status == "ACTIVE" and not self._named(server, self.wish.dead)

    def _carriers(self, creates: Sequence) -> dict:
        """``{node: value of aware_etcd}``: members stay so, then the lowest indices up to the number that is wanted."""
        there = {server.name for server in self.live}
        carriers = dict((name, ETCD_MEMBER) for name in self.members if name in there)
        by_index = sorted(
            [(server.index, server.name) for server in self.live] + [(step.index, step.node) for step in creates]
        )
        marked = [name for unused, name in by_index if name in self.members - there]
        marked += [server.name for server in self.live if server.marks.get("aware_etcd") == ETCD_WANTED]
        for name in marked + [name for unused, name in by_index]:
            if len(carriers) < self.wish.etcd_size:
                carriers.setdefault(name, ETCD_WANTED)
        return carriers

    def _named(self, server: Server, names: frozenset) -> bool:
        return server.name in names or server.id in names

    def _may_go(self, server: Server) -> str:
        """Why the server must stay; empty when it may go."""
        if self._named(server, self.wish.protect):
            return "%s is protected (it reigns, or you said so): hand over first" % server.name
        if self._votes(server) and self.etcd_left < 1:
            return "without %s etcd would have no majority of its %d members" % (server.name, self.votes)
        return ""

    def _drop(self, server: Server, why: str) -> None:
        if self._votes(server):
            self.etcd_left -= 1
        self.live.remove(server)
        self.deletes.append(Step("delete", server.name, why, server.index, server.caste, server.zone, server.id))

    def _drop_duplicates(self) -> None:
        first: dict = {}
        for server in list(self.live):
            if server.index in first:
                self._drop(server, "a second server with this index; %s stays" % first[server.index])
            else:
                first[server.index] = server.id

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
            for server in [server for server in self.live if server.status == "ERROR"]:
                self._drop(server, "it failed: %s" % (server.fault or "Nova gives no reason"))

    def _shrink(self) -> None:
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
        """Least first: failed and dead, shut off, without a member of etcd (to move one is work), without work, youngest."""
        broken = server.status == "ERROR" or self._named(server, self.wish.dead)
        idle = castes[server.id] == SPARE
        busy = not self._named(server, self.wish.spare)
        age = _Backwards(server.created)
        return (not broken, server.status != "SHUTOFF", self._votes(server), not idle, busy, age, -server.index)

    def _blame(self, server: Server, castes: Mapping) -> str:
        if server.status == "ERROR":
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
            idle.sort(key=lambda server: (server.size.vcpus, server.size.ram_mib, server.index))
            for server in idle[: max(0, caste.count - have)]:
                taken[server.id] = caste.name
        return taken

    def _seniority(self, server: Server) -> tuple:
        return (server.status == "ERROR" or self._named(server, self.wish.dead), server.created, server.index)

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

    def _mark(self, server: Server, caste: str, etcd: str) -> list:
        marks = dict(
            (key, value)
            for key, value in own_marks(self.wish, server.index, caste, etcd).items()
            if server.marks.get(key) != value
        )
        names = sorted(marks) + ["tag " + tag for tag in self.wish.tags if tag not in server.tags]
        if not names or server.status == "ERROR":
            return []
        return [Step("mark", server.name, ", ".join(names), server.index, caste, server.zone, server.id, marks, etcd)]


class _Backwards(str):
    """Sorts the other way round."""

    def __lt__(self, other: Any) -> bool:
        return str.__gt__(self, other)


def _rank(server: Server) -> tuple:
    """Of two servers with one index the better comes first: working, then older."""
    return (server.index, {"ACTIVE": 0, "ERROR": 2}.get(server.status, 1), server.created, server.id)


def _wanted(caste: Caste) -> str:
    need = caste.need
    return "%d vCPU, %d MiB RAM, %d GiB disk%s" % (
        need.vcpus,
        need.ram_mib,
        need.disk_gib,
        " in zone " + caste.zone if caste.zone else "",
    )
