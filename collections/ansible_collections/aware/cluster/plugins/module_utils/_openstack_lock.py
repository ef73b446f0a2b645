# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One run at a time for each colony of a project.

What OpenStack offers for this is little. Names are not unique in Nova or Neutron. A keypair's is, but per user, and
colleagues are other users. Neutron takes ``If-Match: revision_number=N``, but looks before it writes: of eight writers
at once several get 200 (tried on Zed). What does hold is that a tag, once set, is seen by everybody who looks later.

So each run hangs a ticket, a tag, on the security group of the colony, and then looks. It goes on only when there is
no other ticket. Of two runs the one that looks last sees the ticket of the other, so never do both go on. When several
wait, the lowest ticket stays and the others are taken back for a moment, so that one of them comes through. The first
run of a colony makes the group; should two first runs make two, tickets on both count.

A ticket says which process has it and when it was renewed last, by the clock of the cloud. It counts no more when it
is of this very machine and the process is gone, or when it was not renewed for its lifetime. What a killed run had
sent may still be on its way then: the next holder waits ``SETTLE_S`` before it looks. A holder whose ticket was taken
away notices before its next change.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
import uuid
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import (
    Cloud,
    CloudError,
    LockLost,
    Refused,
    at,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import owned
from ansible_collections.aware.cluster.plugins.module_utils._openstack_tickets import (
    holder_text,
    holding,
    is_stale,
    leftovers,
    machine,
    tickets,
)
from ansible_collections.aware.cluster.plugins.module_utils._process import start_time

SETTLE_S = 3.0
GRACE_S = 4.0  # the lowest of several that came at once waits at least so long for the others to step back


def group_name(colony: str) -> str:
    """Name of the security group of a colony."""
    return "aware-%s" % colony


def description(colony: str) -> str:
    """Description, by which a group made by us is known."""
    return "Nodes of AWARE colony %s" % colony


def own_groups(cloud: Cloud, colony: str) -> list:
    """Security groups of the colony, the one that counts first."""
    found = owned(cloud, "security group", name=group_name(colony))
    own = [group for group in found if group.get("description") == description(colony)]
    return sorted(own, key=lambda group: group["id"])


class Lock:
    """Context manager. ``wait_s`` bounds the wait for others, ``life_s`` is how long an unrenewed ticket counts."""

    def __init__(
        self, cloud: Cloud, colony: str, who: str, wait_s: float, life_s: float, tell: Callable = lambda text: None
    ) -> None:
        self.cloud, self.colony = cloud, colony
        self.who = re.sub(r"[^A-Za-z0-9@._-]+", "_", who)[:46]
        self.wait_s, self.life_s, self._tell = wait_s, life_s, tell
        self.run = uuid.uuid4().hex[:8]
        self._group = ""
        self._ticket = ""
        self._renewed = 0.0
        self._lost = ""
        self._beating = False
        self._done = threading.Event()
        self._one = threading.RLock()
        self._thread: Any = None

    def __enter__(self) -> Lock:
        try:
            self._wait()
            self._tag("PUT", "who.%s.%s" % (self.run, self.who))  # a ticket with a name holds, one without waits
        except BaseException:
            self._withdraw()
            raise
        self.cloud.guard = self._check
        self._thread = threading.Thread(target=self._renew, name="aware-lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self._done.set()
        self._thread.join()
        self.cloud.guard = lambda: None
        self._withdraw()

    @contextmanager
    def going(self) -> Iterator:
        """Inside, the group is deleted, and the ticket with it: nothing is renewed. If it stays after all, the ticket is still ours to take back."""
        self._beat()
        with self._one:
            ticket, self._ticket = self._ticket, ""
        try:
            yield
        except BaseException:
            self._ticket = ticket
            raise

    # -- getting it

    def _wait(self) -> None:
        begin, told = self.cloud.clock(), ""
        while True:
            others, lowest, groups = self._look()
            if not others:
                return
            holders = holding(groups, others)
            holder = holder_text(groups, min(holders or others))
            waited = self.cloud.clock() - begin
            if waited >= (max(self.wait_s, GRACE_S) if lowest and not holders else self.wait_s):
                raise CloudError(
                    "colony %s is being changed by %s; waited %d s: run again when that one is done"
                    % (self.colony, holder, waited)
                )
            if holder != told:
                self._tell("waiting for %s" % holder)
                told = holder
            if not lowest:
                self._withdraw()
            self.cloud.sleep(random.uniform(0.5, 1.5))

    def _look(self) -> tuple:
        """Hang the ticket and look: ``(other runs, whether ours is the lowest, groups)``. No others means it is ours."""
        if not self._ticket:
            self._hang()
        groups = own_groups(self.cloud, self.colony)
        there = tickets(groups)
        if self.run not in there:
            self._ticket = ""  # the group was deleted meanwhile
            return {"": None}, False, groups
        now = self.cloud.now().timestamp()
        others = dict((run, ticket) for run, ticket in there.items() if run != self.run)
        live = dict((run, ticket) for run, ticket in others.items() if not is_stale(ticket, now, self.life_s))
        if not live:
            self._remove_stale(groups, others)
        return live, self.run < min(live, default="g"), groups

    def _hang(self) -> None:
        own = own_groups(self.cloud, self.colony)
        self._group = (own or [self._create()])[0]["id"]
        self._renewed, self._ticket = time.time(), self._text()
        self._tag("PUT", self._ticket)

    def _create(self) -> dict:
        body = {"security_group": {"name": group_name(self.colony), "description": description(self.colony)}}

        def there() -> Any:
            own = own_groups(self.cloud, self.colony)
            return {"security_group": own[0]} if own else None

        return self.cloud.create("network", "/security-groups", body, there)["security_group"]

    def _remove_stale(self, groups: list, others: dict) -> None:
        for group, tag in leftovers(groups, set(others) - {self.run}, self.run):
            self._tag("DELETE", tag, group["id"])
        if others:
            self._tell("took over from a run that is gone")
            self.cloud.sleep(SETTLE_S)

    def _text(self) -> str:
        pid = os.getpid()
        return "lock.%s.%s.%d.%s.%d" % (self.run, machine(), pid, start_time(pid), self.cloud.now().timestamp())

    def _tag(self, method: str, tag: str, group: str = "") -> None:
        try:
            self.cloud.request("network", method, at("security-groups", group or self._group, "tags", tag), busy=(409,))
        except Refused as exc:
            if exc.status != 404:  # the tag, or the group, is gone: whoever looks next sees it
                raise

    # -- keeping it and giving it back

    def _withdraw(self) -> None:
        with self._one:
            ticket, self._ticket = self._ticket, ""
            try:
                if ticket:
                    self._tag("DELETE", ticket)
                    self._tag("DELETE", "who.%s.%s" % (self.run, self.who))
            except Exception as exc:  # pylint: disable=broad-except  # it expires by itself, and what ended the run says more
                self._tell("the lock was not given back: %s" % exc)

    def _beat(self) -> None:
        """Renew, as of the moment this began. Raises LockLost when somebody took it."""
        with self._one:
            if not self._ticket:
                return
            self._beating = True
            try:
                began, old, new = time.time(), self._ticket, self._text()
                self._find(old)
                if old != new:
                    self._tag("PUT", new)
                    self._ticket = new
                    self._find(old)  # who slept since the first look comes back with a ticket that nobody minds
                    self._tag("DELETE", old)
                self._renewed = began
            finally:
                self._beating = False

    def _find(self, ticket: str) -> None:
        """Raise LockLost when the ticket was taken away."""
        if not any(ticket in (group.get("tags") or ()) for group in own_groups(self.cloud, self.colony)):
            self._lost = "another run took over colony %s while this one was away" % self.colony
            raise LockLost(self._lost)

    def _check(self) -> None:
        """Before each change. A machine that slept must look before it does more."""
        if self._lost:
            raise LockLost(self._lost)
        if threading.current_thread() is self._thread:
            return
        with self._one:  # which waits for a renewal that is under way
            if self._lost:
                raise LockLost(self._lost)
            # The requests of a renewal by this thread come through here too.
            if not self._beating and time.time() - self._renewed > self.life_s * 0.7:
                self._beat()

    def _renew(self) -> None:
        while not self._done.wait(self.life_s / 3):
            try:
                self._beat()
            except LockLost:
                return
            except Exception as exc:  # pylint: disable=broad-except  # whatever it is, the lock is not renewed meanwhile
                self._tell("the lock is not renewed: %s" % exc)
