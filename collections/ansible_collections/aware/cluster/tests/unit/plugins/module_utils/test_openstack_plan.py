# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for the servers of a colony: pure, so every rule is a table of servers and the sentences expected."""

from __future__ import annotations

import itertools
import random

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._openstack_marks import own_marks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Caste, Server, Size, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_plan import make_plan

SMALL, BIG = Size(1, 512, 10), Size(4, 8192, 80)


def wish(size, **more):
    return Wish(colony="demo", size=size, tags=("aware:demo",), **more)


def server(index, wanted=None, **more):
    values = dict(
        id="id-%d" % index,
        name="demo-%d" % index,
        index=index,
        created="2026-01-01T00:00:%02dZ" % index,
        size=SMALL,
        tags=("aware:demo",),
    )
    values.update(more)
    if "marks" not in values:
        values["marks"] = own_marks(wanted or wish(1), index, values.get("caste", ""))
    return Server(**values)


def sentences(plan):
    return [str(step) for step in plan.steps]


def test_a_new_colony_is_made_castes_first():
    plan = make_plan(wish(3, castes=(Caste("web", 2),)), [])
    assert sentences(plan) == [
        "create server demo-1: caste web",
        "create server demo-2: caste web",
        "create server demo-3: spare",
    ]
    assert not plan.problems


def test_what_is_there_is_left_alone():
    plan = make_plan(wish(2), [server(1), server(2)])
    assert not plan.steps and not plan.problems and [one.name for one in plan.keep] == ["demo-1", "demo-2"]


def test_a_server_deleted_by_somebody_else_is_made_again_under_its_name():
    assert sentences(make_plan(wish(3), [server(1), server(3)])) == ["create server demo-2: spare"]


@pytest.mark.parametrize("task, status", [("deleting", "ACTIVE"), ("", "DELETED"), ("", "SOFT_DELETED")])
def test_a_server_on_its_way_out_counts_for_nothing(task, status):
    assert sentences(make_plan(wish(1), [server(1, task=task, status=status)])) == ["create server demo-1: spare"]


def test_shrinking_takes_dead_then_idle_then_young():
    castes = (Caste("web", 2),)
    servers = [
        server(1, caste="web"),
        server(2),
        server(3, status="ERROR"),
        server(4, caste="web"),
        server(5),
        server(6),
    ]
    order = []
    for size in (5, 4, 3, 2, 1):
        size_castes = castes if size > 2 else ()
        plan = make_plan(wish(size, castes=size_castes, dead=frozenset(["demo-2"])), servers)
        order.append({step.node for step in plan.of("delete")})
    assert order[0] == {"demo-3"} or order[0] == {"demo-2"}
    assert order[1] == {"demo-2", "demo-3"}
    assert order[2] == {"demo-2", "demo-3", "demo-6"}
    assert order[3] == {"demo-2", "demo-3", "demo-6", "demo-5"}
    assert order[4] == {"demo-2", "demo-3", "demo-6", "demo-5", "demo-4"}


def test_named_servers_go_and_no_others():
    plan = make_plan(wish(2, remove=frozenset(["demo-1"])), [server(1), server(2), server(3)])
    assert sentences(plan) == ["delete server demo-1: named for removal"]


def test_the_queen_does_not_go():
    plan = make_plan(wish(1, remove=frozenset(["demo-1"]), protect=frozenset(["demo-1"])), [server(1), server(2)])
    assert "hand over first" in plan.problems[0]
    plan = make_plan(wish(1, protect=frozenset(["demo-2"])), [server(1), server(2)])
    assert [step.node for step in plan.of("delete")] == ["demo-1"] and not plan.problems


def test_nobody_left_to_go_is_a_problem():
    plan = make_plan(wish(1, protect=frozenset(["demo-1", "demo-2"])), [server(1), server(2)])
    assert plan.problems and "cannot shrink to 1" in plan.problems[0] and not plan.of("delete")


def test_failed_servers_are_reported_or_replaced():
    failed = server(2, status="ERROR", fault="No valid host was found.")
    plan = make_plan(wish(2), [server(1), failed])
    assert not plan.steps and "No valid host was found." in plan.failures[0] and "replace_failed" in plan.failures[0]
    plan = make_plan(wish(2, replace_failed=True), [server(1), failed])
    assert sentences(plan) == [
        "delete server demo-2: it failed: No valid host was found.",
        "create server demo-2: spare, instead of the one deleted",
    ]
    assert not plan.failures


def test_of_two_with_one_index_the_older_working_one_stays():
    twins = [
        server(1, id="b", created="2026-01-01T00:00:05Z"),
        server(1, id="a", created="2026-01-01T00:00:09Z"),
        server(1, id="0", status="ERROR"),
    ]
    for order in itertools.permutations(twins):
        plan = make_plan(wish(1), order)
        assert sorted(step.server for step in plan.of("delete")) == ["0", "a"] and [one.id for one in plan.keep] == [
            "b"
        ]


def test_a_foreign_server_in_the_way_is_refused_and_one_out_of_the_way_is_not():
    assert "does not belong to colony demo" in make_plan(wish(2), [server(1)], ["demo-2"]).problems[0]
    assert not make_plan(wish(2), [server(1), server(2)], ["demo-3"]).problems


def test_castes_are_filled_by_idle_servers_that_fit():
    castes = (Caste("db", 1, BIG), Caste("web", 1, SMALL))
    servers = [server(1), server(2, size=BIG)]
    plan = make_plan(wish(2, castes=castes), servers)
    assert {step.node: step.marks["aware_caste"] for step in plan.of("mark")} == {"demo-1": "web", "demo-2": "db"}
    assert not plan.of("create", "delete")


def test_a_caste_that_cannot_be_filled_at_this_size_is_a_problem():
    plan = make_plan(wish(1, castes=(Caste("db", 1, BIG),)), [server(1)])
    assert plan.problems == (
        "caste db lacks 1 node(s) with at least 4 vCPU, 8192 MiB RAM, 80 GiB disk, but size 1 is reached by servers that do not "
        "fit: raise size or remove some",
    )


def test_zones_are_used_evenly_and_a_required_one_wins():
    plan = make_plan(wish(4, zones=("a", "b"), castes=(Caste("db", 2, zone="b"),)), [server(9, zone="b")])
    assert [(step.node, step.zone) for step in plan.of("create")] == [("demo-1", "b"), ("demo-2", "a"), ("demo-3", "a")]


def test_half_written_metadata_is_completed():
    marks = {"aware_colony": "demo"}
    plan = make_plan(wish(1, castes=(Caste("web", 1),), marks={"owner": "me"}), [server(1, marks=marks, tags=())])
    assert plan.of("mark")[0].marks == {"aware_node": "demo-1", "aware_index": "1", "aware_caste": "web", "owner": "me"}
    assert "tag aware:demo" in plan.of("mark")[0].why


def test_a_shut_off_server_is_started_and_a_paused_one_is_only_mentioned():
    plan = make_plan(wish(2), [server(1, status="SHUTOFF"), server(2, status="PAUSED")])
    assert sentences(plan) == ["start server demo-1: it is shut off"] and "demo-2 is PAUSED" in plan.warnings[0]


# What the plan does with one server of each state Nova knows, and what it says.
STATES = [
    # status, task, steps of a plan for size 1, word in a warning
    ("ACTIVE", "", [], ""),
    ("ACTIVE", "image_uploading", [], ""),
    ("BUILD", "spawning", [], ""),
    ("REBUILD", "rebuilding", [], ""),
    ("REBOOT", "rebooting", [], ""),
    ("HARD_REBOOT", "rebooting_hard", [], ""),
    ("PASSWORD", "updating_password", [], ""),
    ("SHUTOFF", "", ["start server demo-1: it is shut off"], ""),
    ("SHUTOFF", "powering-on", [], ""),
    ("SHUTOFF", "image_snapshot", [], "not started; a later run does"),
    ("PAUSED", "", [], "unpause"),
    ("SUSPENDED", "", [], "resume"),
    ("SHELVED", "", [], "unshelve"),
    ("SHELVED_OFFLOADED", "", [], "unshelve"),
    ("RESCUE", "", [], "unrescue"),
    ("RESIZE", "resize_migrating", [], "Nova moves it"),
    ("VERIFY_RESIZE", "", [], "confirm or revert"),
    ("REVERT_RESIZE", "resize_reverting", [], "Nova moves it"),
    ("MIGRATING", "migrating", [], "Nova moves it"),
    ("ERROR", "", [], ""),
    ("UNKNOWN", "", [], "ask the cloud's operator"),
    ("SOMETHING_NEW", "", [], "ask the cloud's operator"),
    ("DELETED", "", ["create server demo-1: spare"], ""),
    ("SOFT_DELETED", "", ["create server demo-1: spare"], ""),
    ("ACTIVE", "soft-deleting", ["create server demo-1: spare"], ""),
    ("ERROR", "deleting", ["create server demo-1: spare"], ""),
]


@pytest.mark.parametrize("status, task, steps, word", STATES)
def test_each_state_of_nova_has_its_row(status, task, steps, word):
    one = server(1, status=status, task=task)
    plan = make_plan(wish(1), [one])
    assert sentences(plan) == steps and not plan.problems
    assert word in " ".join(plan.warnings) and bool(plan.warnings) == bool(word)
    assert bool(plan.failures) == (status == "ERROR" and not task)


@pytest.mark.parametrize("status", sorted({row[0] for row in STATES}))
def test_metadata_a_state_does_not_take_is_said_and_fails_nobody(status):
    one, two = server(1, status=status, marks={"aware_index": "1"}), server(2, marks={"aware_index": "2"})
    plan = make_plan(wish(2), [one, two])
    taken = status in (
        "ACTIVE",
        "BUILD",
        "REBUILD",
        "REBOOT",
        "HARD_REBOOT",
        "PASSWORD",
        "SHUTOFF",
        "PAUSED",
        "SUSPENDED",
    )
    assert [step.node for step in plan.of("mark")] == (["demo-1"] if taken else []) + ["demo-2"]
    said = [text for text in plan.warnings if text.startswith("metadata of server demo-1 is not written (aware_caste")]
    assert bool(said) == (not taken and status not in ("ERROR", "DELETED", "SOFT_DELETED"))


UNLOCK = "openstack server unlock id-1"


@pytest.mark.parametrize(
    "more, locked",
    [
        (dict(remove=frozenset(["demo-1", "demo-2"])), dict()),
        (dict(replace=frozenset(["id-2", "id-1"])), dict()),
        (dict(replace_failed=True), dict(status="ERROR")),
        (dict(protect=frozenset(["demo-2"])), dict()),
    ],
)
def test_a_locked_server_is_seen_before_anything_is_deleted(more, locked):
    plan = make_plan(wish(1, **more), [server(1, locked=True, **locked), server(2)])
    assert "server demo-1 cannot be deleted" in plan.problems[0] and UNLOCK in plan.problems[0]


def test_a_locked_twin_is_a_problem():
    plan = make_plan(wish(1), [server(1), server(1, locked=True, created="2026-02-01T00:00:00Z")])
    assert UNLOCK in plan.problems[0]


def test_shrinking_leaves_the_locked_one():
    plan = make_plan(wish(1), [server(1), server(2, locked=True)])
    assert [step.node for step in plan.of("delete")] == ["demo-1"] and not plan.problems


def test_a_caste_goes_to_one_that_takes_metadata_or_the_lock_is_said():
    caste = (Caste("web", 1),)
    plan = make_plan(wish(2, castes=caste), [server(1, locked=True), server(2)])
    assert [step.node for step in plan.of("mark")] == ["demo-2"] and not plan.warnings
    plan = make_plan(wish(1, castes=caste), [server(1, locked=True)])
    assert not plan.steps and not plan.problems
    assert "metadata of server demo-1 is not written (aware_caste)" in plan.warnings[0] and UNLOCK in plan.warnings[0]


def test_a_locked_server_that_is_off_is_said_and_not_started():
    plan = make_plan(wish(1), [server(1, locked=True, status="SHUTOFF")])
    assert not plan.steps and "server demo-1 is off and not started" in plan.warnings[0] and UNLOCK in plan.warnings[0]


def test_replacing_makes_the_same_name_again():
    plan = make_plan(wish(2, replace=frozenset(["id-2"])), [server(1), server(2)])
    assert sentences(plan) == [
        "delete server demo-2: named for replacement",
        "create server demo-2: spare, instead of the one deleted",
    ]


@pytest.mark.parametrize("seed", range(300))
def test_any_colony_converges_in_one_plan_that_depends_on_nothing_but_the_input(seed):
    chance = random.Random(seed)
    castes = tuple(Caste(name, chance.randrange(3), chance.choice((Size(), SMALL))) for name in ("db", "web"))
    wanted = wish(
        sum(caste.count for caste in castes) + chance.randrange(1, 4),
        castes=castes,
        replace_failed=True,
        zones=chance.choice(((), ("a", "b"))),
    )
    servers = [
        server(
            chance.randrange(1, 9),
            wanted,
            id="s%d" % number,
            status=chance.choice(("ACTIVE", "ACTIVE", "ERROR", "BUILD")),
            caste=chance.choice(("", "db", "web")),
            size=chance.choice((SMALL, BIG)),
            zone=chance.choice("ab"),
        )
        for number in range(chance.randrange(8))
    ]
    plan = make_plan(wanted, servers)
    shuffled = list(servers)
    chance.shuffle(shuffled)
    assert make_plan(wanted, shuffled) == plan
    assert not plan.problems
    # What the plan leaves, made true.
    marks = dict((step.server, step.marks) for step in plan.of("mark"))
    after = [
        server(
            one.index,
            id=one.id,
            caste=marks.get(one.id, {}).get("aware_caste", one.caste),
            size=one.size,
            zone=one.zone,
            status=one.status,
            marks=dict(one.marks, **marks.get(one.id, {})),
            created=one.created,
        )
        for one in plan.keep
    ]
    after += [
        server(step.index, wanted, id="new-%d" % step.index, caste=step.caste, size=BIG, zone=step.zone)
        for step in plan.of("create")
    ]
    assert len(after) == wanted.size and len({one.index for one in after}) == wanted.size
    again = make_plan(wanted, after)
    assert not again.steps and not again.problems, sentences(again)
    for caste in castes:
        assert sum(1 for one in after if one.caste == caste.name) == caste.count


def test_who_sits_in_the_council_goes_after_who_does_not():
    castes = (Caste("web", 1),)
    servers = [server(1), server(2), server(3), server(4, caste="web"), server(5)]
    sitting = frozenset(["demo-2", "demo-3", "demo-5"])
    plan = make_plan(wish(3, castes=castes, council=sitting), servers)
    assert {step.node for step in plan.of("delete")} == {"demo-1", "demo-4"}


def test_a_dead_server_goes_before_all_whether_it_sits_or_not():
    servers = [server(1), server(2), server(3)]
    plan = make_plan(wish(2, council=frozenset(["demo-1"]), dead=frozenset(["demo-1"])), servers)
    assert {step.node for step in plan.of("delete")} == {"demo-1"}


def test_servers_that_may_not_go_for_the_size_are_kept_and_that_is_said():
    servers = [server(index) for index in range(1, 6)]
    plan = make_plan(wish(3, shrink=False), servers)
    assert plan.problems[0].startswith("there are 5 servers and size is 3, but none may go for that (shrink is false)")
    assert not plan.of("delete")
    assert not make_plan(wish(5, shrink=False), servers).problems
    # Who is named goes all the same, and what is missing is made.
    plan = make_plan(wish(5, shrink=False, remove=frozenset({"demo-2"})), servers[:4])
    assert [step.node for step in plan.of("delete")] == ["demo-2"] and len(plan.of("create")) == 2
