# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tickets on the security group: whose they are, when they count no more, and that two never enter."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timezone

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError, LockLost, Refused
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import Lock, description, group_name
from ansible_collections.aware.cluster.plugins.module_utils._openstack_tickets import (
    holder_text,
    is_stale,
    is_ticketed,
    leftovers,
    live,
    machine,
    tickets,
)
from ansible_collections.aware.cluster.plugins.module_utils._process import start_time


class Neutron:
    """As much of Neutron as a lock needs: groups with tags, each request atomic."""

    project = "p"

    def __init__(self):
        self.groups, self.one, self.guard = [], threading.Lock(), lambda: None
        self.clock, self.slept = time.monotonic, []

    def now(self):
        return datetime.now(timezone.utc)

    def sleep(self, seconds):
        self.slept.append(seconds)
        time.sleep(seconds / 100)

    def pages(self, service, path, key, params):
        with self.one:
            return [dict(group, tags=list(group["tags"])) for group in self.groups]

    def create(self, service, path, body, there):
        return self.request(service, "POST", path, body)

    def request(self, service, method, path, body=None, busy=()):
        self.guard()
        with self.one:
            if method == "POST":
                group = dict(body["security_group"], id="g%d" % (9 - len(self.groups)), tags=[], project_id="p")
                self.groups.append(group)
                return {"security_group": dict(group)}
            identifier, tag = path.split("/")[2], path.split("/")[4]
            group = [group for group in self.groups if group["id"] == identifier]
            if not group or method == "DELETE" and tag not in group[0]["tags"]:
                raise Refused(404, path, "gone")
            getattr(group[0]["tags"], {"PUT": "append", "DELETE": "remove"}[method])(tag)
            return {}


def ticket(run, place=None, pid=None, born=None, beat=None):
    pid = os.getpid() if pid is None else pid
    return "lock.%s.%s.%d.%s.%d" % (
        run,
        place or machine(),
        pid,
        start_time(pid) if born is None else born,
        time.time() if beat is None else beat,
    )


def group(*tags):
    return dict(id="g", name=group_name("demo"), description=description("demo"), tags=list(tags), project_id="p")


@pytest.mark.parametrize(
    "text, stale",
    [
        (ticket("0" * 8), False),
        (ticket("0" * 8, beat=0), False),  # the process is here and lives, however long it slept
        (ticket("0" * 8, born=1), True),
        (ticket("0" * 8, place="f" * 8), False),
        (ticket("0" * 8, place="f" * 8, beat=time.time() - 1000), True),
    ],
    ids=["alive", "alive and slow", "gone", "elsewhere", "elsewhere and old"],
)
def test_when_a_ticket_counts_no_more(text, stale):
    assert is_stale(tickets([group(text)])["0" * 8], time.time(), 90) is stale


def test_the_newest_ticket_of_a_run_counts_and_strange_tags_do_not():
    found = tickets([group(ticket("a" * 8, beat=5), ticket("a" * 8, beat=7), "lock.x", "mine")])
    assert list(found) == ["a" * 8] and found["a" * 8].group("beat") == "7"


def test_names():
    there = [group("who.%s.anna@desk" % ("a" * 8))]
    assert (
        holder_text(there, "a" * 8) == "anna@desk (run aaaaaaaa)"
        and holder_text(there, "b" * 8) == "somebody (run bbbbbbbb)"
    )


def test_leftovers_are_tickets_of_the_gone_and_names_without_ticket():
    old, new = ticket("a" * 8, born=1), ticket("b" * 8)
    there = group(old, new, "who.%s.x" % ("a" * 8), "who.%s.y" % ("b" * 8), "who.%s.z" % ("c" * 8), "mine")
    assert [tag for unused, tag in leftovers([there], ["a" * 8])] == [old, "who.aaaaaaaa.x", "who.cccccccc.z"]


def test_a_group_with_a_ticket_is_not_at_rest():
    old, new = ticket("a" * 8, born=1), ticket("b" * 8)
    assert is_ticketed([group(old)]) and is_ticketed([group(), group("who.%s.x" % ("c" * 8))])
    assert not is_ticketed([group("mine")]) and not is_ticketed([])
    assert live(Neutron(), [group(old, new, "who.%s.anna" % ("b" * 8))], 90) == ["anna (run bbbbbbbb)"]


def test_the_lock_of_a_group_that_stays_after_all_is_given_back():
    neutron = Neutron()
    with pytest.raises(CloudError, match="in use"):
        with Lock(neutron, "demo", "anna", wait_s=0, life_s=90) as lock:
            with lock.going():
                neutron.guard()
                assert tickets(neutron.groups), "it is held until the group is gone"
                raise CloudError("in use")
    assert not neutron.groups[0]["tags"]


def test_the_lock_goes_with_its_group():
    neutron = Neutron()
    with Lock(neutron, "demo", "anna", wait_s=0, life_s=90) as lock:
        with lock.going():
            neutron.groups.clear()
        lock._renewed -= 80
        neutron.guard()


def test_never_are_two_inside():
    neutron, inside, alone = Neutron(), [], []

    def enter(number):
        with Lock(neutron, "demo", "t%d" % number, wait_s=60, life_s=90):
            inside.append(number)
            time.sleep(0.01)
            alone.append(inside == [number])
            inside.remove(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert alone == [True] * 12 and not any(one["tags"] for one in neutron.groups)


def test_the_holder_is_named_to_those_who_do_not_wait():
    neutron = Neutron()
    with Lock(neutron, "demo", "anna@desk", wait_s=0, life_s=90):
        with pytest.raises(CloudError, match=r"colony demo is being changed by anna@desk \(run [0-9a-f]{8}\)"):
            Lock(neutron, "demo", "berta", wait_s=0, life_s=90).__enter__()
        assert len(tickets(neutron.groups)) == 1, "who was refused left a ticket"


def test_a_killed_run_is_taken_over_after_a_pause_and_its_ticket_removed():
    neutron = Neutron()
    neutron.groups.append(group(ticket("0" * 8, born=1), "who.%s.x" % ("0" * 8), "mine"))
    with Lock(neutron, "demo", "anna", wait_s=0, life_s=90):
        assert 3.0 in neutron.slept
    assert neutron.groups[0]["tags"] == ["mine"]


def test_who_was_taken_over_in_the_middle_of_a_renewal_stops_too():
    """Frozen between its look and its new ticket, it hangs one that looks valid."""
    neutron = Neutron()
    request = neutron.request

    def late(service, method, path, body=None, busy=()):
        if method == "PUT" and "/lock." in path:
            neutron.groups[0]["tags"].clear()
        return request(service, method, path, body, busy)

    lock = Lock(neutron, "demo", "anna", wait_s=0, life_s=90)
    with lock:
        lock._ticket = ticket(lock.run, beat=5)  # the next one differs
        neutron.groups[0]["tags"][0] = lock._ticket
        neutron.request = late
        lock._renewed -= 80
        for unused in range(2):
            with pytest.raises(LockLost):
                neutron.guard()
        neutron.request = request
    assert not tickets(neutron.groups)


def test_who_was_taken_over_stops_before_the_next_change():
    neutron = Neutron()
    lock = Lock(neutron, "demo", "anna", wait_s=0, life_s=90)
    with lock:
        neutron.groups[0]["tags"].clear()
        lock._renewed -= 80  # the machine slept
        with pytest.raises(LockLost):
            neutron.guard()
