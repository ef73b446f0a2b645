"""The modules as Ansible runs them, against a member that is a process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .conftest import TOKEN, FakeColony, FakeMember

NODE = {"id": "01J1", "name": "demo-3", "labels": {"rack": "r1"}, "cordoned": False, "status": "ready"}
CONFIG = {"revision": 7, "version": 2, "applied": True, "config": {"agent": {}, "vars": {"a": 1}}}
QUEEN = {"id": "01J0", "name": "demo-1", "term": 5, "heir": {"id": "01J1", "name": "demo-3"}}


def writes(queen: FakeMember) -> list[list[Any]]:
    return [
        [line[0], line[1], line[4], json.loads(line[5]) if line[5] else None]
        for line in queen.requests()
        if line[0] != "GET"
    ]


def test_a_worker_as_endpoint_is_enough_and_is_shown_no_token(
    colony: FakeColony, queen: FakeMember, module: Any
) -> None:
    worker = colony.member(worker=True)
    worker.say(council={"queen": queen.url, "members": [queen.url]})
    routes = {f"GET /v1/nodes/{known}": [200, NODE] for known in ("demo-3", "01J1")}
    queen.say(routes={**routes, "PATCH /v1/nodes/01J1": [200, {}]})
    assert module("node", {"endpoints": [worker.url], "node": "demo-3", "cordoned": True})[1]["changed"] is True
    assert [line[1] for line in writes(queen)] == ["/v1/nodes/01J1"]
    assert {(line[1], line[2]) for line in worker.requests()} == {("/v1/council", False)}


def test_node_changes_what_differs(queen: FakeMember, module: Any) -> None:
    routes = {
        "GET /v1/nodes/demo-3": [200, NODE],
        "GET /v1/nodes/01J1": [200, {**NODE, "cordoned": True}],
        "GET /v1/nodes/01J1/config": [200, CONFIG],
        "PATCH /v1/nodes/01J1": [200, {}],
        "PUT /v1/nodes/01J1/config": [200, {}],
    }
    queen.say(routes=routes)
    wanted = {"node": "demo-3", "cordoned": True, "labels": {"rack": None, "zone": "z1"}, "config": {"vars": {"a": 2}}}
    _, checked = module("node", wanted, "--check", "--diff")
    assert checked["changed"] is True
    assert writes(queen) == []
    _, done = module("node", wanted, "--diff")
    assert done["changed"] is True
    assert done["diff"] == checked["diff"]
    assert done["diff"]["after"] == {
        "labels": {"zone": "z1"},
        "cordoned": True,
        "config": {"agent": {}, "vars": {"a": 2}},
    }
    patch, put = writes(queen)
    assert patch == ["PATCH", "/v1/nodes/01J1", None, {"labels": {"rack": None, "zone": "z1"}, "cordoned": True}]
    assert put == ["PUT", "/v1/nodes/01J1/config", '"7"', {"config": {"agent": {}, "vars": {"a": 2}}}]


def test_node_that_is_right_is_left_alone(queen: FakeMember, module: Any) -> None:
    queen.say(routes={"GET /v1/nodes/demo-3": [200, NODE], "GET /v1/nodes/01J1/config": [200, CONFIG]})
    same = {"node": "demo-3", "cordoned": False, "labels": {"rack": "r1", "none": None}, "config": {"vars": {"a": 1}}}
    assert module("node", same)[1]["changed"] is False
    assert writes(queen) == []


def test_node_absent(queen: FakeMember, module: Any) -> None:
    queen.say(routes={"GET /v1/nodes/demo-3": [200, NODE], "DELETE /v1/nodes/01J1?force=true": [200, {}]})
    assert module("node", {"node": "demo-3", "state": "absent", "force": True})[1]["changed"] is True
    assert module("node", {"node": "demo-9", "state": "absent"})[1]["changed"] is False
    assert [line[:2] for line in writes(queen)] == [["DELETE", "/v1/nodes/01J1?force=true"]]


def test_hostile_node_name_stays_one_path_element(queen: FakeMember, module: Any) -> None:
    queen.say(routes={})
    ran, result = module("node_info", {"node": "../users/admin?x=#"})
    assert ran.rc != 0
    assert result.get("status") == 404, result
    assert queen.requests()[0][1] == "/v1/nodes/..%2Fusers%2Fadmin%3Fx%3D%23"


def test_queen_transfer(queen: FakeMember, module: Any) -> None:
    queen.say(
        routes={
            "GET /v1/queen": [200, QUEEN],
            "POST /v1/queen/transfer": [202, {}],
            "POST /v1/queen/step-down": [202, {}],
        }
    )
    assert module("queen", {"state": "transfer", "to": "demo-1"})[1]["changed"] is False
    assert module("queen", {"state": "transfer", "to": "demo-3"}, "--check")[1]["changed"] is True
    assert writes(queen) == []
    assert module("queen", {"state": "transfer", "to": "demo-3", "wait": False})[1]["changed"] is True
    assert writes(queen) == [["POST", "/v1/queen/transfer", None, {"node": "demo-3"}]]
    ran, result = module("queen", {"state": "step_down", "wait_timeout": 0.5})
    assert ran.rc != 0
    assert "no other queen reigns" in result["msg"]


def test_spec_plan_and_apply(queen: FakeMember, module: Any) -> None:
    spec = {"colony": "demo", "size": 7, "castes": {"web": {"count": 2}}}
    plan = {"changed": True, "steps": ["size grows from 5 to 7"], "before": {"size": 5}, "after": spec}
    routes = {
        "GET /v1/spec": [200, {"revision": 4, "spec": {"size": 5}}],
        "PUT /v1/spec?dry_run=true": [200, plan],
        "PUT /v1/spec": [200, {}],
    }
    queen.say(routes=routes)
    _, checked = module("cluster_spec", {"spec": spec}, "--check", "--diff")
    assert checked["steps"] == plan["steps"]
    assert [line[1] for line in writes(queen)] == ["/v1/spec?dry_run=true"]
    assert module("cluster_spec", {"spec": spec})[1]["changed"] is True
    assert writes(queen)[-1] == ["PUT", "/v1/spec", '"4"', spec]
    queen.say(routes={**routes, "PUT /v1/spec?dry_run=true": [200, {**plan, "changed": False}]})
    assert module("cluster_spec", {"spec": spec})[1]["changed"] is False


def test_refused_spec_is_one_clear_line(queen: FakeMember, module: Any) -> None:
    problem = {"detail": "spec: castes want 9 nodes, but size is 5", "code": "invalid-input", "hint": "raise size"}
    queen.say(routes={"GET /v1/spec": [200, {"revision": 4}], "PUT /v1/spec?dry_run=true": [422, problem]})
    ran, result = module("cluster_spec", {"spec": {"colony": "demo", "size": 5, "castes": {"worker": {"count": 9}}}})
    assert ran.rc != 0
    assert result["msg"] == "the gateway answered 422: spec: castes want 9 nodes, but size is 5 (raise size)"


# Without a word about it in the spec nothing is asked of the council.
NO_COUNCIL = {"GET /v1/council/members": [200, {"wanted": None, "members": []}]}


def test_wait_says_what_is_missing(queen: FakeMember, module: Any) -> None:
    cluster = {
        "status": "forming",
        "reason": "caste web misses 1",
        "queen": QUEEN,
        "size": {"wanted": 5, "ready": 4},
        "castes": [{"name": "web", "missing": 1}],
    }
    queen.say(routes={**NO_COUNCIL, "GET /v1/cluster": [200, cluster]})
    ran, result = module("cluster_wait", {"wait_timeout": 0.6})
    assert ran.rc != 0
    assert "4 of 5 nodes are ready; caste web misses 1; status is forming (caste web misses 1)" in result["msg"]
    formed = {
        **cluster,
        "status": "healthy",
        "size": {"wanted": 5, "ready": 5},
        "castes": [{"name": "web", "missing": 0}],
    }
    queen.say(routes={**NO_COUNCIL, "GET /v1/cluster": [200, formed]})
    assert module("cluster_wait", {"nodes": 5})[1]["changed"] is False


def test_wait_wants_all_seats_of_the_council_taken(queen: FakeMember, module: Any) -> None:
    cluster = {"status": "healthy", "queen": QUEEN, "size": {"wanted": 3, "ready": 3}, "castes": []}
    nodes = [{"name": f"demo-{number}", "status": "ready" if number < 4 else "dead"} for number in (1, 2, 3, 4)]
    members = [
        {"name": "demo-1", "healthy": True, "learner": False},
        {"name": "demo-2", "healthy": True, "learner": True},
        {"name": "demo-4", "healthy": False, "learner": False},
    ]
    council = {"wanted": {"size": 3}, "members": members, "message": "demo-2 copies etcd's data", "trouble": ""}
    routes = {"GET /v1/cluster": [200, cluster], "GET /v1/nodes": [200, {"revision": 1, "nodes": nodes}]}
    queen.say(routes={**routes, "GET /v1/council/members": [200, council]})
    ran, result = module("cluster_wait", {"wait_timeout": 0.3})
    assert ran.rc != 0
    assert "1 of 3 seats of the council are taken (demo-2 copies etcd's data)" in result["msg"]
    assert module("cluster_wait", {"council": False})[1]["changed"] is False
    assert module("cluster_wait", {"nodes": 3, "wait_timeout": 0.3, "without": ["demo-4"]})[0].rc != 0
    members[1]["learner"] = False
    queen.say(routes={**routes, "GET /v1/council/members": [200, council]})
    assert module("cluster_wait", {"nodes": 3, "without": ["demo-4"]})[1]["changed"] is False
    assert module("cluster_info", {"council": True})[1]["council"] == council
    assert "council" not in module("cluster_info", {})[1]


def test_wait_goes_on_without_those_who_are_known_to_be_away(queen: FakeMember, module: Any) -> None:
    cluster = {
        "status": "degraded",
        "reason": "silent or dead: demo-4",
        "queen": QUEEN,
        "size": {"wanted": 3, "ready": 2},
        "castes": [{"name": "web", "missing": 1}],
    }
    nodes = [{"name": f"demo-{number}", "status": "ready" if number < 4 else "dead"} for number in (2, 3, 4)]
    routes = {"GET /v1/cluster": [200, cluster], "GET /v1/nodes": [200, {"revision": 1, "nodes": nodes}]}
    queen.say(routes={**NO_COUNCIL, **routes})
    assert module("cluster_wait", {"without": ["demo-4"]})[1]["changed"] is False
    assert module("cluster_wait", {"nodes": 3, "without": ["demo-4"]})[1]["changed"] is False
    # Another one that is ill, and one that is there after all, excuse nothing.
    for without in (["demo-9"], ["demo-3"]):
        ran, result = module("cluster_wait", {"without": without, "wait_timeout": 0.3})
        assert ran.rc != 0
        assert "demo-4" in result["msg"]


def test_wait_asks_for_nothing_of_those_that_the_colony_sent_away(queen: FakeMember, module: Any) -> None:
    cluster = {
        "status": "healthy",
        "reason": "2 nodes are ready, away: demo-4",
        "queen": QUEEN,
        "size": {"wanted": 3, "ready": 2, "away": 1},
        "castes": [{"name": "web", "missing": 1}],
    }
    nodes = [{"name": f"demo-{number}", "status": "ready" if number < 4 else "away"} for number in (2, 3, 4)]
    council = {"wanted": {"size": 3}, "members": [{"healthy": True}, {"healthy": True}, {"healthy": False}]}
    routes = {
        "GET /v1/cluster": [200, cluster],
        "GET /v1/nodes": [200, {"revision": 1, "nodes": nodes}],
        "GET /v1/council/members": [200, council],
    }
    queen.say(routes=routes)
    assert module("cluster_wait", {})[1]["changed"] is False
    assert module("cluster_wait", {"without": ["demo-4"]})[1]["changed"] is False, "excused once, not twice"
    cluster["size"] = {"wanted": 4, "ready": 2, "away": 1}
    queen.say(routes=routes)
    ran, result = module("cluster_wait", {"without": ["demo-4"], "wait_timeout": 0.3})
    assert ran.rc != 0
    assert "2 of 3 nodes are ready" in result["msg"]


def test_a_node_is_sent_away_and_brought_back(queen: FakeMember, module: Any) -> None:
    def say(away: Any) -> None:
        node = {**NODE, "away": away}
        done = {"changed": True, "revision": 9, "term": 3, "node": node}
        path = f"/v1/nodes/{NODE['id']}"
        queen.say(
            routes={
                f"GET /v1/nodes/{NODE['name']}": [200, node],
                f"GET {path}": [200, node],
                f"PUT {path}/away": [200, done],
                f"DELETE {path}/away": [200, done],
            }
        )

    def written() -> list[Any]:
        return [(line[0], json.loads(line[5] or "null")) for line in queen.requests() if line[0] != "GET"]

    name = {"node": NODE["name"]}
    say(None)
    assert module("node", {**name, "away": False})[1]["changed"] is False
    tried = module("node", {**name, "away": True, "away_reason": "a new disk"}, "--check")[1]
    assert (tried["changed"], written()) == (True, [])
    assert tried["diff"]["after"]["away"]["reason"] == "a new disk"
    assert module("node", {**name, "away": True, "away_reason": "a new disk"})[1]["changed"] is True
    assert written() == [("PUT", {"reason": "a new disk", "until": None})]
    say({"reason": "a new disk", "until": 9e9, "by": "ada", "since": 1.0, "here": False, "caste": "web"})
    assert module("node", {**name, "away": True})[1]["changed"] is False, "what was said stays"
    assert module("node", {**name, "away": True, "away_reason": "moved"})[1]["changed"] is True
    assert written()[-1] == ("PUT", {"reason": "moved", "until": 9e9})
    assert module("node", {**name, "away": False})[1]["changed"] is True
    assert written()[-1] == ("DELETE", None)
    for alone in ({"away_reason": "moved"}, {"away_until": 9e9, "away": False}):
        ran, result = module("node", {**name, **alone})
        assert ran.rc != 0
        assert result["msg"] == "away_reason and away_until go with away: true"


def test_info_and_secrecy(queen: FakeMember, module: Any) -> None:
    queen.say(
        routes={"GET /v1/cluster": [200, {"colony": "demo"}], "GET /v1/nodes": [200, {"revision": 3, "nodes": [NODE]}]}
    )
    ran, result = module("cluster_info", {}, "-vvvvv")
    assert result["cluster"]["colony"] == "demo"
    assert TOKEN not in ran.out + ran.err
    ran, result = module("node_info", {"token": TOKEN}, "-vvvvv")
    assert result["nodes"] == [NODE]
    assert TOKEN not in ran.out + ran.err
    queen.say(token="other")
    assert module("cluster_info", {})[1]["status"] == 401


def test_module_defaults_by_group(colony: FakeColony, queen: FakeMember, ansible: Any) -> None:
    queen.say(routes={"GET /v1/cluster": [200, {"colony": "demo"}]})
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {
                "group/aware.cluster.gateway": {"endpoints": [queen.url], "token": TOKEN, "ca_path": str(colony.ca)}
            },
            "tasks": [{"aware.cluster.cluster_info": {}}],
        }
    ]
    path: Path = colony.folder / "play.yml"
    path.write_text(json.dumps(play))
    ran = ansible("ansible-playbook", path)
    assert ran.rc == 0, ran.out + ran.err
