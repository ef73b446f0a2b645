"""Join tokens and rotation as Ansible runs them, against a member that is a process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import FakeMember

ID, OTHER = "0a1b2c3d4e5f6071", "f" * 16
JOIN = f"aware1.{ID}.{'s' * 43}.{'p' * 43}"


def writes(queen: FakeMember) -> list[tuple[str, str, Any]]:
    return [
        (line[0], line[1], json.loads(line[5]) if line[5] else None) for line in queen.requests() if line[0] != "GET"
    ]


def listed(**changes: Any) -> dict[str, Any]:
    token = {
        "id": ID,
        "expires_at": time.time() + 3000,
        "uses_left": 1,
        "node_name": None,
        "eligible": False,
        **changes,
    }
    return {"GET /v1/tokens": [200, {"tokens": [token]}]}


NEW = {"POST /v1/tokens": [201, {"id": ID, "expires_at": 9e9, "uses_left": 10, "node_name": None, "token": JOIN}]}


def test_a_token_is_returned_once_and_goes_nowhere_else(queen: FakeMember, module: Any) -> None:
    queen.say(routes=NEW)
    assert module("join_token", {}, "--check")[1]["changed"] is True
    assert writes(queen) == []
    _, done = module("join_token", {"ttl": "90m", "uses": 10, "node": "web-7"})
    assert (done["changed"], done["id"], done["token"]) == (True, ID, JOIN)
    assert writes(queen) == [
        ("POST", "/v1/tokens", {"ttl_s": 5400, "uses": 10, "node_name": "web-7", "eligible": False, "addresses": []})
    ]
    module("join_token", {"ttl": "never", "uses": 0, "eligible": True})
    assert writes(queen)[-1][2] == {"ttl_s": None, "uses": None, "node_name": None, "eligible": True, "addresses": []}


def test_a_token_in_a_file_is_kept_while_it_is_good(queen: FakeMember, module: Any, tmp_path: Path) -> None:
    path = tmp_path / "join-token"
    queen.say(routes={**NEW, "GET /v1/tokens": [200, {"tokens": []}]})
    ran, done = module("join_token", {"dest": str(path)})
    assert done["changed"] is True
    assert "token" not in done
    assert JOIN not in ran.out + ran.err
    assert path.read_text() == JOIN + "\n"
    assert path.stat().st_mode & 0o777 == 0o600
    queen.say(routes={**NEW, **listed()})
    assert module("join_token", {"dest": str(path)})[1]["changed"] is False
    assert len(writes(queen)) == 1
    for bad in (
        {"expires_at": time.time() + 10},
        {"uses_left": 0},
        {"id": OTHER},
        {"node_name": "db-1"},
        {"eligible": True},
        {"addresses": ["192.0.2.1"]},
    ):
        queen.say(routes={**NEW, **listed(**bad)})
        assert module("join_token", {"dest": str(path)}, "--check")[1]["changed"] is True, bad
    assert len(writes(queen)) == 1


def test_revoking_one_token(queen: FakeMember, module: Any, tmp_path: Path) -> None:
    path = tmp_path / "join-token"
    path.write_text(JOIN + "\n")
    queen.say(routes={**listed(), f"DELETE /v1/tokens/{ID}": [200, {}]})
    assert module("join_token", {"state": "absent", "id": OTHER})[1]["changed"] is False
    assert module("join_token", {"state": "absent", "dest": str(path)}, "--check")[1]["changed"] is True
    assert path.exists()
    assert module("join_token", {"state": "absent", "dest": str(path)})[1]["changed"] is True
    assert not path.exists()
    assert writes(queen) == [("DELETE", f"/v1/tokens/{ID}", None)]
    assert module("join_token", {"state": "absent", "dest": str(path)})[1]["changed"] is False


def test_bad_input_is_one_line_and_makes_no_token(queen: FakeMember, module: Any, tmp_path: Path) -> None:
    queen.say(routes={**NEW, **listed()})
    foreign = tmp_path / "notes"
    foreign.write_text("do not lose this\n")
    ran, result = module("join_token", {"dest": str(foreign)})
    assert ran.rc != 0
    assert "something else than a join token" in result["msg"]
    assert foreign.read_text() == "do not lose this\n"
    assert "not a duration" in module("join_token", {"ttl": "1 hour"})[1]["msg"]
    assert "no directory" in module("join_token", {"dest": str(tmp_path / "none" / "t")})[1]["msg"]
    assert module("join_token", {"state": "absent"})[0].rc != 0
    assert writes(queen) == []


def state(phase: str, **changes: Any) -> dict[str, Any]:
    nodes = [{"name": "demo-1", "standing": "ready", "lacks": ""}, {"name": "demo-2", "standing": "ready", "lacks": ""}]
    return {"phase": phase, "hold": True, "released": False, "etcd": [], "nodes": nodes, "generation": 1, **changes}


def says(queen: FakeMember, phase: str, **changes: Any) -> None:
    queen.say(routes={"GET /v1/rotation": [200, state(phase, **changes)], "POST /v1/rotation": [202, {}]})


@pytest.mark.parametrize(
    ("phase", "aim", "ordered"),
    [
        ("settled", "started", {"action": "start", "hold": True, "patience_s": 60.0, "keep_ca": True}),
        ("distributing", "started", None),
        ("switched", "started", None),
        ("distributing", "switched", {"action": "continue"}),
        ("switched", "finished", {"action": "continue"}),
        ("settled", "finished", None),
        ("distributing", "aborted", {"action": "abort"}),
        ("switched", "aborted", {"action": "abort"}),
        ("returning", "aborted", None),
        ("settled", "aborted", None),
        ("finishing", "started", None),
        ("finishing", "switched", None),
        ("finishing", "finished", None),
        ("finishing", "aborted", None),
    ],
)
def test_rotation_orders_what_leads_there(
    queen: FakeMember, module: Any, phase: str, aim: str, ordered: dict[str, Any] | None
) -> None:
    says(queen, phase)
    options = {"state": aim, "wait": False, "patience": 60, "keep_ca": True}
    _, checked = module("rotation", options, "--check", "--diff")
    assert writes(queen) == []
    _, done = module("rotation", options, "--diff")
    assert done["changed"] is checked["changed"] is (ordered is not None)
    assert done["diff"] == checked["diff"]
    assert writes(queen) == ([("POST", "/v1/rotation", ordered)] if ordered else [])


def test_rotation_waits_and_names_whom_it_waits_for(queen: FakeMember, module: Any) -> None:
    slow = {"name": "demo-2", "standing": "waiting", "lacks": "secret 2"}
    gone = {"name": "demo-3", "standing": "left-behind", "lacks": "secret 2"}
    says(queen, "distributing", nodes=[slow, gone])
    ran, result = module("rotation", {"state": "started", "wait_timeout": 0.5})
    assert ran.rc != 0
    assert result["msg"] == "the rotation is not started after 0.5 s: demo-2 lacks secret 2"
    says(queen, "distributing", nodes=[gone])
    assert module("rotation", {"state": "started"})[1]["left_behind"] == ["demo-3"]
    says(queen, "distributing", released=True, etcd=["etcd 192.0.2.1:2379 does not accept it"])
    assert "192.0.2.1" in module("rotation", {"state": "switched", "wait_timeout": 0.5})[1]["msg"]
    says(queen, "distributing")
    assert "cannot be finished from there" in module("rotation", {"state": "finished"})[1]["msg"]
