# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step is listed as done when it was seen to be done, not when somebody said yes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused, Unanswered
from ansible_collections.aware.cluster.plugins.module_utils._openstack_apply import Builder
from ansible_collections.aware.cluster.plugins.module_utils._openstack_create import AtOnce, Creation
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Step, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_run import Run
from ansible_collections.aware.cluster.plugins.module_utils._openstack_servers import Blueprint
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wait import Waiter


class Nova(Cloud):
    """Servers s1, s2, ... of colony demo. ``stays`` are never deleted, ``answer`` is what a request is answered with."""

    project = "a"

    def __init__(self, number=0, stays=(), answer=None):
        super().__init__(None, clock=lambda: self.time, sleep=self.pause)
        self.time, self.stays, self.answer, self.lost = 0.0, stays, answer, 0
        self.there = ["s%d" % (place + 1) for place in range(number)]

    def pause(self, seconds):
        self.time += seconds

    def pages(self, service, path, key, params=None):
        return [
            dict(
                id=one,
                name="demo-%s" % one[1:],
                status="ACTIVE",
                tags=["aware:demo"],
                metadata=dict(aware_colony="demo", aware_index=one[1:]),
                project_id="a",
                **{"OS-EXT-STS:task_state": "deleting" if one in self.stays else None},
            )
            for one in self.there
        ]

    def request(self, service, method, path, body=None, params=None, headers=None, busy=()):
        if self.answer:
            raise self.answer
        if method == "POST":
            self.there += ["s%d" % (place + 1) for place in range(self.lost)]
            raise Unanswered("reset")
        server = path.rpartition("/")[2]
        if server not in self.stays:
            self.there.remove(server)
        return {}


def step(number, do="delete"):
    return Step(do, "demo-%d" % number, "why", number, server="s%d" % number)


def builder(cloud):
    return Builder(cloud, None, 60, 2, True, lambda text: None)


def test_only_servers_that_are_gone_are_listed():
    cloud = Nova(3, stays=("s2",))
    made = builder(cloud)
    waiter = Waiter(cloud, "demo", 60, lambda text: None)
    with pytest.raises(CloudError, match="after 60 s servers did not go: demo-2 is deleting"):
        made.delete(waiter, [step(1), step(2), step(3)])
    assert made.done == ["delete server demo-1: why", "delete server demo-3: why"]
    assert [one.server for one in made.gone] == ["s1", "s3"]


def test_what_somebody_else_deletes_is_waited_for_and_not_ours_to_list():
    cloud = Nova(2)
    made = builder(cloud)
    waiter = Waiter(cloud, "demo", 60, lambda text: None)
    made.delete(waiter, [step(1)], ["s9"])
    assert made.done == ["delete server demo-1: why"]


def test_a_refused_deletion_is_not_listed():
    cloud = Nova(2, answer=Refused(403, "DELETE", "no"))
    made = builder(cloud)
    with pytest.raises(CloudError):
        made.delete(Waiter(cloud, "demo", 60, lambda text: None), [step(1)])
    assert not made.done and not made.gone


@pytest.mark.parametrize("made", [0, 2, 3])
def test_of_a_lost_answer_those_are_listed_that_are_there(made):
    cloud, noted = Nova(), []
    cloud.lost = made
    flavors = {"": SimpleNamespace(id="f")}
    creation = Creation(
        cloud, Blueprint(Wish("demo", 3), "image", flavors), AtOnce(2), 60, lambda text: None, noted.extend
    )
    creation.make([step(number, "create") for number in (1, 2, 3)], True)
    assert [one.node for one in noted] == ["demo-%d" % (number + 1) for number in range(made)]


def run(check=False, done=(), gone=()):
    made = Run.__new__(Run)
    made.module = SimpleNamespace(check_mode=check)
    made.done, made.gone, made.progress = list(done), list(gone), []
    return made


def test_changed_is_what_was_done():
    """Another run may have done it while this one waited, or may have undone what this one then does."""
    planned = ["delete server demo-1: why"]
    nothing = run().outcome(planned, [step(1)])
    assert (nothing["changed"], nothing["plan"], nothing["removed"]) == (False, planned, [])
    more = run(done=["create server demo-2: spare"]).outcome([], [])
    assert (more["changed"], more["plan"]) == (True, ["create server demo-2: spare"])
    checked = run(check=True).outcome(planned, [step(1)])
    assert (checked["changed"], checked["done"], checked["removed"]) == (True, [], [dict(name="demo-1", id="s1")])
