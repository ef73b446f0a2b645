# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the plan speaks of: servers as they are, the wish, steps. Plain values: no SDK, no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_states import State, is_leaving, state_of

SPARE = ""


@dataclass(frozen=True)
class Size:
    """What a flavor offers or a caste asks for."""

    vcpus: int = 0
    ram_mib: int = 0
    disk_gib: int = 0

    def fits(self, need: Size) -> bool:
        """True if this offers at least what is needed."""
        return self.vcpus >= need.vcpus and self.ram_mib >= need.ram_mib and self.disk_gib >= need.disk_gib


@dataclass(frozen=True)
class Server:
    """A server of the colony as the cloud shows it."""

    id: str
    name: str
    index: int
    status: str = "ACTIVE"
    caste: str = SPARE
    zone: str = ""
    created: str = ""
    size: Size = Size()
    task: str = ""
    fault: str = ""
    marks: Mapping = field(default_factory=dict)  # metadata
    tags: tuple = ()
    locked: bool = False  # Nova refuses its owner to change or delete it

    @property
    def leaving(self) -> bool:
        """On its way out: it counts for nothing."""
        return is_leaving(self.status, self.task)

    @property
    def state(self) -> State:
        """What its status means."""
        return state_of(self.status)


@dataclass(frozen=True)
class Caste:
    """One share: how many, and the least each must have."""

    name: str
    count: int
    need: Size = Size()
    zone: str = ""


@dataclass(frozen=True)
class Wish:
    """What is wanted, and what the colony said about its nodes."""

    colony: str
    size: int
    castes: tuple = ()
    zones: tuple = ()
    marks: Mapping = field(default_factory=dict)  # metadata every server carries beside the colony's own
    tags: tuple = ()
    remove: frozenset = frozenset()  # names or ids that must go and are not made again
    replace: frozenset = frozenset()  # names or ids that must go and are made again
    dead: frozenset = frozenset()  # the colony calls them dead: first to go
    spare: frozenset = frozenset()  # the colony gave them no work: next to go
    protect: frozenset = frozenset()  # never to go: the queen
    council: frozenset = frozenset()  # they have a seat in the colony's council: to move one is work, so others go first
    replace_failed: bool = False
    shrink: bool = True  # servers may go because there are more than size


@dataclass(frozen=True)
class Step:
    """One thing to do. ``do`` is create, delete, mark or start."""

    do: str
    node: str
    why: str
    index: int = 0
    caste: str = SPARE
    zone: str = ""
    server: str = ""
    marks: Mapping = field(default_factory=dict)
    tags: tuple = ()  # to be added

    def __str__(self) -> str:
        what = {"mark": "write metadata of"}.get(self.do, self.do)
        place = " in zone %s" % self.zone if self.zone and self.do == "create" else ""
        return "%s server %s%s: %s" % (what, self.node, place, self.why)


@dataclass(frozen=True)
class Plan:
    """Steps in order, and the servers that stay.

    With ``problems`` nothing may be done. ``failures`` are servers that stay although they failed: the run goes on and fails in the end.
    """

    steps: tuple = ()
    keep: tuple = ()
    problems: tuple = ()
    failures: tuple = ()
    warnings: tuple = ()

    def of(self, *kinds: str) -> list:
        """The steps of these kinds, in order."""
        return [step for step in self.steps if step.do in kinds]
