# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Make the plan come true, round after round, until looking again finds nothing to do.

A round looks, plans and acts. What a round could not do, or what a killed run left, the next one sees, so there is no
other recovery: the first round of a later run is like the second round of this one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable, Iterable

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import (
    Cloud,
    CloudError,
    Refused,
    Unanswered,
    at,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_create import AtOnce, Creation
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Plan, Server, Step, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_plan import make_plan
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import find
from ansible_collections.aware.cluster.plugins.module_utils._openstack_states import state_of, unlock_hint
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wait import Waiter, busy, ready

ROUNDS = 5


class Builder:
    """Brings the servers of one colony to the wish. ``blueprint()`` is asked for when servers are to be made."""

    def __init__(
        self, cloud: Cloud, blueprint: Callable, timeout_s: float, parallel: int, many: bool, tell: Callable
    ) -> None:
        self.cloud, self.blueprint, self.many, self.tell = cloud, blueprint, many, tell
        self.at_once = AtOnce(parallel)
        self.timeout_s = timeout_s
        self.made: list = []
        self.done: list = []  # sentences of what was seen to be done
        self.gone: list = []  # steps of servers that were seen to be gone
        self._refused: dict = {}  # sentence by id of the server whose metadata Nova did not take
        self._started: set = set()  # ids

    def converge(self, wish: Wish) -> tuple:
        """Act until a plan has no steps; returns ``(plan, found)`` of the last look. Raises CloudError."""
        for unused in range(ROUNDS):
            found = find(self.cloud, wish.colony)
            plan = make_plan(wish, found.owned, found.foreign)
            if plan.problems:
                raise CloudError("; ".join(plan.problems))
            plan = self._without_refused(plan)
            if not plan.steps and not any(busy(server) for server in plan.keep):
                return plan, found
            self._act(wish, plan)
            # Servers that were named are done with: those made instead of them have the same names.
            wish = replace(wish, remove=frozenset(), replace=frozenset())
        raise CloudError("after %d rounds there is still to do: %s" % (ROUNDS, "; ".join(map(str, plan.steps))))

    def _without_refused(self, plan: Plan) -> Plan:
        """The plan less the metadata Nova refused in this run; a server that takes none fails nobody else's."""
        left = [step for step in plan.steps if step.do != "mark" or step.server not in self._refused]
        said = [self._refused[step.server] for step in plan.of("mark") if step.server in self._refused]
        return replace(plan, steps=tuple(left), warnings=plan.warnings + tuple(said))

    def _act(self, wish: Wish, plan: Plan) -> None:
        waiter = Waiter(self.cloud, wish.colony, self.timeout_s, self.tell)
        self.delete(waiter, plan.of("delete"))
        self.at_once.each(plan.of("start"), self._start)
        creates = plan.of("create")
        if creates:
            creation = Creation(self.cloud, self.blueprint(), self.at_once, self.timeout_s, self.tell, self._note_made)
            creation.make(creates, self.many)
        self._wait(waiter, wish, plan, creates)

    # -- deleting

    def delete(self, waiter: Waiter, steps: list, leaving: Iterable = ()) -> None:
        """Delete and wait until they are gone, so that names, quota and ports are free again; ``leaving`` (ids) go by themselves."""
        asked = dict((step.server, step) for step in steps)
        ids = list(asked) + list(leaving)
        if ids:
            self.at_once.each(steps, self._delete)
            waiter.gone(
                ids,
                lambda server: self._delete(Step("delete", server.name, "", server=server.id)),
                lambda server: self._note_gone(asked.get(server)),
            )

    def _note_gone(self, step: Any) -> None:
        if step:
            self.gone.append(step)
            self._note([step])

    def _delete(self, step: Step) -> None:
        try:
            self._change("DELETE", step.server)
        except Refused as exc:
            if exc.status != 404:
                raise CloudError("server %s cannot be deleted: %s" % (step.node, _why(exc, step.server))) from exc

    def _start(self, step: Step) -> None:
        if step.server in self._started:
            raise CloudError(
                "server %s was started and is off again: see openstack console log show %s" % (step.node, step.server)
            )
        self._started.add(step.server)
        try:
            self.cloud.create("compute", at("servers", step.server, "action"), {"os-start": None})
        except Refused as exc:
            # It runs by now, or is being started; or somebody locked it meanwhile.
            if exc.status != 409 or not self._runs(step.server):
                raise CloudError("server %s cannot be started: %s" % (step.node, _why(exc, step.server))) from exc

    def _runs(self, server: str) -> bool:
        raw = self.cloud.get("compute", at("servers", server))["server"]
        return state_of(raw["status"]).works or bool(raw.get("OS-EXT-STS:task_state"))

    def _change(self, method: str, server: str, *rest: str, body: Any = None) -> None:
        """A request for one server. One Nova is busy with is asked again; one somebody locked is not, that does not pass."""
        path = at("servers", server, *rest)
        try:
            self.cloud.request("compute", method, path, body)
        except Refused as exc:
            if exc.status != 409 or _is_lock(exc):
                raise
            self.cloud.request("compute", method, path, body, busy=(409,))

    # -- waiting and marking

    def _wait(self, waiter: Waiter, wish: Wish, plan: Plan, creates: list) -> None:
        """Wait until all are built; write the metadata of each as soon as Nova takes it."""
        marks = dict((step.node, step) for step in plan.of("mark"))
        # What one request for many could not carry, shows as soon as the server is ready.
        names = [server.name for server in plan.keep] + [step.node for step in self._still_expected(creates)]
        with ThreadPoolExecutor(self.at_once.number) as pool:
            tasks: dict = {}

            def each(server: Server) -> None:
                step = marks.get(server.name) or _first_marks(wish, server, creates)
                if step and ready(server):
                    tasks[server.name] = pool.submit(self._mark, replace(step, server=server.id), server)

            servers = waiter.settled(names, each)
            written = [name for name, task in tasks.items() if task.result()]
        running = [server.id for server in servers if server.state.works]
        self._note([step for step in plan.of("start") if step.server in running])
        self._note([step for step in plan.of("mark") if step.node in written])

    def _still_expected(self, creates: list) -> list:
        return [step for step in creates if step.node in self.made]

    def _mark(self, step: Step, server: Server) -> bool:
        """Write it; False when it was not, and then the next round or a warning tells."""
        try:
            if step.marks:
                self._change("POST", server.id, "metadata", body={"metadata": dict(step.marks)})
            for tag in step.tags:
                self._change("PUT", server.id, "tags", tag)
            return True
        except Unanswered as exc:
            self.tell("metadata of %s: %s" % (server.name, exc))  # the next round sees whether it was written
        except Refused as exc:
            if exc.status == 409:
                self._refused[server.id] = "metadata of server %s is not written: %s" % (
                    server.name,
                    _why(exc, server.id),
                )
            elif exc.status != 404:
                raise
        return False

    # -- bookkeeping

    def _note_made(self, steps: list) -> None:
        self.made += [step.node for step in steps]
        self.done += [str(step) for step in steps]

    def _note(self, steps: list) -> None:
        for step in steps:
            self.done.append(str(step))
            self.tell(str(step))


def _is_lock(exc: Refused) -> bool:
    return exc.status == 409 and "is locked" in exc.detail


def _why(exc: Refused, server: str) -> str:
    return unlock_hint(server) if _is_lock(exc) else str(exc)


def _first_marks(wish: Wish, server: Server, creates: list) -> Any:
    """The rest of the metadata of a server that was one of many."""
    step = next((step for step in creates if step.node == server.name), None)
    if step is None:
        return None
    marks = dict(aware_node=step.node, aware_index=str(step.index), aware_caste=step.caste)
    marks = dict((key, value) for key, value in marks.items() if server.marks.get(key) != value)
    return Step("mark", step.node, "", step.index, step.caste, marks=marks) if marks else None
