# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Make the plan come true, round after round, until looking again finds nothing to do.

A round looks, plans and acts. What a round could not do, or what a killed run left, the next one sees, so there is no
other recovery: the first round of a later run is like the second round of this one.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable, Iterable

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import (
    LOOK_AGAIN_S,
    Cloud,
    CloudError,
    Refused,
    Unanswered,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Plan, Server, Step, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_plan import make_plan
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import (
    Blueprint,
    find,
    list_owned,
    index_of,
    may_be_many,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wait import Waiter, ready

ROUNDS = 5


class Builder:
    """Brings the servers of one colony to the wish. ``blueprint()`` is asked for when servers are to be made."""

    def __init__(
        self, cloud: Cloud, blueprint: Callable, timeout_s: float, parallel: int, many: bool, tell: Callable
    ) -> None:
        self.cloud, self.blueprint, self.parallel, self.many, self.tell = cloud, blueprint, parallel, many, tell
        self.timeout_s = timeout_s
        self.made: list = []
        self.done: list = []  # sentences
        self._stop = threading.Event()

    def converge(self, wish: Wish) -> tuple:
        """Act until a plan has no steps; returns ``(plan, found)`` of the last look. Raises CloudError."""
        for unused in range(ROUNDS):
            found = find(self.cloud, wish.colony)
            plan = make_plan(wish, found.owned, found.foreign)
            if plan.problems:
                raise CloudError("; ".join(plan.problems))
            building = [server for server in plan.keep if not ready(server) and server.status != "ERROR"]
            if not plan.steps and not building:
                return plan, found
            self._act(wish, plan)
            # Servers that were named are done with: those made instead of them have the same names.
            wish = replace(wish, remove=frozenset(), replace=frozenset())
        raise CloudError("after %d rounds there is still to do: %s" % (ROUNDS, "; ".join(map(str, plan.steps))))

    def _act(self, wish: Wish, plan: Plan) -> None:
        waiter = Waiter(self.cloud, wish.colony, self.timeout_s, self.tell)
        self.delete(waiter, plan.of("delete"))
        self._each(plan.of("start"), self._start)
        creates = plan.of("create")
        if creates:
            self._create(creates)
        self._wait(waiter, wish, plan, creates)

    # -- deleting

    def delete(self, waiter: Waiter, steps: list) -> None:
        """Delete and wait until they are gone, so that names, quota and ports are free again."""
        if steps:
            self._each(steps, self._delete)
            waiter.gone(
                [step.server for step in steps],
                lambda server: self._delete(Step("delete", server.name, "", server=server.id)),
            )

    def _delete(self, step: Step) -> None:
        try:
            self.cloud.request("compute", "DELETE", "/servers/%s" % step.server, busy=(409,))
        except Refused as exc:
            if exc.status != 404:
                raise

    def _start(self, step: Step) -> None:
        try:
            self.cloud.create("compute", "/servers/%s/action" % step.server, {"os-start": None})
        except Refused as exc:
            if exc.status != 409:  # it runs by now, or is being started
                raise

    # -- creating

    def _create(self, steps: list) -> None:
        blueprint = self.blueprint()
        if self.many and may_be_many(blueprint, steps, list_owned(self.cloud, blueprint.wish.colony)):
            self._create_many(blueprint, steps)
        else:
            self._each(steps, lambda step: self._create_one(blueprint, step))

    def _create_many(self, blueprint: Blueprint, steps: list) -> None:
        self.tell("asking for %d servers at once" % len(steps))
        try:
            self.cloud.request("compute", "POST", "/servers", blueprint.body_of_many(steps))
        except Unanswered as exc:
            # What came of it shows in the next round, which makes the rest one by one.
            self.tell("no answer, looking what came of it: %s" % exc)
            self.cloud.sleep(LOOK_AGAIN_S * 2)
            return
        except Refused as exc:
            raise CloudError("servers %s to %s: %s%s" % (steps[0].node, steps[-1].node, exc, _hint(exc))) from exc
        self._note(steps)

    def _create_one(self, blueprint: Blueprint, step: Step) -> None:
        end = self.cloud.clock() + self.cloud.retry_s
        while not self._stop.is_set():
            try:
                self.cloud.request("compute", "POST", "/servers", blueprint.body(step))
                break
            except Unanswered as exc:
                self.cloud.sleep(LOOK_AGAIN_S)
                if self._is_there(blueprint.wish.colony, step):
                    break
                if self.cloud.clock() > end:
                    raise CloudError("server %s: %s" % (step.node, exc)) from exc
            except Refused as exc:
                raise CloudError("server %s: %s%s" % (step.node, exc, _hint(exc))) from exc
        else:
            return
        self._note([step], each=False)

    def _is_there(self, colony: str, step: Step) -> bool:
        try:
            raws = list_owned(self.cloud, colony)
        except CloudError as exc:
            raise CloudError("server %s may be made or not, the next run will see: %s" % (step.node, exc)) from exc
        return any(
            index_of(raw, colony) == step.index and raw.get("OS-EXT-STS:task_state") != "deleting" for raw in raws
        )

    # -- waiting and marking

    def _wait(self, waiter: Waiter, wish: Wish, plan: Plan, creates: list) -> None:
        """Wait until all are built; write the metadata of each as soon as Nova takes it."""
        marks = dict((step.node, step) for step in plan.of("mark"))
        # What one request for many could not carry, shows as soon as the server is ready.
        names = [server.name for server in plan.keep] + [step.node for step in self._still_expected(creates)]
        with ThreadPoolExecutor(self.parallel) as pool:
            tasks: list = []

            def each(server: Server) -> None:
                step = marks.get(server.name) or _first_marks(wish, server, creates)
                if step and ready(server):
                    tasks.append(pool.submit(self._mark, replace(step, server=server.id), server))

            waiter.settled(names, each)
            for task in tasks:
                task.result()
        self._note(plan.of("mark"), each=False)

    def _still_expected(self, creates: list) -> list:
        return [step for step in creates if step.node in self.made]

    def _mark(self, step: Step, server: Server) -> None:
        path = "/servers/%s" % server.id
        try:
            if step.marks:
                self.cloud.request("compute", "POST", path + "/metadata", {"metadata": dict(step.marks)}, busy=(409,))
            for tag in step.why.split(", "):
                if tag.startswith("tag "):
                    self.cloud.request("compute", "PUT", "%s/tags/%s" % (path, tag[4:]), busy=(409,))
        except Unanswered as exc:
            self.tell("metadata of %s: %s" % (server.name, exc))  # the next round sees whether it was written
        except Refused as exc:
            if exc.status != 404:
                raise

    # -- bookkeeping

    def _each(self, steps: Iterable, act: Callable) -> None:
        """Do ``act`` for all, so many at once; the first error stops what has not begun, and is raised when the rest has ended."""
        steps = list(steps)

        def one(step: Step) -> Any:
            if self._stop.is_set():
                return None
            try:
                act(step)
            except CloudError as exc:
                self._stop.set()
                return exc
            if step.do != "create":
                self._note([step], each=False)
            return None

        self._stop.clear()
        with ThreadPoolExecutor(self.parallel) as pool:
            errors = [error for error in pool.map(one, steps) if error]
        if errors:
            raise errors[0]

    def _note(self, steps: list, each: bool = True) -> None:
        for step in steps:
            self.done.append(str(step))
            if step.do == "create":
                self.made.append(step.node)
            if not each:
                self.tell(str(step))


def _first_marks(wish: Wish, server: Server, creates: list) -> Any:
    """The rest of the metadata of a server that was one of many."""
    step = next((step for step in creates if step.node == server.name), None)
    if step is None:
        return None
    marks = dict(aware_node=step.node, aware_index=str(step.index), aware_caste=step.caste)
    if step.etcd:
        marks["aware_etcd"] = step.etcd
    marks = dict((key, value) for key, value in marks.items() if server.marks.get(key) != value)
    return Step("mark", step.node, "", step.index, step.caste, marks=marks) if marks else None


def _hint(exc: Refused) -> str:
    if exc.status == 403 and "uota" in exc.detail:
        return "; wish for less, or ask for a higher quota, and run again: it goes on from here"
    return ""
