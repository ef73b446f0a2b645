# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Asking Nova for servers: many with one request where they are alike, one after the other where they must be kept apart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import (
    LOOK_AGAIN_S,
    Cloud,
    CloudError,
    Refused,
    Unanswered,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Step
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import (
    Blueprint,
    index_of,
    list_owned,
    may_be_many,
    read_server,
)

PLACED_S = 0.4  # between two looks whether a server has a host


class AtOnce:
    """Acts on many things, so many at once; the first error stops what has not begun, and is raised when the rest has ended."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._stop = threading.Event()

    @property
    def stopped(self) -> bool:
        """True when one of them failed."""
        return self._stop.is_set()

    def each(self, items: Iterable, act: Callable) -> None:
        """``act`` on each."""

        def one(item: Any) -> Any:
            if self.stopped:
                return None
            try:
                act(item)
            except CloudError as exc:
                self._stop.set()
                return exc
            return None

        self._stop.clear()
        with ThreadPoolExecutor(self.number) as pool:
            errors = [error for error in pool.map(one, list(items)) if error]
        if errors:
            raise errors[0]


class Creation:
    """Makes the servers of one round. ``note`` gets the steps Nova accepted."""

    def __init__(
        self, cloud: Cloud, blueprint: Blueprint, at_once: AtOnce, timeout_s: float, tell: Callable, note: Callable
    ) -> None:
        self.cloud, self.blueprint, self.at_once, self.timeout_s = cloud, blueprint, at_once, timeout_s
        self.tell, self.note = tell, note
        self.colony = blueprint.wish.colony

    def make(self, steps: list, many: bool) -> None:
        """Ask for them; ``many`` allows one request for all."""
        if many and may_be_many(self.blueprint, steps, list_owned(self.cloud, self.colony)):
            self._many(steps)
        elif self.blueprint.server_group:
            self.at_once.each(lanes(steps), self._in_turn)
        else:
            self.at_once.each(steps, self._one)

    def _many(self, steps: list) -> None:
        self.tell("asking for %d servers at once" % len(steps))
        try:
            self.cloud.request("compute", "POST", "/servers", self.blueprint.body_of_many(steps))
        except Unanswered as exc:
            self.tell("no answer, looking what came of it: %s" % exc)
            self.cloud.sleep(LOOK_AGAIN_S * 2)
            there = self._there(steps)
            self.note([step for step in steps if step.index in there])  # the next round makes the rest, one by one
            return
        except Refused as exc:
            raise CloudError("servers %s to %s: %s%s" % (steps[0].node, steps[-1].node, exc, _hint(exc))) from exc
        self.note(steps)

    def _in_turn(self, lane: list) -> None:
        """Nova's scheduler keeps a server away from those of its group that have a host: the next is asked for when this one has."""
        for step in lane:
            self._one(step)
            if self.at_once.stopped:
                return
            if step is not lane[-1]:
                self._until_placed(step)

    def _until_placed(self, step: Step) -> None:
        end = self.cloud.clock() + self.timeout_s
        while self.cloud.clock() < end and not self.at_once.stopped:
            raws = [raw for raw in list_owned(self.cloud, self.colony) if index_of(raw, self.colony) == step.index]
            if any(raw.get("hostId") or not read_server(raw, self.colony).state.busy for raw in raws):
                return
            self.cloud.sleep(PLACED_S)

    def _one(self, step: Step) -> None:
        end = self.cloud.clock() + self.cloud.retry_s
        while not self.at_once.stopped:
            try:
                self.cloud.request("compute", "POST", "/servers", self.blueprint.body(step))
                break
            except Unanswered as exc:
                self.cloud.sleep(LOOK_AGAIN_S)
                if self._there([step]):
                    break
                if self.cloud.clock() > end:
                    raise CloudError("server %s: %s" % (step.node, exc)) from exc
            except Refused as exc:
                raise CloudError("server %s: %s%s" % (step.node, exc, _hint(exc))) from exc
        else:
            return
        self.note([step])
        self.tell(str(step))

    def _there(self, steps: list) -> set:
        """Indices of those that are there, after an answer that was lost."""
        names = steps[0].node if len(steps) == 1 else "%s to %s" % (steps[0].node, steps[-1].node)
        try:
            raws = list_owned(self.cloud, self.colony)
        except CloudError as exc:
            raise CloudError("server %s may be made or not, the next run will see: %s" % (names, exc)) from exc
        servers = [read_server(raw, self.colony) for raw in raws]
        return {server.index for server in servers if not server.leaving} & {step.index for step in steps}


def lanes(steps: Iterable) -> list:
    """Steps that must not be scheduled at the same time, together: those of one zone, or all when Nova chooses the zone of any."""
    steps = list(steps)
    if not all(step.zone for step in steps):
        return [steps]
    return [[step for step in steps if step.zone == zone] for zone in sorted({step.zone for step in steps})]


def _hint(exc: Refused) -> str:
    if exc.status == 403 and "uota" in exc.detail:
        return "; wish for less, or ask for a higher quota, and run again: it goes on from here"
    return ""
