# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One run at a time for each colony of a project.

Names are not unique in Nova or Neutron; a keypair's is, but only per user, and colleagues are other users. What every
OpenStack does have is compare-and-set in Neutron: an update with ``If-Match: revision_number=N`` is refused with 412
when somebody changed the resource since. The lock therefore is the description of the colony's security group, which
all users of the project see. It names the holder, so that a run that has to wait can say for whom.

The first run of a colony has no group yet, and two first runs can make two. So a holder looks once more after it
has written: if another group of the colony is locked, or comes before its own, it gives up and waits like anybody.
Of two runs the later one to write surely sees the other, so never do both go on.

A holder renews every third of the lifetime, also while it waits for servers; when it finds somebody else there it
stops before its next change. A lock is stale when its holder was a process of this very machine and is gone, or when
it was not renewed for the lifetime by the clock of the cloud. What a killed run had sent may still be on its way
then: the new holder waits ``SETTLE_S`` before it looks.
"""
from __future__ import annotations

import hashlib
import os
import random
import re
import threading
import uuid
from datetime import datetime, timezone
from typing import Any, Callable

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, LockLost, Refused, Unanswered
from ansible_collections.aware.cluster.plugins.module_utils._process import boot_id, start_time

SETTLE_S = 3.0
_HELD = re.compile(r"; held by (?P<who>.*) run (?P<run>[0-9a-f]{12}) at (?P<boot>[0-9a-f]{8})/(?P<pid>\d+)/(?P<born>\d+) beat (?P<beat>\d+)$")


def group_name(colony: str) -> str:
    """Name of the security group of a colony."""
    return "aware-%s" % colony


def description(colony: str) -> str:
    """Beginning of the description, by which a group made by us is known."""
    return "Nodes of AWARE colony %s" % colony


def own_groups(cloud: Cloud, colony: str) -> list:
    """Security groups of the colony, the one that counts first."""
    found = cloud.pages("network", "/security-groups", "security_groups", {"name": group_name(colony)})
    begin = description(colony)
    own = [group for group in found if (group.get("description") or "").split(";")[0] == begin]
    return sorted(own, key=lambda group: group["id"])


def machine() -> str:
    """Where process numbers mean the same: this boot of this machine and this container."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return hashlib.sha256(("%s/%d" % (boot_id(), space)).encode()).hexdigest()[:8]


class Lock:
    """Context manager. ``wait_s`` bounds the wait for others, ``life_s`` is how long an unrenewed lock counts."""

    def __init__(self, cloud: Cloud, colony: str, who: str, wait_s: float, life_s: float, tell: Callable = lambda text: None) -> None:
        self.cloud, self.colony, self.who = cloud, colony, " ".join(who.split())[:80]
        self.wait_s, self.life_s, self._tell = wait_s, life_s, tell
        self.run = uuid.uuid4().hex[:12]
        self.group: dict = {}
        self._beat = 0
        self._lost = ""
        self._done = threading.Event()
        self._one = threading.Lock()
        self._thread: Any = None

    def __enter__(self) -> Lock:
        end, told = self.cloud.clock() + self.wait_s, ""
        while True:
            holder = self._try()
            if not holder:
                break
            if self.cloud.clock() >= end:
                raise CloudError("colony %s is being changed by %s; waited %d s: run again when that one is done" % (self.colony, holder, self.wait_s))
            if holder != told:
                self._tell("waiting for %s" % holder)
                told = holder
            self.cloud.sleep(random.uniform(1.0, 2.0))
        self.cloud.guard = self._check
        self._thread = threading.Thread(target=self._renew, name="aware-lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self._done.set()
        self._thread.join()
        self.cloud.guard = lambda: None
        if not self._lost and self.group:
            try:
                self._write(description(self.colony))
            except CloudError:
                pass  # it expires by itself, and what ended the run says more

    def forget(self) -> None:
        """The group was deleted: there is nothing to release."""
        with self._one:
            self.group = {}

    def _try(self) -> str:
        """Take the lock; returns who holds it instead, empty when it is ours."""
        own = own_groups(self.cloud, self.colony)
        if not own:
            own = [self._create()]
        holder = self._holder(own)
        if holder:
            return holder
        stale = any(_HELD.search(group["description"]) for group in own)
        self.group = own[0]
        try:
            taken = self._put(self._text(), self.group["revision_number"])
        except Refused as exc:
            if exc.status in (404, 412):
                return "another run that began at the same moment"
            raise
        self.group = taken
        others = own_groups(self.cloud, self.colony)
        mine = [group for group in others if group["id"] == self.group["id"]]
        rest = [group for group in others if group["id"] != self.group["id"]]
        if not mine or self.run not in mine[0]["description"] or self._holder(rest) or others[0]["id"] != self.group["id"]:
            self._release_quietly()
            return "another run that began at the same moment"
        if stale:
            self._tell("took over the lock of a run that is gone")
            self.cloud.sleep(SETTLE_S)
        return ""

    def _release_quietly(self) -> None:
        try:
            self._write(description(self.colony))
        except CloudError:
            pass
        self.group = {}

    def _create(self) -> dict:
        body = {"security_group": {"name": group_name(self.colony), "description": description(self.colony)}}
        try:
            return self.cloud.request("network", "POST", "/security-groups", body)["security_group"]
        except Unanswered:
            own = own_groups(self.cloud, self.colony)
            if own:
                return own[0]
            raise

    def _holder(self, groups: list) -> str:
        """Who holds any of the groups by a lock that counts."""
        for group in groups:
            held = _HELD.search(group["description"])
            if held and held.group("run") != self.run and not self._stale(group, held):
                return "%s (run %s)" % (held.group("who"), held.group("run"))
        return ""

    def _stale(self, group: dict, held: Any) -> bool:
        if held.group("boot") == machine():
            return str(start_time(int(held.group("pid")))) != held.group("born")
        return (self.cloud.now() - _time(group["updated_at"])).total_seconds() > self.life_s

    def _text(self) -> str:
        self._beat += 1
        pid = os.getpid()
        return "%s; held by %s run %s at %s/%d/%s beat %d" % (
            description(self.colony), self.who, self.run, machine(), pid, start_time(pid), self._beat)

    def _put(self, text: str, revision: int) -> dict:
        path = "/security-groups/%s" % self.group["id"]
        headers = {"If-Match": "revision_number=%d" % revision}
        return self.cloud.request("network", "PUT", path, {"security_group": {"description": text}}, headers=headers)["security_group"]

    def _write(self, text: str) -> None:
        """Write the description while it is ours. New rules change the revision too, hence more than one try. Raises LockLost."""
        with self._one:
            for unused in range(20):
                if not self.group:
                    return
                path = "/security-groups/%s" % self.group["id"]
                now = self.cloud.get("network", path)["security_group"]
                if self.run not in now["description"]:
                    raise LockLost("another run took over colony %s: %s" % (self.colony, now["description"]))
                try:
                    self._put(text, now["revision_number"])
                    return
                except Refused as exc:
                    if exc.status != 412:
                        raise
            raise CloudError("the lock of colony %s could not be written" % self.colony)

    def _check(self) -> None:
        if self._lost:
            raise LockLost(self._lost)

    def _renew(self) -> None:
        renewed = self.cloud.clock()
        while not self._done.wait(self.life_s / 3):
            try:
                self._write(self._text())
                renewed = self.cloud.clock()
            except LockLost as exc:
                self._lost = str(exc)
                return
            except Exception as exc:  # pylint: disable=broad-except  # whatever it is, the lock is not renewed meanwhile
                if self.cloud.clock() - renewed > self.life_s * 0.9:
                    self._lost = "the lock of colony %s could not be renewed: %s" % (self.colony, exc)
                    return


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
